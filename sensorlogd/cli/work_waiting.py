"""Waits for long work that was ordered: until it is over, or until it is clear that it does not go on by itself."""

from __future__ import annotations

import time

import click

from sensorlogd.cli.database_changes import Actor, Refused
from sensorlogd.cli.progress import Progress
from sensorlogd.daemon.control.answers import WorkProgress
from sensorlogd.daemon.control.requests.database import WorkRequest
from sensorlogd.notation.plurals import plural
from sensorlogd.storage.work import State

MAX_PAUSE_S = 0.25  # between two questions how far it is


def wait_for(actor: Actor, label: str, identity: int, *, total_is_known: bool = True, see: str) -> WorkProgress:
    """Wait for the work and return its final state. The work goes on without this verb. ``see``: the command that shows it. Raises
    Refused if it failed, or is hindered and no daemon runs that would go on with it later."""
    answer = actor.act(WorkRequest(identity))
    try:
        with Progress(label, answer.total if total_is_known else None, "readings") as bar:
            answer = _wait_until_over(actor, label, identity, answer, bar)
    except KeyboardInterrupt:
        goes_on = "the daemon goes on with it" if actor.offline is None else "the daemon does the rest when it runs"
        click.echo(f"{label}: {goes_on}; see {see}", err=True)
        raise
    if answer.state == State.FAILED:
        raise Refused(f"{label}: {answer.outcome}")
    return answer


def refuse_if_hindered(so_far: str, hindrance: str) -> None:
    """Refuse if a hindrance would keep a verb that does the work itself waiting for ever. Raises Refused."""
    if hindrance:
        raise Refused(
            f"{so_far}; now it does not go on: {hindrance}; once that is mended the daemon does the rest when it runs, "
            "or the next verb that changes something"
        )


def _wait_until_over(actor: Actor, label: str, identity: int, answer: WorkProgress, bar: Progress) -> WorkProgress:
    """Ask how far the work is until it does not wait any more. Returns the last answer. Raises Refused if it is hindered here."""
    pause_s, said = 0.01, False
    while answer.state == State.WAITING:
        bar.reach(answer.done)
        if actor.offline is not None:
            refuse_if_hindered(
                f"{label}: {answer.done:,} {plural(answer.done, 'reading is', 'readings are')} done", answer.hindrance
            )
        if answer.hindrance and not said:
            bar.say(f"{label}: waiting: {answer.hindrance}; the daemon goes on as soon as it can, without this verb, too")
            said = True
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.5, MAX_PAUSE_S)
        answer = actor.act(WorkRequest(identity))
    bar.reach(answer.done)
    return answer
