"""Named views: whatever they are called, one file that is bounded and can be read again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorlogd import saved_views


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("panels") / saved_views.FILE


@given(st.lists(st.text(max_size=100), max_size=6))
def test_what_is_saved_under_any_name_is_found_again(path: Path, names: list[str]) -> None:
    """Each once, under a name of one printable line; and it can be deleted."""
    path.unlink(missing_ok=True)
    wanted = set()
    for name in names:
        try:
            view = saved_views.saved_view(name, "#/chart?s=a", 5)
        except saved_views.SavedViewError:
            continue
        saved_views.save(path, view)
        wanted.add(view.name)
    found = saved_views.read(path)
    assert [view.name for view in found] == sorted(wanted)
    assert all(view.name.isprintable() for view in found)
    assert {entry.name for entry in path.parent.iterdir()} <= {saved_views.FILE}
    for view in found:
        saved_views.delete(path, view.name)
    assert saved_views.read(path) == []


def test_there_are_not_too_many(tmp_path: Path) -> None:
    """One that is there may be replaced even then."""
    path = tmp_path / saved_views.FILE
    rows = [{"name": f"n{n}", "view": "#/", "saved_us": n} for n in range(saved_views.MAX_VIEWS)]
    path.write_text(json.dumps({"panels": rows}))
    with pytest.raises(saved_views.SavedViewError, match="delete one first"):
        saved_views.save(path, saved_views.saved_view("more", "#/", 1))
    saved_views.save(path, saved_views.saved_view("n7", "#/year", 1))
    assert len(saved_views.read(path)) == saved_views.MAX_VIEWS
    assert path.stat().st_size < saved_views.MAX_FILE_BYTES


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{", b'{"panels": 5}', b'{"panels": [{}]}', b"\xff", b"[" * 100_000, b"x" * 3_000_000,
     b'{"panels": [{"name": "x", "view": "javascript:alert(1)", "saved_us": 1}]}'],
    ids=range(9),
)  # fmt: skip
def test_a_file_that_nobody_wrote_so_is_left_alone(tmp_path: Path, content: bytes) -> None:
    """It is told, and not overwritten."""
    path = tmp_path / saved_views.FILE
    path.write_bytes(content)
    with pytest.raises(saved_views.SavedViewError, match=r"panels\.json"):
        saved_views.save(path, saved_views.saved_view("x", "#/", 1))
    assert path.read_bytes() == content
