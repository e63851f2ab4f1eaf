"""People are told: grouped, at least once, in spite of targets that fail, dawdle or are asleep; secrets stay secret."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sensorlogd.alarms.judging.alarm import Alarm, Announcement
from sensorlogd.alarms.judging.states import AlarmState
from sensorlogd.alarms.notifying import notifications, targets
from sensorlogd.alarms.notifying import sender as sending
from sensorlogd.alarms.notifying.quiet import is_quiet
from sensorlogd.alarms.notifying.sender import Sender, SenderSettings
from sensorlogd.config.alarms import TargetOptions
from sensorlogd.storage.alarms.notifications import GIVEN_UP, SENT, WAITING, NoticeRow
from tests import needs
from tests.alarms.receiver import Receiver
from tests.alarms.rig import plan_of
from tests.ports import free_port
from tests.rig import until

NOON_US = 1_800_014_400_000_000  # 2027-01-15T12:00:00Z


def options(**said: Any) -> TargetOptions:
    return TargetOptions.model_validate({"command": ["true"], "group": "50ms"} | said)


def hook(url: str, **said: Any) -> TargetOptions:
    return TargetOptions.model_validate({"webhook": url, "group": "50ms", **said})


def notice(name: str, target: str = "me", *, made_us: int = NOON_US, **body: Any) -> NoticeRow:
    line = {"id": name, "kind": "raised", "alarm": name, "severity": "warning", "line": f"{name} is too hot"}
    return NoticeRow(name, target, "raised", name, "s.x", made_us, line | body, WAITING, 0)


class World:
    """A sender whose wall clock the test holds. ``events``: what it told; ``sent``: messages, if ``send`` is not the real one."""

    def __init__(self, wanted: dict[str, TargetOptions], *, real: bool = False) -> None:
        self.now_us = NOON_US
        self.events: list[tuple[str, str]] = []
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.error = ""
        send = targets.send if real else self._send
        self.sender = Sender(
            SenderSettings(lambda: self.now_us, lambda kind, _, text: self.events.append((kind, text)), lambda: None, send)
        )
        self.sender.use(wanted, "UTC", "here")

    def _send(self, _: TargetOptions, message: Any) -> None:
        if self.error:
            raise targets.SendError(self.error)
        self.sent.append((message["target"], dict(message)))

    def ended(self, state: str) -> list[str]:
        return [outcome.identity for outcome in list(self.sender.outcomes) if outcome.state == state]


class Hour:
    """The steady clock of the sender, which the test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        self.now += 0.001  # a little goes by at each look
        return self.now


@contextlib.contextmanager
def world(targets: dict[str, TargetOptions], **how: Any) -> Iterator[World]:
    made = World(targets, **how)
    try:
        yield made
    finally:
        made.sender.stop(10.0)


# ---- grouping, quiet hours, limits -------------------------------------------------------------------------------------


def test_what_comes_together_is_one_message() -> None:
    """Forty sensors behind one dead hub; a later one is another."""
    with world({"me": options(group="300ms")}) as made:
        made.sender.put(notice(f"a{n}") for n in range(40))
        until(lambda: made.sent, "a message")
        ((_, message),) = made.sent
        assert len(message["alarms"]) == 40
        assert message["title"] == "here: warning: 40 alarms: a0, a1, a10, ..."
        assert message["text"].splitlines()[0] == "a0 is too hot"
        made.sender.put([notice("later")])
        until(lambda: len(made.sent) == 2, "another message")
        assert set(made.ended(SENT)) == {*(f"a{n}" for n in range(40)), "later"}


def test_nothing_is_taken_twice() -> None:
    """The keeper hands over what was sent from memory again, once it is stored."""
    with world({"me": options()}) as made:
        made.sender.put([notice("a")])
        until(lambda: made.sent, "a message")
        made.sender.put([notice("a"), notice("b")])
        until(lambda: len(made.sent) == 2, "another message")
        assert [alarm["id"] for _, message in made.sent for alarm in message["alarms"]] == ["a", "b"]


