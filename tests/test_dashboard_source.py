"""The dashboard's source keeps to what the rest of the project says: the API's types, and how numbers read."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs

from sensorlogd.notation import numbers
from sensorlogd.web.answering import api
from sensorlogd.web.answering.describing import schemas

DASHBOARD = Path(__file__).parents[1] / "dashboard"
SOURCE = DASHBOARD / "src"
ORDER = ("state", "load", "render")  # each knows those before it


def test_the_types_of_the_api_are_up_to_date() -> None:
    """If this fails: python dashboard/api_types.py"""
    done = subprocess.run([sys.executable, DASHBOARD / "api_types.py", "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_kinds_of_events_are_up_to_date() -> None:
    """If this fails: python dashboard/event_kinds.py"""
    done = subprocess.run([sys.executable, DASHBOARD / "event_kinds.py", "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_numbers_read_the_same_here_and_there() -> None:
    """The cases that the dashboard's own tests try."""
    cases = json.loads((DASHBOARD / "tests" / "numbers.json").read_text())
    assert min(map(len, cases.values())) > 2
    for value, decimals, wanted in cases["text"]:
        assert numbers.text(value, decimals=decimals) == wanted
    for value, decimals, wanted in cases["computed"]:
        assert numbers.computed(value, decimals) == wanted
    for value, step, wanted in cases["scale"]:
        assert numbers.on_scale(value, step) == wanted


def test_what_the_page_asks_for_beforehand_is_a_question_that_is_answered() -> None:
    """Written so that its address is right for whoever reads the page, with entities decoded or not."""
    asked = re.findall(r'rel="preload"[^>]* href="api/v1/(\w+)\?([^"]*)"', (SOURCE / "render" / "index.html").read_text())
    assert asked
    for endpoint, query in asked:
        assert set(parse_qs(query)) <= set(api.PARAMETERS[endpoint])


def test_its_page_explains_every_state_of_a_sensor() -> None:
    """As the API may say them."""
    page = (DASHBOARD.parent / "docs" / "dashboard.md").read_text()
    assert [word for word in schemas.HEALTH["enum"] if f"\n| {word} |" not in page] == []


def test_its_map_names_files_that_are_there() -> None:
    """A path begins at ``dashboard`` or at the root; a bare name means the folder of the one before it."""
    folder, missing = SOURCE, []
    for name in re.findall(r"`([\w/.-]+\.(?:tsx?|html|py))`", (DASHBOARD / "README.md").read_text()):
        if "/" in name:
            folder = (DASHBOARD if (DASHBOARD / name).exists() else DASHBOARD.parent) / Path(name).parent
        missing += [] if (folder / Path(name).name).exists() else [name]
    assert missing == []


def test_it_knows_one_direction() -> None:
    """State knows nothing of loading (but the types of the API), loading nothing of what is drawn."""
    wrong = []
    for path in [*SOURCE.rglob("*.ts"), *SOURCE.rglob("*.tsx")]:
        room = path.relative_to(SOURCE).parts[0]
        if room not in ORDER:
            continue
        later = ORDER[ORDER.index(room) + 1 :]
        named = re.findall(r'from "(?:\.\./)+(\w+)/([\w/]+)"', path.read_text())
        wrong += [(path.name, *imported) for imported in named if imported[0] in later and imported != ("load", "types")]
    assert wrong == []


def test_each_test_is_named_after_the_file_that_it_tests() -> None:
    """And each module of the state has one. Those that are generated say so in their first line."""
    tests = DASHBOARD / "tests"
    tested = {path.relative_to(tests).as_posix().removesuffix(".test.ts") for path in tests.rglob("*.test.ts")}
    files = {path.relative_to(SOURCE).with_suffix("").as_posix(): path for path in SOURCE.rglob("*.*")}
    assert tested - set(files) == set()
    written = {
        name
        for name, path in files.items()
        if name.startswith("state/") and "Do not edit" not in path.read_text().split("\n", maxsplit=1)[0]
    }
    assert written - tested == set()
