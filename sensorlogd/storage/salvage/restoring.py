"""Rows of a damaged file into the live tables; the caller owns the transaction, and repeating it changes nothing.

What is there already stays: it was committed later, or it is the same. Nothing older than a cut comes back. Roll-ups of
what comes back are noted as outdated, one row a series, never by a mark a minute.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sensorlogd.calibration import curves
from sensorlogd.storage import calibrations as stored_calibrations
from sensorlogd.storage import cuts
from sensorlogd.storage.corrections import mend_rows, originals
from sensorlogd.storage.corrections.change import Change
from sensorlogd.storage.corrections.mend_rows import NewMend
from sensorlogd.storage.cuts import Cut
from sensorlogd.storage.ingest import latest
from sensorlogd.storage.reading_tables import storing
from sensorlogd.storage.reading_tables.storing import SeriesFirst
from sensorlogd.storage.rollups import outdated, resolutions, stored_rollups
from sensorlogd.storage.salvage import plausible
from sensorlogd.storage.salvage.former import Former
from sensorlogd.storage.salvage.names import LiveIds, SalvageMemory
from sensorlogd.storage.salvage.reading import Row
from sensorlogd.storage.watermarks import Frontier


@dataclass(frozen=True, slots=True)
class Restored:
    """What happened to some rows: how many were ``stored``, make no sense, have expired in the live log, or belong to a mend that is
    lost. ``shortened``: sentences about mends that were not finished."""

    stored: int = 0
    nonsense: int = 0
    expired: int = 0
    without_mend: int = 0
    shortened: tuple[str, ...] = ()


# ---- cuts --------------------------------------------------------------------------------------------------------------


def raise_cuts(conn: sqlite3.Connection, frontier: Frontier, of_live: Sequence[Cut], now_us: int) -> int:
    """Store cuts of live series; none is lowered. The frontier knows them at once. Returns how many were refused because they lie
    in the future: they would make every reading expire that there is."""
    past = [cut for cut in of_live if cut[2] <= now_us]
    cuts.raise_to(conn, past)
    for series, resolution, cut in past:
        if resolution == cuts.READINGS:
            frontier.cuts_us[series] = max(cut, frontier.cuts_us.get(series, cut))
    return len(of_live) - len(past)


def kept_from(conn: sqlite3.Connection, series: int, resolution: int = cuts.READINGS) -> int | None:
    """Older ones have expired in the live log; see ``cuts.kept_from``."""
    cut = cuts.of_series(conn, series, resolution)
    return None if cut is None else cuts.kept_from(cut)


# ---- readings ----------------------------------------------------------------------------------------------------------


def readings(conn: sqlite3.Connection, frontier: Frontier, rows: Sequence[SeriesFirst], made_us: int, now_us: int) -> Restored:
    """``made_us``: when the damaged file was set aside; what it holds arrived before."""
    froms = {series: kept_from(conn, series) for series in {row[0] for row in rows}}
    kept = [row for row in rows if (since := froms[row[0]]) is None or row[1] >= since]
    stored = storing.insert_many(conn, frontier, kept)
    if stored:
        _renew_what_follows(conn, frontier, kept, made_us, now_us)
    return Restored(stored, expired=len(rows) - len(kept))


def _renew_what_follows(
    conn: sqlite3.Connection, frontier: Frontier, rows: Sequence[SeriesFirst], made_us: int, now_us: int
) -> None:
    """What depends on readings: the newest of each series, and roll-ups, from the first one on."""
    first: dict[int, int] = {}
    newest: dict[int, SeriesFirst] = {}
    for row in rows:
        series, ts = row[:2]
        if ts < first.get(series, frontier.edge_us):
            first[series] = ts
        if series not in newest or ts > newest[series][1]:
            newest[series] = row
    outdated.mark_each(conn, first, now_us)
    latest.save_salvaged(conn, newest.values(), made_us)


# ---- calibrations, mends, events ---------------------------------------------------------------------------------------


def calibrations(conn: sqlite3.Connection, names: LiveIds, rows: Sequence[Row], made_us: int) -> Restored:
    """``made_us``: when the damaged file was set aside."""
    stored = nonsense = 0
    for row in rows:
        if not plausible.is_calibration(row):
            nonsense += 1
            continue
        series, valid_from, scale, offset, curve = row
        stored += stored_calibrations.bring_back(conn, names.of(series), valid_from, (scale, offset, curve), made_us)
    return Restored(stored, nonsense)


def mends(conn: sqlite3.Connection, names: LiveIds, kept: SalvageMemory, rows: Sequence[Row]) -> Restored:
    """Their ids stay, unless they are taken."""
    stored, nonsense = 0, 0
    shortened: list[str] = []
    for row in rows:
        if not plausible.is_mend(row):
            nonsense += 1
            continue
        identity, series = row[0], row[2]
        new = _mend_from_row(row, names.of(series))
        if new.done_us is None and new.undone_us is None:
            new = replace(new, until_us=new.at_us, done_us=new.made_us)
            shortened.append(f"mend {identity} of {names.former_name(series)} was not finished: it ends at its last change")
        live = mend_rows.find_same(conn, new)
        if live is None:
            try:
                live = mend_rows.insert(conn, new, _free_mend(conn, kept, identity))
            except sqlite3.IntegrityError:
                nonsense += 1
                continue
            stored += 1
        kept.mends[str(identity)] = live
    return Restored(stored, nonsense, shortened=tuple(shortened))


def _mend_from_row(row: Row, live: int) -> NewMend:
    """What a plausible row says, as a mend of the series ``live``."""
    _, made, _, since, until, quality, scale, offset, note, at_us, count, done, undone, kind, curve = row
    change = Change(
        quality,
        1.0 if scale is None else scale,
        0.0 if offset is None else offset,
        curves.parse(curve) if plausible.is_curve(curve) else None,
    )
    return NewMend(
        kind=plausible.mend_kind(kind), made_us=made, series=live, since_us=since, until_us=until, at_us=at_us, change=change,
        note=note, readings=count, done_us=done, undone_us=undone,
    )  # fmt: skip


def _free_mend(conn: sqlite3.Connection, kept: SalvageMemory, identity: int) -> int:
    """An id in the order in which mends were made, because later ones are taken back first: those here are all later."""
    restored = set(kept.mends.values())
    lowest = mend_rows.lowest_id(conn, restored)
    highest = max(restored, default=None)
    if (lowest is None or identity < lowest) and (highest is None or identity > highest):
        return identity
    # Below the live ones and above those that came back before: far enough below for all of them.
    return min(lowest or 0, 0) - (1 << 30) + identity


def mended(conn: sqlite3.Connection, kept: SalvageMemory, mend: int, rows: Sequence[Row]) -> Restored:
    """Bring back what readings were before a mend, the former ``mend``."""
    live = kept.mends.get(str(mend))
    if live is None:
        return Restored(without_mend=len(rows))
    sound = [row for row in rows if plausible.is_mended(*row)]
    originals.bring_back(conn, live, sound)
    return Restored(nonsense=len(rows) - len(sound))


def events(conn: sqlite3.Connection, kept: SalvageMemory, former: Former, rows: Sequence[Row]) -> Restored:
    """Their ids are below those of the live log: whoever follows it does not take them
    for new. Ids that a former salvage gave are 0 or less; they are shifted like the others."""
    if kept.event_shift is None:
        (lowest,) = conn.execute("SELECT coalesce(min(id), 1) FROM event").fetchone()
        kept.event_shift = min(lowest, 1) - 1 - former.newest_event
    stored = nonsense = 0
    for row in rows:
        if not plausible.is_event(row, former.newest_event):
            nonsense += 1
            continue
        identity, ts, kind, sensor, detail = row
        stored += conn.execute(
            "INSERT INTO event(id, ts, kind, sensor, detail) SELECT ?1, ?2, ?3, ?4, ?5 WHERE NOT EXISTS (SELECT 1 FROM event"
            " WHERE ts = ?2 AND kind = ?3 AND sensor IS ?4 AND detail = ?5) ON CONFLICT DO NOTHING",
            (identity + kept.event_shift, ts, kind, sensor, detail),
        ).rowcount
    return Restored(stored, nonsense)


# ---- roll-ups ----------------------------------------------------------------------------------------------------------


def begin_rollups(conn: sqlite3.Connection, frontier: Frontier, former: Former, series: int, live: int, hole_until: int) -> None:
    """Readings of this series are missing up to ``hole_until``: the roll-ups there are better than what readings give, so
    only later ones are computed anew, and before it the minutes that were to be healed there. May be repeated."""
    valid_until = former.valid_until(series)
    until = hole_until if valid_until is None else min(hole_until, valid_until)
    if outdated.pass_over(conn, live, until):
        minutes = sorted({start for start in former.dirty.get(series, ()) if start < until})
        outdated.mark_minutes(conn, frontier, [(live, start) for start in minutes])


def rollups(
    conn: sqlite3.Connection,
    former: Former,
    series: int,
    live: int,
    resolution: int,
    rows: Sequence[Row],
    hole_until: int | None,
    zone: str,
) -> Restored:
    """Bring back those whose readings have expired or are lost. ``zone``: of their days."""
    readings_from, resolution_from = kept_from(conn, live), kept_from(conn, live, resolution)
    valid_until, dirty = former.valid_until(series), sorted(former.dirty.get(series, ()))
    stored = nonsense = expired = 0
    for row in rows:
        start = row[0]
        if not plausible.is_rollup(resolution, row):
            nonsense += 1
            continue
        if resolution_from is not None and start < resolution_from:
            expired += 1
            continue
        if readings_from is None or start >= readings_from:
            end = resolutions.bucket(start, resolution, zone)[1]
            is_wrong = (valid_until is not None and end > valid_until) or any(start <= minute < end for minute in dirty)
            if hole_until is None or start >= hole_until or is_wrong or end > (former.edge_us or end):
                continue
        stored += stored_rollups.store_if_better(conn, (live, resolution, *row))
    return Restored(stored, nonsense, expired)
