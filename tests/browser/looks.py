"""How a page looks: at a desk and on a phone, whether it fits, and whether everybody can use it."""

from __future__ import annotations

from typing import Any

from tests import needs
from tests.browser.pages import ROOT, Tab

DESK: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


def looks_well(tab: Tab) -> None:
    """Nothing runs off the screen; names, roles and contrast are as WCAG 2.2 AA wants them, as far as axe can tell."""
    axe = needs.file(ROOT / "dashboard" / "node_modules" / "axe-core" / "axe.min.js", "make dashboard (npm)")
    width = tab.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width[0] <= width[1]
    tab.page.evaluate(axe.read_text())
    found = tab.page.evaluate(
        "axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })"
    )
    assert [(violation["id"], [node["html"][:160] for node in violation["nodes"]][:3]) for violation in found["violations"]] == []
