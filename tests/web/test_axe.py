# SPDX-License-Identifier: GPL-2.0-or-later
"""report.html under axe-core: what a keyboard, a screen reader or poor sight would stumble over."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from ci.machine import npm
from ci.model.results import Repeated, RepeatedTest, Run
from ci.report.html import page
from tests.ci.report.test_reports import busy_run
from tests.ci.report.test_wall import measured
from tests.ci.samples import ran

pytestmark = pytest.mark.slow
Visit = Callable[[str], Chrome]
AXE = npm.modules() / "axe-core" / "axe.min.js"
RUN = """
const done = arguments[arguments.length - 1];
axe.run(document, {resultTypes: ["violations", "incomplete"]}).then(
  (found) => done(found.violations.map((rule) => rule.id + ": " + rule.help + "\\n" +
    rule.nodes.slice(0, 3).map((node) => "    " + node.html.slice(0, 160) + "\\n    " +
    node.failureSummary.replaceAll("\\n", " ")).join("\\n"))),
  (error) => done([String(error)]));
"""


def run_with_all() -> Run:
    """Every section that a page can have."""
    cell = ran("patched", {}).cell
    repeats = Repeated(
        folder="/earlier",
        started=datetime(2026, 11, 29, tzinfo=UTC),
        summary="fail: 1 regression",
        command=("./rig.py", "check"),
        called_in="/",
        moved=("the source: a then, b now",),
        tests=(RepeatedTest(cell=cell, test="one", then="regression (FAIL)", now="same (PASS)"),),
    )
    wall = measured([0.5, 1.0, 2.0] * 5)
    other = wall.model_copy(update={"cell": replace(wall.cell, abi="i386")})
    walls = (measured([0.5] * 20, "tcg", ("a guest was lost",)), other)
    return busy_run().model_copy(update={"repeats": repeats, "wall": walls})


@contextmanager
def looking(browser: Chrome, scheme: str, width: int) -> Iterator[None]:
    """A screen of this width, and a user who likes it light or dark."""
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    wish = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", wish)
    try:
        yield
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not there: rig.py doctor --mend fetches it")
def test_what_is_wrong_is_found(visit: Visit) -> None:
    """Else the next test could not fail."""
    text = page.render(busy_run()).replace(' lang="en"', "").replace("http-equiv", "data-was")  # else no style is ours
    found = findings(visit(text.replace("</main>", '<p style="color: #eee; background: #fff">hard to read</p></main>')))
    assert [line.partition(":")[0] for line in found] == ["color-contrast", "html-has-lang"]


def findings(browser: Chrome) -> list[str]:
    """What axe-core complains of, with the first elements of each."""
    browser.execute_script(AXE.read_text(encoding="utf-8"))
    found: list[str] = browser.execute_async_script(RUN)
    return found


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not there: rig.py doctor --mend fetches it")
@pytest.mark.parametrize("width", [1280, 360], ids=["wide", "narrow"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nobody_is_left_out(visit: Visit, scheme: str, width: int) -> None:
    browser = visit(page.render(run_with_all()))
    with looking(browser, scheme, width):
        assert browser.find_elements(By.CSS_SELECTOR, ".finding")
        assert "\n".join(findings(browser)) == ""
        browser.execute_script("for (const item of document.querySelectorAll('details')) item.open = true")
        assert "\n".join(findings(browser)) == "", "with all of it open"
