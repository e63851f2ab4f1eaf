"""The documentation is true: examples load, every key and verb is there, links lead somewhere, errors read as shown."""

from __future__ import annotations

import ast
import doctest
import importlib.util
import inspect
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from sensorlogd.cli.main import VERBS
from sensorlogd.config.alarms import AlarmOptions, Escalation, TargetOptions
from sensorlogd.config.care import BackupOptions, HeartbeatOptions
from sensorlogd.config.loader import load_text
from sensorlogd.config.models import (
    NAME,
    ChannelOptions,
    DaemonOptions,
    RetentionOptions,
    SensorOptions,
    StorageOptions,
    WebOptions,
)
from sensorlogd.config.profiles import SHIPPED
from sensorlogd.drivers.command import CommandOptions
from sensorlogd.drivers.mbus.driver import MbusOptions
from sensorlogd.drivers.nmea.known import DEFAULT, KNOWN
from sensorlogd.drivers.nmea.options import NmeaDecoding
from sensorlogd.drivers.registry import driver_class, options_for
from sensorlogd.drivers.replay.options import ReplayOptions
from sensorlogd.drivers.serial.checksums import CHECKSUMS
from sensorlogd.drivers.serial.framing.frame_options import (
    BlockFormat,
    Condition,
    FieldOptions,
    FrameChecksum,
    FrameFormat,
    LengthField,
    LineSum,
    ObisFormat,
    Variant,
)
from sensorlogd.drivers.serial.options import (
    ChecksumOptions,
    LineFormat,
    LineOptions,
    NumberOptions,
    PollOptions,
    PortOptions,
    TimeOptions,
)
from sensorlogd.drivers.simulated.faults import Drift, Episode, FaultOptions, Spike
from sensorlogd.drivers.simulated.signals import SignalChoice
from sensorlogd.drivers.sysfs.driver import FileOptions, SysfsOptions
from sensorlogd.storage import meta, watermarks
from sensorlogd.storage.query.aggregates import AGGREGATES

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])


def _blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def _files_of(page: Path, folder: Path) -> None:
    """Write the Python blocks that begin with ``# name.py`` to files of that name."""
    for block in _blocks(page, "python"):
        named = re.match(r"# (\w+\.py)", block)
        if named is not None:
            (folder / named[1]).write_text(block)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_of_configurations_load(page: Path, tmp_path: Path) -> None:
    """Every YAML block with sensors is a valid configuration (the driver in the example's file stands beside it)."""
    _files_of(page, tmp_path)
    for block in _blocks(page, "yaml"):
        text = block.replace("/etc/sensorlogd/drivers/", f"{tmp_path}/")
        config = load_text(text, tmp_path / "example.yaml", options_for)
        assert not config.failed_sensors


