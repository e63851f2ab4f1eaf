"""What each process of the daemon imports at its start: on a Pi with 512 MB every library that nobody needs is missed elsewhere.

`python -m benchmarks.memory` says what each process needs in all.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sensorlogd.daemon.control import control_socket
from tests.rig import until

# Never in the main process, in the web process and its workers, in the aggregator.
EVERYWHERE = {"multiprocessing", "sqlalchemy", "alembic", "unittest", "numpy", "pandas", "xml", "sensorlogd.storage.migrations"}
NOT_IN_MAIN = EVERYWHERE | {
    "asyncio", "concurrent.futures.thread", "http", "html", "serial", "ssl", "tkinter", "urllib.request",
    "sensorlogd.daemon.rollups.process", "sensorlogd.exchange", "sensorlogd.plotting", "sensorlogd.storage.query.engine",
    "sensorlogd.web.answering", "sensorlogd.web.workers",
}  # fmt: skip
NOT_IN_WEB = EVERYWHERE - {"multiprocessing"} | {"pydantic", "yaml", "serial", "sensorlogd.daemon", "sensorlogd.drivers"}
NOT_IN_WORKER = EVERYWHERE | {"asyncio", "click", "pydantic", "starlette", "uvicorn", "yaml", "http", "sensorlogd.daemon"}
NOT_IN_AGGREGATOR = NOT_IN_WORKER - {"sensorlogd.daemon"} | {"sensorlogd.daemon.writing", "socket", "subprocess", "tempfile"}

PRINT = """if True:
    import atexit, sys
    from sensorlogd.__main__ import main
    atexit.register(lambda: print("\\nMODULES", *sys.modules))
    main()
"""


def forbidden(output: str, refused: set[str]) -> list[str]:
    """The refused modules that the process had loaded at its end, each with its package or alone."""
    loaded = output.rsplit("\nMODULES ", 1)[1].split()
    return sorted({name for name in refused if any(f"{module}.".startswith(f"{name}.") for module in loaded)})


def has_committed(data: Path) -> bool:
    """Whether the daemon has stored a reading."""
    try:
        return int(control_socket.ask(data, {"do": "status"})["daemon"]["committed"]) > 0
    except (OSError, ValueError):  # it does not listen yet
        return False


def test_the_main_process_imports_nothing_that_a_simulated_sensor_does_not_need(tmp_path: Path) -> None:
    """Import late what only some need, within the function that does, with a comment that says so."""
    data = tmp_path / "data"
    sensor = {"driver": "simulated", "interval": "10ms", "channels": {"x": {"signal": {"sine": {"period": "1h"}}}}}
    config = tmp_path / "sensorlogd.yaml"
    config.write_text(json.dumps({"daemon": {"data_dir": str(data)}, "sensors": {"one": sensor}}))
    command = [sys.executable, "-c", PRINT, "run", "-c", str(config), "--no-web"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as daemon:
        until(lambda: has_committed(data) or daemon.poll() is not None, "a reading")
        daemon.terminate()
        output, errors = daemon.communicate(timeout=60)
    assert daemon.returncode == 0, errors
    assert forbidden(output, NOT_IN_MAIN) == []


@pytest.mark.parametrize(
    ("module", "refused"),
    [
        ("sensorlogd.web.__main__", NOT_IN_WEB),
        ("sensorlogd.web.workers.worker", NOT_IN_WORKER),
        ("sensorlogd.daemon.rollups.spawn_main", NOT_IN_AGGREGATOR),
    ],
    ids=["web", "worker", "aggregator"],
)
def test_the_other_processes_import_no_more_than_they_need(module: str, refused: set[str]) -> None:
    """Nor do they import for one another."""
    code = f"import sys, {module}; print('\\nMODULES', *sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert forbidden(done.stdout, refused) == []
