"""The manual page and the completion: made from the commands, so what can be asked is in them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sensorlogd.cli.main import VERBS
from sensorlogd.storage.file.connecting import close_cleanly
from sensorlogd.storage.series import catalog
from tests import needs
from tests.connections import connect_writer

SOURCES = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def share(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("share")
    environment = {**os.environ, "PYTHONPATH": str(SOURCES)}
    subprocess.run([sys.executable, "packages/manual.py", str(folder)], cwd=SOURCES, env=environment, check=True)
    return folder


def test_the_manual_has_every_verb_and_groff_has_nothing_to_say(share: Path) -> None:
    """Warnings of groff are lines that are not shown as they were meant."""
    page = share / "man/man1/sensorlogd.1"
    text = page.read_text()
    assert [
        name for name in VERBS if f'.SS "{name}"' not in text and f'.SS "{name.replace("-", chr(92) + "-")}"' not in text
    ] == []
    groff = needs.tool("groff", "groff-base")
    done = subprocess.run([groff, "-man", "-Tutf8", "-ww", "-K", "utf8", str(page)], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert "greenhouse.*" in done.stdout


@pytest.mark.parametrize(
    ("shell", "place"),
    [
        ("bash", "bash-completion/completions/sensorlogd"),
        ("zsh", "zsh/site-functions/_sensorlogd"),
        ("fish", "fish/vendor_completions.d/sensorlogd.fish"),
    ],
)
def test_the_shell_takes_its_file(share: Path, shell: str, place: str) -> None:
    """As far as the shell is here."""
    assert "_SENSORLOGD_COMPLETE" in (share / place).read_text()
    if shell == "bash":
        subprocess.run(["bash", "-n", str(share / place)], check=True)


def complete(words: str, folder: Path) -> list[str]:
    """What bash is offered for the last word."""
    environment = {
        **os.environ, "PYTHONPATH": str(SOURCES), "_SENSORLOGD_COMPLETE": "bash_complete", "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1), "SENSORLOGD_CONFIG": "",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "sensorlogd"], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    return [line.partition(",")[2] for line in done.stdout.splitlines() if line]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with a configuration, another file of it, and a log of one series."""
    (tmp_path / "sensorlogd.yaml").write_text(
        "daemon: {data_dir: .}\ninclude: conf.d/*.yaml\nsensors:\n  air: {driver: simulated, channels: {t: {}}}\n"
    )
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d/more.yaml").write_text("sensors:\n  attic: {driver: simulated, channels: {t: {}}}\n")
    return tmp_path


def test_sensors_are_completed_from_the_configuration(home: Path) -> None:
    assert complete("sensorlogd try a", home) == ["air", "attic"]
    assert complete("sensorlogd try -c sensorlogd.yaml at", home) == ["attic"]


def test_series_are_completed_from_the_log(home: Path, fresh: Path) -> None:
    """Of the configuration's database, or of the one that --db names."""
    assert complete("sensorlogd query ai", home) == []  # there is no log yet: nothing is offered, nothing is said
    path = Path(shutil.copy(fresh, home / "sensorlogd.db"))
    conn = connect_writer(path)
    conn.execute("BEGIN IMMEDIATE")
    names = (("air", "temperature"), ("well", "level"))
    specs = [catalog.SensorSpec(sensor, "simulated", series=[catalog.SeriesSpec(channel)]) for sensor, channel in names]
    catalog.sync(conn, specs, 1)
    conn.execute("COMMIT")
    close_cleanly(conn)
    assert complete("sensorlogd query ai", home) == ["air.temperature"]
    assert complete("sensorlogd query --db sensorlogd.db air.temperature w", home) == ["well.level"]


def test_profiles_and_verbs_are_completed(home: Path) -> None:
    assert complete("sensorlogd profiles dsm", home) == ["dsmr-p1"]
    assert complete("sensorlogd qu", home) == ["query"]


def test_aggregates_are_completed_behind_a_comma_too(home: Path) -> None:
    assert complete("sensorlogd query air.t --agg tw", home) == ["twmean"]
    assert complete("sensorlogd export air.t --agg mean,max,tw", home) == ["mean,max,twmean"]
    assert "median" in complete("sensorlogd plot air.t --agg ", home)