def test_the_example_of_a_driver_keeps_to_the_contract(tmp_path: Path) -> None:
    """The page's driver and the page's test of it, run as they stand."""
    _files_of(ROOT / "docs/writing-drivers.md", tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_acme.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "1 passed" in done.stdout, done.stdout
    page = (ROOT / "docs/writing-drivers.md").read_text()
    lines = (tmp_path / "acme.py").read_text().splitlines()
    assert sum(bool(line.strip()) for line in lines) <= 40
    assert "some forty lines" in (ROOT / "docs/drivers.md").read_text()
    assert driver_class(f"{tmp_path}/acme.py:Acme", tmp_path).__name__ in page


def test_the_finding_that_is_shown_is_the_one_that_is_given(tmp_path: Path) -> None:
    """The page says what a driver that sleeps hears."""
    _files_of(ROOT / "docs/writing-drivers.md", tmp_path)
    source = (tmp_path / "acme.py").read_text()
    asleep = "        time.sleep(timeout_s)\n        return [Sample(None, {'temperature': 1.0})]\n"
    source = source.replace("        waiting = select.poll()\n", asleep, 1).replace("import os\n", "import os\nimport time\n", 1)
    (tmp_path / "acme.py").write_text(source)
    (tmp_path / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_acme.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    shown = re.findall(
        r"^```\n(Acme does not keep.*?)^```", (ROOT / "docs/writing-drivers.md").read_text(), re.MULTILINE | re.DOTALL
    )
    for line in shown[0].splitlines():
        assert re.search(re.escape(line.strip()).replace(r"1\.3", r"\d\.\d"), done.stdout), done.stdout


def test_the_example_in_python_gives_what_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """docs/python.md: its file is imported by its command, and its lines are run one after the other."""
    page = ROOT / "docs/python.md"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "greenhouse.csv").write_text(*_blocks(page, "csv"))
    (command,) = _blocks(page, "sh")
    subprocess.run([sys.executable, "-m", *shlex.split(command)], cwd=tmp_path, capture_output=True, check=True)
    (lines,) = _blocks(page, "pycon")
    example = doctest.DocTestParser().get_doctest(lines, {}, page.name, str(page), 0)
    output: list[str] = []
    runner = doctest.DocTestRunner(verbose=False)
    runner.run(example, out=output.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(output)
    assert len(example.examples) > 10


def test_every_word_of_the_interface_in_python_is_explained() -> None:
    """What can be asked of a log, and what is public."""
    from sensorlogd import api

    text = (ROOT / "docs/python.md").read_text()
    for name in (name for name in vars(api.Log) if not name.startswith("_")):
        assert re.search(rf"\b{name}\(", text), name
    errors = [name for name in api.__all__ if isinstance(getattr(api, name), type) and issubclass(getattr(api, name), Exception)]
    assert all(f"`{name}`" in text for name in errors), errors
    for name in inspect.signature(api.Log.query).parameters:
        assert name == "self" or re.search(rf"\b{name}\b", text), name


def test_every_field_of_nmea_is_explained() -> None:
    """With its unit, in docs/cookbook/gps.md."""
    text = (ROOT / "docs/cookbook/gps.md").read_text()
    rows = [line.split("|") for line in text.splitlines() if line.startswith("| `")]
    for name, known in KNOWN.items():
        (row,) = [row for row in rows if f"`{name}`" in row[1]]
        assert known.unit in row[2], name
    assert all(name in text.split("Without `channels:`")[1].split("\n\n")[0] for name in DEFAULT)


@pytest.mark.parametrize(
    ("page", "model"),
    [
        ("configuration.md", model)
        for model in (
            BackupOptions,
            HeartbeatOptions,
            DaemonOptions,
            StorageOptions,
            RetentionOptions,
            WebOptions,
            SensorOptions,
            ChannelOptions,
        )
    ]
    + [
        (page, model)
        for page, models in (
            (
                "drivers.md",
                (
                    PortOptions,
                    SignalChoice,
                    FaultOptions,
                    Episode,
                    Spike,
                    Drift,
                    NmeaDecoding,
                    CommandOptions,
                    SysfsOptions,
                    FileOptions,
                ),
            ),
            ("drivers.md", (ReplayOptions, MbusOptions)),
            ("alarms.md", (AlarmOptions, TargetOptions, Escalation)),
            ("formats.md", (LineFormat, NumberOptions, ChecksumOptions, PollOptions, TimeOptions, LineOptions)),
            (
                "formats.md",
                (FrameFormat, FieldOptions, LengthField, FrameChecksum, Variant, Condition, BlockFormat, LineSum, ObisFormat),
            ),
        )
        for model in models
    ],
)
def test_every_key_is_explained(page: str, model: type[BaseModel]) -> None:
    """A key that is not on its page is a key nobody finds."""
    text = (ROOT / "docs" / page).read_text()
    inherits = issubclass(model, SensorOptions) and model is not SensorOptions
    skipped = set(SensorOptions.model_fields) if inherits else set()
    if model is CommandOptions:
        skipped |= set(LineOptions.model_fields)
    for name, field in model.model_fields.items():
        if name not in skipped:
            assert re.search(rf"\b{re.escape(field.alias or name)}\b", text), f"{page} does not mention {field.alias or name}"


def test_every_verb_and_checksum_is_explained() -> None:
    """In docs/cli.md and docs/formats.md."""
    for page, names in (("cli.md", VERBS), ("formats.md", CHECKSUMS)):
        text = (ROOT / "docs" / page).read_text()
        missing = [name for name in names if f"`{name}`" not in text]
        assert missing == [], f"docs/{page} does not explain {missing}; each needs a row in the table"


def test_every_counter_is_explained() -> None:
    """What drivers count stands on a page, in backquotes; people meet the names in ``status``."""
    pages = "\n".join(page.read_text() for page in PAGES)
    counters = set()
    for file in (ROOT / "sensorlogd" / "drivers").rglob("*.py"):
        if "conformance" not in file.parts:
            for counted in re.findall(r"(?:count|_tally\.add)\(\s*(\"[^,]*),", file.read_text()):
                counters.update(re.findall(r"\"([a-z_]+)\"", counted))
    assert {"bad_lines", "late_answers", "repeated_answers", "unasked_bytes"} <= counters
    assert not {name for name in counters if f"`{name}`" not in pages}


# Counters of the daemon that lose no reading: what was stored, what was asked for, what was put right.
_NO_LOSSES = {"readings", "attempts", "reconnects", "suppressed", "unmapped", "week_rollover"}


def _counted_in(folder: Path) -> set[str]:
    """The counters that the code in ``folder`` adds to by name: ``count("name", n, ...)``."""
    calls = [
        node for file in folder.rglob("*.py") for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)
    ]
    counting = [
        call
        for call in calls
        if getattr(call.func, "attr", getattr(call.func, "id", "")) in {"count", "_count"} and len(call.args) > 1
    ]
    names = [call.args[0] for call in counting]
    return {name.value for name in names if isinstance(name, ast.Constant) and isinstance(name.value, str)}


def test_every_loss_has_a_counter_in_the_promise() -> None:
    """docs/promise.md lists what the daemon counts as lost, and nothing that no code counts; of the drivers' counters, bad_lines."""
    listed = re.findall(r"^- `(\w+)`: ", (ROOT / "docs/promise.md").read_text(), re.MULTILINE)
    counted = _counted_in(ROOT / "sensorlogd/daemon")
    assert counted >= _NO_LOSSES, f"not counted any more: {_NO_LOSSES - counted}"
    assert sorted(listed) == sorted({*(counted - _NO_LOSSES), meta.GIVEN_UP, "bad_lines"})
    assert "bad_lines" in _counted_in(ROOT / "sensorlogd/drivers")


def test_every_key_of_meta_is_explained() -> None:
    """docs/data-model.md lists the keys that ``storage.meta`` and ``storage.watermarks`` name; no other module spells one."""
    named = {**vars(watermarks), **vars(meta)}
    keys = {value for name, value in named.items() if name.isupper() and not name.startswith("_") and isinstance(value, str)}
    table = (ROOT / "docs/data-model.md").read_text().split("| `meta.key` | meaning |")[1].split("\n\n")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert {key.partition("<")[0] for cell in cells for key in re.findall(r"`([^`]+)`", cell)} == keys
    for file in (ROOT / "sensorlogd").rglob("*.py"):
        for call in ast.walk(ast.parse(file.read_text())):
            if isinstance(call, ast.Call) and ast.unparse(call.func) in ("meta.get", "meta.get_int", "meta.put", "meta.keys"):
                assert not isinstance(call.args[1], ast.Constant), f"{file}, line {call.lineno}: name the key in storage/meta.py"


def test_the_table_of_profiles_is_what_is_shipped() -> None:
    """docs/profiles.md lists every shipped profile with its title, baud rate and channels."""
    shown = re.findall(r"^\| `([\w-]+)` \| (.*) \| (\d+) \| (.*) \|$", (ROOT / "docs/profiles.md").read_text(), re.MULTILINE)
    shipped = []
    for file in sorted(SHIPPED.glob("*.yaml")):
        data = yaml.safe_load(file.read_text())
        sensor = data["sensor"]
        shipped.append((file.stem, data["title"], str(sensor.get("baudrate", 9600)), ", ".join(sensor.get("channels", {}))))
    assert shown == shipped
    assert len(shipped) > 15


def test_every_folder_and_module_of_the_package_is_explained() -> None:
    """docs/architecture.md has a row for each, in order."""
    shown = re.findall(r"^\| `([\w.]+/?)` \| \S.*\. \|$", (ROOT / "docs/architecture.md").read_text(), re.MULTILINE)
    modules = [path.name for path in (ROOT / "sensorlogd").glob("*.py") if not path.name.startswith("__")]
    folders = [f"{path.name}/" for path in (ROOT / "sensorlogd").iterdir() if path.is_dir() and path.name != "__pycache__"]
    assert shown == sorted(modules + folders)


def test_the_layers_in_text_are_those_that_are_checked() -> None:
    """docs/architecture.md has all layers of the first import contract, from top to bottom."""
    text = (ROOT / "docs/architecture.md").read_text()
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]
    layers = " > ".join(layer.replace("sensorlogd.", "") for layer in contract["layers"])
    assert layers in " ".join(text.split())