@pytest.mark.parametrize(
    ("odd", "why"),
    [
        ({"severity": "fatal"}, "its severity is 'fatal'; known: info, warning, critical"),
        ({"patient": "abc"}, "its waiting time is 'abc'"),
        ({"quiet": "22:00"}, "its quiet hours are '22:00'"),
        ({"quiet": [1, 2, 3]}, "its quiet hours are"),
        (None, "its body has no kind, alarm, severity, line"),
        ([], "its body is not a JSON object"),
    ],
)
def test_a_stored_notification_that_is_not_understood_stops_no_other(odd: Any, why: str) -> None:
    """One of another release, say: it is given up, which is an event; it ended the thread of its target."""
    strange = notice("strange")
    body = strange.body | odd if isinstance(odd, dict) else odd if odd is not None else {}
    with world({"me": options()}) as made:
        made.sender.put([strange._replace(body=body), notice("good")])
        until(lambda: made.sent, "the other one")
        assert [alarm["id"] for alarm in made.sent[0][1]["alarms"]] == ["good"]
        assert (set(made.ended(GIVEN_UP)), set(made.ended(SENT))) == ({"strange"}, {"good"})
        ((kind, detail),) = made.events
        assert kind == "notify_given_up"
        assert why in detail


def test_quiet_hours_are_kept_and_critical_passes() -> None:
    """What waited comes in one message at their end."""
    quiet = [22 * 60, 7 * 60]
    with world({"me": options()}) as made:
        made.now_us += 11 * 3_600_000_000  # 23:00
        made.sender.put([notice("a", quiet=quiet), notice("b", quiet=quiet)])
        made.sender.put([notice("fire", quiet=quiet, severity="critical")])
        until(lambda: made.sent, "the critical one")
        assert [alarm["id"] for alarm in made.sent[0][1]["alarms"]] == ["fire"]
        made.now_us += 8 * 3_600_000_000
        made.sender.put([notice("c")])
        until(lambda: len(made.sent) == 2, "the others")
        assert [alarm["id"] for alarm in made.sent[1][1]["alarms"]] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("span", "zone", "quiet"),
    [
        ((660, 780), "UTC", True),
        ((720, 780), "UTC", True),
        ((660, 720), "UTC", False),
        ((1320, 420), "UTC", False),
        ((1320, 420), "Asia/Tokyo", False),
        ((1200, 1320), "Asia/Tokyo", True),
        ((1320, 780), "UTC", True),
    ],
)
def test_hours_are_those_of_the_zone(span: tuple[int, int], zone: str, quiet: bool) -> None:
    """Noon in UTC is 21:00 in Tokyo."""
    assert is_quiet(span, NOON_US, zone) is quiet


@pytest.mark.parametrize(
    ("span", "night", "quiet"),
    [
        ((1320, 420), "2026-03-29", [(-3.0, 5.0)]),  # 22:00 to 07:00: an hour less
        ((1320, 420), "2026-10-25", [(-4.0, 6.0)]),  # an hour more, and from 22:00 summer time on
        ((120, 180), "2026-03-29", []),  # 02:00 to 03:00 is not there
        ((120, 180), "2026-10-25", [(0.0, 2.0)]),  # and is there twice
        ((150, 240), "2026-03-29", [(1.0, 2.0)]),  # from 02:30, which is not there, so from 03:00
    ],
)
def test_hours_of_the_night_in_which_the_clock_changes(
    span: tuple[int, int], night: str, quiet: list[tuple[float, float]]
) -> None:
    """By the wall clock of the zone; here in hours of UTC from midnight."""
    midnight_us = int(datetime.fromisoformat(night).replace(tzinfo=UTC).timestamp()) * 1_000_000
    hours = [quarter / 4 for quarter in range(-4 * 4 - 8, 4 * 8)]
    found = [hour for hour in hours if is_quiet(span, midnight_us + int(hour * 3_600_000_000), "Europe/Berlin")]
    assert found == [hour for hour in hours if any(begins <= hour < ends for begins, ends in quiet)]


