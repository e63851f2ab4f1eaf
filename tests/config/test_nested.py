"""Text that is nested without end: composing it recurses, beyond the stack of the process where libyaml does it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sensorlogd.config.text import nodes

LEVELS = 100_000
FLOW = "sensors: " + "[" * LEVELS + "]" * LEVELS + "\n"
UNFINISHED = "sensors: " + "[" * LEVELS + "\n"
BLOCKS = "sensors:\n" + "- " * LEVELS + "x\n"
KEYS = "sensors:\n" + "? " * LEVELS + "x\n"
LOCATE = "import sys; from pathlib import Path; from sensorlogd.config import light; print(light.data_dir(Path(sys.argv[1])))"


@pytest.mark.parametrize("text", [FLOW, UNFINISHED, BLOCKS, KEYS], ids=["flow", "unfinished", "blocks", "keys"])
def test_a_verb_that_only_reads_finds_the_data_folder_beside_it(tmp_path: Path, text: str) -> None:
    """In a process of its own: where this is not so, it ends by a signal."""
    file = tmp_path / "sensorlogd.yaml"
    file.write_text("daemon: {data_dir: /somewhere/else}\n" + text)
    done = subprocess.run([sys.executable, "-c", LOCATE, str(file)], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "/somewhere/else"), done.stderr


def test_what_is_nested_as_people_do_is_composed() -> None:
    assert nodes.compose("a: " + "[" * 100 + "]" * 100) is not None
    assert nodes.compose("") is None
