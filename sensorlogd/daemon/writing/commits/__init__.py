"""One transaction: what it is made of, who watches it, and what happens to a batch that has a fault.

``due`` what is to be committed, and when · ``commit`` one transaction · ``committing`` carries it out · ``storing`` the
order of these: ``batch`` all at once, ``pieces`` block by block, ``new_sensors`` a reload.

A COMMIT that raised an error may have taken effect. So what is written is known again when it is written again:

- readings by series, time and value (``storage.ingest.append``, ``retrying``);
- events, the number of lost readings and what the watcher keeps by the key of their commit (``Commit.key``,
  ``Committing.settle``), which a spill names, too;
- status, ``latest`` and marks say how things are, and are written anew;
- what a verb has ordered by a key of its own (``between_commits.once``); other jobs, kept work and upkeep look for how far
  they have got before each step.
"""
