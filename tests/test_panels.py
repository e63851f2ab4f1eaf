"""Named views: whatever they are called, one file that is bounded and can be read again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorlogd import panels


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("panels") / panels.FILE


@given(st.lists(st.text(max_size=100), max_size=6))
def test_what_is_saved_under_any_name_is_found_again(path: Path, names: list[str]) -> None:
    """Each once, under a name of one printable line; and it can be deleted."""
    path.unlink(missing_ok=True)
    wanted = set()
    for name in names:
        try:
            panel = panels.panel(name, "#/chart?s=a", 5)
        except panels.PanelsError:
            continue
        panels.save(path, panel)
        wanted.add(panel.name)
    found = panels.read(path)
    assert [panel.name for panel in found] == sorted(wanted)
    assert all(panel.name.isprintable() for panel in found)
    assert {entry.name for entry in path.parent.iterdir()} <= {panels.FILE}
    for panel in found:
        panels.delete(path, panel.name)
    assert panels.read(path) == []


def test_there_are_not_too_many(tmp_path: Path) -> None:
    """One that is there may be replaced even then."""
    path = tmp_path / panels.FILE
    rows = [{"name": f"n{n}", "view": "#/", "saved_us": n} for n in range(panels.MOST)]
    path.write_text(json.dumps({"panels": rows}))
    with pytest.raises(panels.PanelsError, match="delete one first"):
        panels.save(path, panels.panel("more", "#/", 1))
    panels.save(path, panels.panel("n7", "#/year", 1))
    assert len(panels.read(path)) == panels.MOST
    assert path.stat().st_size < panels.MOST_BYTES


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{", b'{"panels": 5}', b'{"panels": [{}]}', b"\xff", b"[" * 100_000, b"x" * 3_000_000,
     b'{"panels": [{"name": "x", "view": "javascript:alert(1)", "saved_us": 1}]}'],
    ids=range(9),
)  # fmt: skip
def test_a_file_that_nobody_wrote_so_is_left_alone(tmp_path: Path, content: bytes) -> None:
    """It is told, and not overwritten."""
    path = tmp_path / panels.FILE
    path.write_bytes(content)
    with pytest.raises(panels.PanelsError, match=r"panels\.json"):
        panels.save(path, panels.panel("x", "#/", 1))
    assert path.read_bytes() == content