def test_more_than_the_limit_an_hour_is_gathered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is lost: the next message holds it all."""
    monkeypatch.setattr(sending, "HOUR_S", 1.5)
    with world({"me": options(limit=2, group="0s")}) as made:

        def has_sent(n: int) -> bool:
            return len(made.sent) == n

        for n in range(8):
            made.sender.put([notice(f"a{n}")])
            until(partial(has_sent, min(n + 1, 2)), "the first two")
        until(lambda: len(made.sent) == 3, "the rest")
        assert len(made.sent[2][1]["alarms"]) == 6


# ---- failing, slow, gone -----------------------------------------------------------------------------------------------


def test_a_target_that_fails_is_tried_again_and_is_an_event(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once told, once recovered; each try counts; the second try holds what came meanwhile."""
    monkeypatch.setattr(sending, "FIRST_RETRY_S", 0.05)
    receiver.status = 503
    with world({"me": hook(receiver.url)}, real=True) as made:
        made.sender.put([notice("a")])
        until(lambda: receiver.refused >= 3, "some tries")
        (facts,) = made.sender.facts()
        assert facts["error"] == "answered 503 Service Unavailable"
        assert facts["waiting"] == 1
        receiver.status = 200
        made.sender.put([notice("b")])
        until(lambda: made.ended(SENT) == ["a", "b"], "both")
        until(lambda: len(made.events) == 2, "two events")
        assert [kind for kind, _ in made.events] == ["notify_failing", "notify_recovered"]
        assert receiver.headers[0]["X-Sensorlogd-Message"] == receiver.messages[0]["message"]
        assert receiver.headers[0]["Content-Type"].startswith("application/json")