def test_every_aggregate_is_explained() -> None:
    """docs/python.md names them all."""
    text = (ROOT / "docs/python.md").read_text().partition("## Aggregates and steps")[2]
    missing = [name for name in AGGREGATES if f"`{name}`" not in text]
    assert missing == [], f"docs/python.md, below 'Aggregates and steps', does not explain {missing}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """To pages, files and tests that exist."""
    text = page.read_text()
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (page.parent / target).exists(), target
    for target in re.findall(r"`((?:sensorlogd|tests|benchmarks|config|systemd)/[\w/.-]+)`", text):
        assert (ROOT / target).exists(), target


def test_names_in_text_are_names_that_may_be_given() -> None:
    """Of sensors and channels, where a selector or a former name shows them."""
    shown = re.compile(r'\b(?:sensor|channel)="([^"*]+)"|\bwas: ([^\s,}`]+)')
    names = [(page.name, one or other) for page in PAGES for one, other in shown.findall(page.read_text())]
    assert len(names) > 3
    assert [found for found in names if not NAME.fullmatch(found[1])] == []


def test_what_is_told_to_be_run_and_imported_is_there() -> None:
    """CONTRIBUTING.md: targets of make, modules, and what stands before the name of a file of Python."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert (named := set(re.findall(r"^make (\w+)|`make ([\w ]+)`", text, re.MULTILINE)))
    assert {word for pair in named for words in pair for word in words.split()} <= targets
    for module in re.findall(r"`(sensorlogd(?:\.\w+)+)`", text):
        assert module == "sensorlogd.drivers" or importlib.util.find_spec(module), module
    for name, file in re.findall(r"`(\w+)` of `([\w/]+\.py)`", text):
        assert name in (ROOT / file).read_text(), f"{file} has no {name}"


