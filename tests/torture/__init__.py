"""An adversary for the daemon, decided by one number. Read in this order:

    plan.py      plan(seed) -> what is done to the daemon, and when; all of it printed before the run
    run.py       run(plan) -> ledger: what happened, by an independent reader that opens the database anew four times a second
    judge.py     judge(ledger, log) -> what was promised and not kept

Beside them: ``faults`` (each kind of fault), ``rig`` (the loop, the daemon, verbs), ``sabotage`` (files and processes), ``shim`` (a disk
that fails and a clock that is wrong), ``ledger`` and ``log`` (the two halves of the evidence), ``verdict`` (one seed, whole).
``make torture SEEDS=1-300``, or ``python -m tests.torture --seeds 17 --keep`` for one.
"""