def test_it_is_given_up_after_days_and_that_is_an_event(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not before, and not because the clock was set."""
    monkeypatch.setattr(sending, "FIRST_RETRY_S", 0.01)
    monkeypatch.setattr(sending, "MAX_RETRY_S", 0.02)
    with world({"me": options(give_up="1h")}) as made:
        made.error = "no route"
        made.sender.put([notice("old", made_us=NOON_US - 7_200_000_000), notice("new")])
        until(lambda: made.ended(GIVEN_UP), "one to be given up")
        assert made.ended(GIVEN_UP) == ["old"]
        assert len(made.ended(WAITING)) >= 2 * 9
        until(lambda: [kind for kind, _ in made.events] == ["notify_failing", "notify_given_up"], "two events")
        (facts,) = made.sender.facts()
        assert facts["waiting"] == 1


def test_a_slow_target_delays_no_other_and_not_the_end(receiver: Receiver) -> None:
    """It is left behind at the end, and what it had is sent by the next run."""
    receiver.gate.clear()
    slow, quick = [], []
    with Receiver() as other:
        made = World({"slow": hook(receiver.url), "quick": hook(other.url)}, real=True)
        made.sender.put([notice("a", "slow"), notice("b", "quick")])
        quick = until(lambda: made.ended(SENT), "the quick one")
        began = time.monotonic()
        made.sender.stop(0.2)
        assert time.monotonic() - began < 5
        slow = made.ended(SENT)
    assert (quick, slow) == (["b"], ["b"])
    receiver.gate.set()
    until(lambda: not any(thread.name.startswith("notify-") for thread in threading.enumerate()), "its thread to end")


def test_what_waits_for_a_target_that_is_removed_is_given_up(receiver: Receiver) -> None:
    """And said so in its row, and in an event, also of what the next run finds."""
    with world({"me": options(group="1h"), "you": options()}) as made:
        made.sender.put([notice("a")])
        made.sender.use({"you": options()}, "UTC", "here")
        made.sender.put([notice("b"), notice("c", "you")])
        until(lambda: made.ended(SENT), "the other one")
        assert sorted(made.ended(GIVEN_UP)) == ["a", "b"]
        detail = "me: 1 notifications were not delivered: there is no such target any more"
        assert made.events == [("notify_given_up", detail), ("notify_given_up", detail)]


@pytest.mark.parametrize(("patience", "messages"), [(True, 4), (5.0, 4), (20.0, 1), (0.0, 21), (None, 21)])
def test_sensors_that_fall_silent_over_an_interval_are_one_message(
    patience: Any, messages: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Polled in turn, a second after each other; rows of an older release say ``true``."""
    hour = Hour()
    monkeypatch.setattr(sending, "time", hour)
    with world({"me": TargetOptions.model_validate({"command": ["true"]})}) as made:
        for second in range(21):
            hour.now = float(second)
            made.sender.put([notice(f"s{second}", patient=patience)])
            target = made.sender._targets["me"]
            hour.now = second + 0.9
            with target._changed:
                is_due = target._wait_s() <= 0
                target._changed.notify()
            if is_due:
                until(lambda: not target.facts()["waiting"], "the message")  # noqa: B023  # called at once
        hour.now = 60.0
        with target._changed:
            target._changed.notify()
        until(lambda: len(made.ended(SENT)) == 21, "all")
        assert len(made.sent) == messages


@pytest.mark.parametrize(("heartbeat_s", "patience_s"), [(3, 5.0), (30, 10.0), (180, 60.0), (86_400, 60.0)])
def test_silence_is_waited_for_by_a_third_of_the_heartbeat(heartbeat_s: int, patience_s: float) -> None:
    """Which is an interval, unless it is written otherwise."""
    (definition,) = plan_of({"a": {"series": "s.x", "when": "missing", "notify": "me"}}).definitions
    alarm = Alarm(definition, "s.x", replace(definition.series[0], heartbeat_us=heartbeat_s * 1_000_000))
    announcement = Announcement(alarm, "raised", ("me",), NOON_US, NOON_US, AlarmState.UNACKNOWLEDGED, None, "")
    (row,) = notifications.of(announcement, {"me": options()}, "UTC")
    assert row.body["patient"] == patience_s


def test_an_alarm_that_flaps_for_a_week_fills_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the target fails only the newest wait; that is one event, and each that was given up is stored so."""
    monkeypatch.setattr(sending, "MAX_WAITING_NOTICES", 100)
    with world({"me": options()}) as made:
        made.error = "no route"
        made.sender.put(notice(f"n{n}") for n in range(1_000))
        assert made.ended(GIVEN_UP) == [f"n{n}" for n in range(900)]
        (facts,) = made.sender.facts()
        assert facts["waiting"] == 100
        assert [text for kind, text in made.events if kind == "notify_given_up"] == [
            "me: more than 100 wait; the oldest are given up until it takes some"
        ]
        made.error = ""
        made.sender.use({"me": options(timeout="9s")}, "UTC", "here")  # perhaps it was mended
        until(lambda: len(made.ended(SENT)) == 100, "the newest")
        assert made.ended(SENT)[-1] == "n999"


def test_a_receiver_that_is_down_for_an_hour_hears_all_of_it_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour of the clock that waits go by: a dozen tries, two events, one message."""
    hour = Hour()
    monkeypatch.setattr(sending, "time", hour)
    with world({"me": options()}) as made:
        made.error = "no route"
        made.sender.put([notice("a"), notice("b")])
        target = made.sender._targets["me"]

        def has_tried_again(tries: int) -> bool:
            return len(made.ended(WAITING)) > tries

        while hour.now < 3_600:
            until(partial(has_tried_again, len(made.ended(WAITING))), "a try")
            until(lambda: target._retry_at > hour.now, "the wait for the next")
            hour.now = target._retry_at
            made.error = "" if hour.now >= 3_600 else made.error
            with target._changed:
                target._changed.notify()
        until(lambda: made.ended(SENT) == ["a", "b"], "both")
        assert len(made.ended(WAITING)) // 2 < 15
        assert [kind for kind, _ in made.events] == ["notify_failing", "notify_recovered"]
        assert [len(message["alarms"]) for _, message in made.sent] == [2]


# ---- ways --------------------------------------------------------------------------------------------------------------


def message() -> dict[str, Any]:
    return notifications.message([notice("a")], "me", "here")


def test_a_command_gets_json_on_its_standard_input(tmp_path: Path) -> None:
    """One object and a line end."""
    target = tmp_path / "got.json"
    targets.send(options(command=["sh", "-c", f"cat > {target}"]), message())
    assert json.loads(target.read_text())["alarms"][0]["alarm"] == "a"


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (["sh", "-c", "echo out of paper >&2; exit 3"], "sh ended with 3: out of paper"),
        (
            ["/nowhere/at-all"],
            "/nowhere/at-all cannot be started: No such file or directory; write its full path, it must be executable",
        ),
        (["sh", "-c", "sleep 100 & wait"], "sh did not end within 0.3 s"),
        (["false"], "false ended with 1: and said nothing"),
    ],
)
def test_a_command_that_fails_says_why(command: list[str], why: str) -> None:
    """One that does not end is ended, with what it has started."""
    with pytest.raises(targets.SendError) as caught:
        targets.send(options(command=command, timeout="300ms"), message())
    assert str(caught.value) == why