def test_the_errors_shown_are_the_errors_given(tmp_path: Path) -> None:
    """docs/configuration.md pastes real output."""
    text = (ROOT / "docs/configuration.md").read_text()
    (shown,) = re.findall(r"^```\n\$ sensorlogd check broken\.yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    (tmp_path / "broken.yaml").write_text(
        "storag: {}\nsensors:\n  boiler:\n    interval: 200\n    driver: simulated\n"
        "    channels: {t: {signal: {sin: {}}, valid: [5, 1]}}\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "sensorlogd", "check", "broken.yaml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 78
    assert done.stderr == shown


def test_the_promise_names_tests_that_exist() -> None:
    """docs/promise.md points at the test for each promise."""
    named = re.findall(r"`(tests/[\w/]+\.py)`", (ROOT / "docs/promise.md").read_text())
    assert len(named) >= 6
    assert all((ROOT / name).exists() for name in named)


def test_nothing_speaks_of_the_machine_it_was_made_on() -> None:
    """No absolute path of a checkout in what is delivered."""
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert "README.md" in files
    here = "/" + "work/"
    for name in files:
        path = ROOT / name
        if path.suffix in (".py", ".md", ".yaml", ".toml", ".sh", ".service", ".txt") and path.exists():
            assert here not in path.read_text(), name
