"""Alarms over HTTP: the API, metrics, and what Grafana asks of a Prometheus."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sensorlogd.storage.alarms import changes, notifications, states
from sensorlogd.storage.alarms.changes import ChangeRow
from sensorlogd.storage.alarms.notifications import NoticeRow, NotificationOutcome
from sensorlogd.storage.alarms.states import AlarmRow
from sensorlogd.web.settings import Settings
from tests.connections import connect_writer
from tests.web.conftest import T0, S, make_database, serving

DEFINITION = '{"clear": ["value", "<", 28.0, 0, 0], "for": 0, "when": ["value", ">", 30.0, 0, 0]}'
NORMAL = AlarmRow(
    "hot", "lab.t", "{}", "> 30", "critical", "°C", "normal", T0, None, 0, 0, 0, 0, 0, None, "", 0, "", 0, None, "open a window"
)  # fmt: skip


def with_alarms(fresh: Path, path: Path) -> Path:
    make_database(fresh, path)
    conn = connect_writer(path)
    conn.execute("BEGIN IMMEDIATE")
    raised = replace(
        NORMAL, subject="lab.t", definition=DEFINITION, state="unacknowledged", value=31.5, raised_us=T0 + 60 * S, raises=2
    )
    muted = replace(raised, subject="roof.t", shelved_until_at=5, shelved_until_us=T0 + 7200 * S)
    changes.add(
        conn,
        [
            ChangeRow(T0 + 60 * S, "hot", "lab.t", "raised", "pending", "unacknowledged", 31.5, ""),
            ChangeRow(T0 + 90 * S, "hot", "roof.t", "raised", "pending", "unacknowledged", 31.5, ""),
            ChangeRow(T0 + 120 * S, "hot", "lab.t", "returned", "unacknowledged", "returned unacknowledged", 20.0, ""),
        ],
    )
    states.save(conn, [raised, muted, replace(NORMAL, subject="lab.n", state="pending"), replace(NORMAL, name="cold")])
    rows = [NoticeRow(f"n{n}", "me", "raised", "hot", "lab.t", T0, {}, notifications.WAITING, 0) for n in range(3)]
    notifications.add(conn, rows)
    notifications.end(conn, [NotificationOutcome("n0", notifications.SENT, 1, T0, "m", "")])
    conn.execute("COMMIT")
    conn.close()
    return path


def test_alarms_are_told_everywhere(fresh: Path, tmp_path: Path) -> None:
    """What wants to be seen first comes first."""
    with serving(Settings(with_alarms(fresh, tmp_path / "log.db"))) as served:
        rows = served.get("/api/v1/alarms")["alarms"]
        assert [(row["alarm"], row["series"], row["state"]) for row in rows] == [
            ("hot", "lab.t", "unacknowledged"),
            ("hot", "roof.t", "shelved"),
            ("hot", "lab.n", "pending"),
            ("cold", "lab.t", "normal"),
        ]
        assert rows[0]["value"] == 31.5
        assert rows[0]["last_raised"].startswith("2026-03-29T00:01:00")
        assert (rows[0]["limit"], rows[0]["clear_limit"]) == (30.0, 28.0)
        assert rows[3]["limit"] is None  # a definition of another release
        assert len(served.get("/api/v1/alarms", state="raised")["alarms"]) == 2
        firing = served.get("/prometheus/api/v1/alerts")["data"]["alerts"]
        assert [(alert["labels"]["sensor"], alert["state"]) for alert in firing] == [
            ("lab", "firing"),
            ("roof", "firing"),
            ("lab", "pending"),
        ]
        assert firing[1]["labels"]["shelved"] == "true"
        ((group,),) = [served.get("/prometheus/api/v1/rules")["data"]["groups"]]
        assert [(rule["name"], rule["state"], len(rule["alerts"])) for rule in group["rules"]] == [
            ("cold", "inactive", 0),
            ("hot", "firing", 3),
        ]
        metrics = served.client.get("/metrics").text
    assert 'ALERTS{alertname="hot",alertstate="firing",channel="t",sensor="lab",severity="critical"} 1.0' in metrics
    assert 'sensorlogd_alarms{state="shelved"} 1.0' in metrics
    assert 'sensorlogd_notifications_waiting{target="me"} 2.0' in metrics
    assert 'sensorlogd_notifications_total{outcome="sent",target="me"} 1.0' in metrics


def test_when_alarms_were_raised_by_range_and_series(fresh: Path, tmp_path: Path) -> None:
    """A chart shades these; one that is not over has no end."""
    with serving(Settings(with_alarms(fresh, tmp_path / "log.db"))) as served:

        def periods(**params: str) -> list[tuple[str, float, float | None]]:
            found = served.get("/api/v1/alarm_periods", time="s", since=str(T0), until=str(T0 + 3600 * S), **params)
            return [
                (period["series"], period["since"] - T0 / S, period["until"] and period["until"] - T0 / S)
                for period in found["periods"]
            ]

        assert periods() == [("lab.t", 60, 120), ("roof.t", 90, None)]
        assert periods(series="lab") == [("lab.t", 60, 120)]
        assert periods(series="roof.*") == [("roof.t", 90, None)]
        assert served.client.get("/api/v1/alarm_periods", params={"since": "now", "until": "-1h"}).status_code == 400
