"""The dashboard's files, wherever they were built."""

from __future__ import annotations

from pathlib import Path

import pytest

from sensorlogd.web.serving import app
from sensorlogd.web.settings import Settings
from tests.web.conftest import serving


def test_what_was_built_is_served_and_nothing_else(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page at /, its files beside it, asked for again at every load; no way out of the folder."""
    folder = tmp_path / "static"
    folder.mkdir()
    (tmp_path / "secret").write_text("secret")
    (folder / "index.html").write_text("<!doctype html><title>dashboard</title>")
    (folder / "app.js").write_text("// " + "x" * 2000)
    monkeypatch.setattr(app, "STATIC", folder)
    with serving(Settings(made)) as running:
        page = running.client.get("/")
        assert "dashboard" in page.text
        script = running.client.get("/app.js")
        assert script.headers["content-type"].startswith("text/javascript")
        assert script.headers["content-encoding"] == "gzip"
        for answer in (page, script):
            assert answer.headers["cache-control"] == "no-cache"
            again = running.client.get(answer.url.path, headers={"If-None-Match": answer.headers["etag"]})
            assert again.status_code == 304
        for path in ("/../secret", "/%2e%2e/secret", "/..%2fsecret", "/app.js/../../secret"):
            raw = running.client.get(path)
            assert raw.status_code == 404, path


def test_without_a_build_the_page_says_so(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And leads to the API, which needs no page."""
    monkeypatch.setattr(app, "STATIC", tmp_path)
    with serving(Settings(made)) as running:
        page = running.client.get("/")
        assert page.status_code == 200
        assert "not built" in page.text
        assert running.client.get("/api/v1/latest").status_code == 200
