"""A column that is added to the roll-ups is not forgotten where columns are told apart by name."""

from __future__ import annotations

from sensorlogd.storage.maintenance.inspection import CLOSE, EXACT
from sensorlogd.storage.migrations.tables import metadata
from sensorlogd.storage.rollups.rollup import RollUp
from sensorlogd.storage.rollups.stored_rollups import CHANGED, UNCHANGED


def test_every_column_has_its_table_its_conversion_and_its_check() -> None:
    """What is forgotten in a conversion of units would be wrong in silence."""
    columns = set(RollUp._fields)
    table = {column.name for column in metadata.tables["rollup"].columns} - {"series_id", "resolution", "start"}
    assert columns == table, "the fields of RollUp are the columns in storage/migrations/tables.py"
    assert not CHANGED.keys() & UNCHANGED
    assert columns == CHANGED.keys() | UNCHANGED, (
        "say in corrections/conversion_work.py how another unit changes a column, or that it does not"
    )
    assert columns == set(EXACT) | set(CLOSE), "say in maintenance/inspection.py how 'db check' compares a column"
