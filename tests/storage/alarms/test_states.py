"""The stored states of alarms, in the order in which people want them."""

from __future__ import annotations

import sqlite3

from sensorlogd.storage.alarms import states


def test_what_needs_attention_comes_first_and_an_unknown_state_before_all(conn: sqlite3.Connection) -> None:
    """A newer release may have stored one: the others are shown all the same."""
    for state in ("normal", "acknowledged", "latched", "unacknowledged"):
        conn.execute(
            "INSERT INTO alarm(name, subject, definition, condition, severity, state, since_us) VALUES (?, 's', '{}', 'c', 'high', ?, 1)",
            (f"a {state}", state),
        )
    assert [row.state for row in states.by_urgency(conn)] == ["latched", "unacknowledged", "acknowledged", "normal"]