def test_a_web_hook_is_not_led_elsewhere(receiver: Receiver) -> None:
    """A redirect could take what it holds to somebody else."""
    receiver.status = 302
    with pytest.raises(targets.SendError, match="answered 302"):
        targets.send(hook(receiver.url), message())


def test_tokens_and_headers_are_sent_and_files_read(receiver: Receiver, tmp_path: Path) -> None:
    """A file is read at each try: a token that was exchanged needs no reload."""
    (tmp_path / "token").write_text("s3cret\n")
    (tmp_path / "url").write_text(receiver.url)
    target = TargetOptions.model_validate(
        {"webhook_file": str(tmp_path / "url"), "token_file": str(tmp_path / "token"), "headers": {"X-Room": "4"}}
    )
    targets.send(target, message())
    assert receiver.headers[0]["Authorization"] == "Bearer s3cret"
    assert receiver.headers[0]["X-Room"] == "4"


@pytest.mark.parametrize(
    "url", ["http://user:hunter2pass@127.0.0.1:9/hook/t0psecret?key=sekret99", "http://127.0.0.1:9/t0psecret", "http://[::1"]
)
def test_errors_hold_no_secret(url: str, tmp_path: Path) -> None:
    """Whatever part of the address a library repeats."""
    (tmp_path / "url").write_text(url)
    with pytest.raises(targets.SendError) as caught:
        targets.send(TargetOptions.model_validate({"webhook_file": str(tmp_path / "url"), "timeout": "1s"}), message())
    for secret in ("hunter2pass", "t0psecret", "sekret99"):
        assert secret not in str(caught.value)


FAKE = """
import json, os, types
NotifyType = types.SimpleNamespace(INFO="info", WARNING="warning", FAILURE="failure", SUCCESS="success")

class Apprise:
    def add(self, address):
        return "://" in address

    def notify(self, **said):
        import logging
        logging.getLogger("apprise").warning("the topic is closed")
        json.dump(said, open(os.environ["SAID"], "w"))
        return "good" in said["body"] or os.environ.get("GOOD") == "1"
"""


@pytest.fixture
def fake_apprise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The names that are used of Apprise, as its documentation has them; the file that gets what it was told."""
    (tmp_path / "apprise.py").write_text(FAKE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("SAID", str(tmp_path / "said"))
    return tmp_path / "said"


def test_apprise_gets_title_text_and_kind(fake_apprise: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And its refusal is a failure, with the reason that it gives."""
    target = TargetOptions.model_validate({"apprise": "ntfys://cellar-4711"})
    with pytest.raises(targets.SendError, match="could not deliver it: the topic is closed"):
        targets.send(target, message())
    monkeypatch.setenv("GOOD", "1")
    targets.send(target, message())
    said = json.loads(fake_apprise.read_text())
    assert (said["notify_type"], said["title"]) == ("warning", "here: warning: a")
    with pytest.raises(targets.SendError, match="does not understand") as caught:
        targets.send(TargetOptions.model_validate({"apprise": "secretnonsense"}), message())
    assert "secretnonsense" not in str(caught.value)


def test_without_apprise_the_cure_is_told(fake_apprise: Path) -> None:
    """It is an extra."""
    fake_apprise.with_name("apprise.py").write_text("raise ImportError")
    with pytest.raises(targets.SendError, match=r"Apprise is not installed: .* install .*apprise"):
        targets.send(TargetOptions.model_validate({"apprise": "ntfys://topic"}), message())


class Mailbox:
    """What an SMTP server of ours was given."""

    def __init__(self) -> None:
        self.mails: list[str] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.mails.append(envelope.content.decode())
        return "250 taken"


def test_a_mail_goes_through_the_real_library_to_a_real_server() -> None:
    """Apprise and SMTP, on loopback."""
    needs.module("apprise")
    controller = needs.module("aiosmtpd.controller")
    box = Mailbox()
    server = controller.Controller(box, hostname="127.0.0.1", port=free_port())
    server.start()
    try:
        address = f"mailto://127.0.0.1:{server.port}/?from=log@example.org&to=me@example.org"
        targets.send(TargetOptions.model_validate({"apprise": address}), message())
        (mail,) = until(lambda: box.mails, "a mail")
    finally:
        server.stop()
    assert "Subject: here: warning: a" in mail
    assert "a is too hot" in mail
