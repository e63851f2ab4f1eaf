"""The fixture that watches all tests: a test that leaves something behind fails, and says what."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

LEAKING = """
import os, subprocess, threading, pytest

held = threading.Event()

def test_thread():
    threading.Thread(target=held.wait, name="forgotten", daemon=True).start()

def test_descriptor():
    os.dup(0)

def test_child():
    global child
    child = subprocess.Popen(["sleep", "1000"])

def test_tidy():
    thread = threading.Thread(target=print)
    thread.start()
    with open("/dev/null"):
        subprocess.run(["true"])
    thread.join()

def test_clean_up():
    held.set()
    child.kill()
    child.wait()
"""


def test_whatever_a_test_leaves_behind_fails_it(tmp_path: Path) -> None:
    root = Path(__file__).parents[1]
    (tmp_path / "conftest.py").write_text((root / "tests" / "conftest.py").read_text())
    (tmp_path / "test_leaking.py").write_text(LEAKING)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), "-W", "ignore"],
        cwd=tmp_path,
        env=os.environ | {"SENSORLOGD_TESTS_GRACE_S": "0.2"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "left behind: threads ['forgotten'], descriptors [], processes []" in done.stdout
    assert "left behind: threads [], descriptors ['" in done.stdout
    assert "left behind: threads [], descriptors [], processes [" in done.stdout
    assert "5 passed, 3 errors" in done.stdout
