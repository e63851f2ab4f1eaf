"""Files that change while ``import`` reads them."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from sensorlogd.cli import import_reading
from sensorlogd.cli.import_options import GivenOptions
from sensorlogd.cli.import_verb import import_
from sensorlogd.exchange import opening
from sensorlogd.exchange.text.lines import FileError


def given(*words: str) -> GivenOptions:
    """The options as the shell gives them."""
    found = dict(import_.make_context("import", list(words)).params)
    return GivenOptions(**{name: value for name, value in found.items() if name not in ("files", "db", "config_file")})


def read(path: Path) -> int:
    """How many readings a file has."""
    options = given(str(path), "--time", "t", "--sensor", "s")
    with ExitStack() as stack:
        return import_reading.read(str(path), stack, options.file_options(), options).sorter.readings


@pytest.mark.parametrize(("last", "is_refused"), [("2026-01-02,2", True), ("2026-01-02,2\n", False)])
def test_a_line_that_is_being_written_is_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: str, is_refused: bool
) -> None:
    """``2`` may be the beginning of ``21.5``."""
    path = tmp_path / "f.csv"
    path.write_text("t,x\n2026-01-01,1\n")

    def opened(*arguments: Any) -> Any:
        with path.open("a") as file:
            file.write(last)
        return opening_of_a_file(*arguments)

    opening_of_a_file = opening.opened
    monkeypatch.setattr(opening, "opened", opened)
    if is_refused:
        with pytest.raises(FileError, match=r"f.csv:3: this last line has no end, and the file has grown while it was read"):
            read(path)
    else:
        assert read(path) == 2


def test_a_last_line_without_an_end_is_imported_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A program that writes whole blocks leaves half a line, too."""
    path = tmp_path / "f.csv"
    path.write_text("t,x\n2026-01-01,1\n2026-01-02,2")
    assert read(path) == 2
    assert "the last line (3) has no end; if something still writes to the file, import it again" in capsys.readouterr().err
    path.write_text("t,x\n2026-01-01,1\n2026-01-02,2\n")
    assert read(path) == 2
    assert "has no end" not in capsys.readouterr().err
