"""The description of the API is true."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sensorlogd.web.answering import api, changes
from sensorlogd.web.answering.describing import openapi
from tests.rig import Daemon, until
from tests.web.conftest import Served
from tests.web.serving.test_process import committed, url, write_config


def test_every_endpoint_and_parameter_is_described(served: Served) -> None:
    """None is missing, none is invented; the page for people has them all and needs no network."""
    found = served.get("/openapi.json")
    assert found["openapi"].startswith("3.1")
    described = {
        path.rpartition("/")[2]: [parameter["name"] for parameter in methods["get"]["parameters"]]
        for path, methods in found["paths"].items()
        if path.startswith("/api/v1/") and "get" in methods
    }
    assert described == {name: list(parameters) for name, parameters in api.PARAMETERS.items()}
    assert {route.path.strip("/") for route in api.routes} == set(api.PARAMETERS)
    explained = (Path(__file__).parents[3] / "docs/web.md").read_text()
    assert all(f"`{path}`" in explained for path in found["paths"])
    page = served.client.get("/docs").text
    assert all(f"{next(iter(methods)).upper()} {path}" in page for path, methods in found["paths"].items())
    changing = {path.rpartition("/")[2] for path, methods in found["paths"].items() if "post" in methods}
    assert changing == set(changes.FIELDS) == {route.path.strip("/") for route in changes.routes}
    for name, fields in changes.FIELDS.items():
        assert set(openapi.CHANGES[name][1]["properties"]) == set(fields)
    assert "http://" not in page
    assert "https://" not in page
    assert served.client.get("/docs.css").status_code == 200


def test_nothing_that_is_asked_makes_the_server_fail(tmp_path: Path) -> None:
    """schemathesis asks a real daemon what the description allows, and what it does not: no 5xx, every answer as described."""
    pytest.importorskip("schemathesis")
    refusals = "[400, 401, 403, 404, 405, 409, 413, 414, 415, 422, 431]"
    (tmp_path / "schemathesis.toml").write_text(f"[checks.negative_data_rejection]\nexpected-statuses = {refusals}\n")
    document = json.dumps(openapi.describe(""))
    (tmp_path / "openapi.json").write_text(document)
    with Daemon(write_config(tmp_path), tmp_path / "data", web=True).wait_ready() as daemon:
        address = url(daemon)
        until(lambda: committed(daemon) > 20, "readings")
        # The stream never ends, and what a schema cannot say (either every or max_points, a zone that exists) is a 400.
        command = [
            sys.executable, "-m", "schemathesis.cli", "run", str(tmp_path / "openapi.json"), "--url", address.rstrip("/"),
            "--exclude-path", "/api/v1/stream", "--exclude-checks", "positive_data_acceptance", "--max-examples", "25",
            "--phases", "examples,coverage,fuzzing", "--generation-database", "none", "--seed", "1", "--no-color",
        ]  # fmt: skip
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        shown = "\n".join(line[:300] for line in (done.stdout + done.stderr).splitlines())
        assert done.returncode == 0, shown
        assert "Tested: 21" in done.stdout
        assert daemon.stop() == 0
