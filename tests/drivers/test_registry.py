"""Which driver a name means, and what happens when it cannot be had."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from sensorlogd.config.loader import DriverUnavailable
from sensorlogd.drivers.registry import BUILT_IN, GROUP, driver_class, names, options_for
from sensorlogd.drivers.serial import SerialDriver

ROOT = Path(__file__).parents[2]
ACME = """
from collections.abc import Sequence
from sensorlogd.batch import Sample
from sensorlogd.config.models import SensorOptions
from sensorlogd.drivers.contract import Driver

class Acme(Driver):
    Options = SensorOptions
    def open(self) -> None: ...
    def read(self, timeout_s: float) -> Sequence[Sample]:
        return [Sample(None, {"x": 1.0})]
    def close(self) -> None: ...

class NotOne: ...
"""


def test_built_in_drivers_are_known() -> None:
    """Also from a plain checkout, without installed entry points."""
    assert {"serial", "simulated"} <= set(names())
    assert driver_class("serial", Path()) is SerialDriver


def test_a_built_in_driver_is_entered_everywhere() -> None:
    """By name (a plain checkout has no entry points), as an entry point (what others look up), and on a page."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["entry-points"][GROUP] == BUILT_IN, "BUILT_IN in drivers/registry.py and pyproject.toml differ"
    page = (ROOT / "docs" / "drivers.md").read_text()
    missing = [name for name in BUILT_IN if f"## `{name}`" not in page]
    assert not missing, f"docs/drivers.md has no section '## `NAME`' of {missing}"
    tests = "".join(path.read_text() for path in (ROOT / "tests" / "drivers").rglob("test_*.py"))
    tried = set(re.findall(r"check_driver\(\s*(?:driver_class\(\"(\w+)\"|(\w+))", tests))
    untried = [name for name, found in BUILT_IN.items() if not tried & {(name, ""), ("", found.partition(":")[2])}]
    assert not untried, f"no test in tests/drivers puts {untried} to check_driver"


def test_a_driver_is_one_file(tmp_path: Path) -> None:
    """path.py:Class, relative to the configuration's folder."""
    (tmp_path / "acme.py").write_text(ACME)
    assert driver_class("acme.py:Acme", tmp_path).__name__ == "Acme"
    assert driver_class(f"{tmp_path}/acme.py:Acme", Path("/")) is driver_class("acme.py:Acme", tmp_path)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("gone.py:X", "No such file"),
        ("acme.py:Nope", "has no class 'Nope'; its drivers: Acme$"),
        ("acme.py:Acne", r"has no class 'Acne' \(did you mean 'Acme'\?\); its drivers: Acme$"),
        ("none.py:Acme", "has no class 'Acme', nor any other that is a driver"),
        ("acme.py:NotOne", "is not a subclass"),
        ("broken.py:X", "cannot be loaded: ZeroDivisionError"),
        ("open.py:Acme", "is writable by others than its owner; chmod go-w"),
    ],
)
def test_a_file_that_is_no_driver_says_why(tmp_path: Path, name: str, reason: str) -> None:
    """The reason names the file and the cure."""
    (tmp_path / "acme.py").write_text(ACME)
    (tmp_path / "broken.py").write_text("1 / 0")
    (tmp_path / "none.py").write_text("from sensorlogd.drivers.contract import Driver\nclass NotOne: ...\n")
    (tmp_path / "open.py").write_text(ACME)
    (tmp_path / "open.py").chmod(0o666)
    with pytest.raises(DriverUnavailable, match=reason):
        driver_class(name, tmp_path)


def test_a_file_that_says_something_else_is_loaded_anew(tmp_path: Path) -> None:
    """Within the same second and at the same length, too; and one that says the same again is the same class."""
    file, name = tmp_path / "acme.py", "acme.py:Acme"
    file.write_text(ACME)
    first = driver_class(name, tmp_path)
    file.write_text(ACME.replace("1.0", "2.0"))
    second = driver_class(name, tmp_path)
    assert second is not first
    assert second is driver_class(name, tmp_path)
    assert list(second.read(None, 0)) != list(first.read(None, 0))  # type: ignore[arg-type]  # ACME's read() uses no self
    file.write_text(ACME)
    assert driver_class(name, tmp_path) is first


def test_a_module_beside_the_file_is_a_part_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that another driver has loaded already, and one that cannot be loaded any more leaves what there was."""
    monkeypatch.syspath_prepend(tmp_path)
    helper = tmp_path / "acme_registers.py"
    acme = "import acme_registers\n" + ACME.replace("1.0", "acme_registers.VALUE")
    for name in ("one.py", "two.py"):
        (tmp_path / name).write_text(acme)
    helper.write_text("VALUE = 1.0\n")
    names = ("one.py:Acme", "two.py:Acme")
    first = [driver_class(name, tmp_path) for name in names]
    assert [driver_class(name, tmp_path) for name in names] == first
    helper.write_text("VALUE = 2.0\n")
    second = [driver_class(name, tmp_path) for name in names]
    read = [[sample.values for sample in driver.read(None, 0)] for driver in (*first, *second)]  # type: ignore[arg-type, union-attr]  # as above
    assert read[0] == read[1] != read[2] == read[3]
    helper.write_text("broken(")
    for name in names:
        with pytest.raises(DriverUnavailable, match="SyntaxError"):
            driver_class(name, tmp_path)
    helper.write_text("VALUE = 2.0\n")
    assert [driver_class(name, tmp_path) for name in names] == second


def test_options_stay_with_the_code_that_validated_them(tmp_path: Path) -> None:
    """A sensor that is started later, after a reload that was refused, gets the class of its own options."""
    own = ACME.replace("class Acme", "class Own(SensorOptions): ...\n\nclass Acme").replace("= SensorOptions", "= Own")
    file, name = tmp_path / "acme.py", "acme.py:Acme"
    file.write_text(own)
    first, options = driver_class(name, tmp_path), options_for(name, tmp_path)(driver=name)
    file.write_text(own.replace("1.0", "2.0"))
    newer = options_for(name, tmp_path)(driver=name)
    file.write_text("broken(")
    assert driver_class(name, tmp_path, options) is first
    assert driver_class(name, tmp_path, newer) is not first


def test_an_unknown_name_gives_the_nearest() -> None:
    """'serail' was meant to be 'serial'."""
    with pytest.raises(ValueError, match="did you mean 'serial'"):
        driver_class("serail", Path())
