# SPDX-License-Identifier: GPL-2.0-or-later
"""A browser without a screen. It is Debian's chromium, steered by its own driver; nothing is fetched."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--force-color-profile=srgb")  # fmt: skip


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """One browser for the tests of a module, with a profile folder of its own."""
    options = ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    driver = Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    try:
        yield driver
    finally:
        driver.quit()


@pytest.fixture
def visit(browser: Chrome, tmp_path: Path) -> Iterator[Callable[[str], Chrome]]:
    """Opens a page. What it then writes to the console, an error of the script or a refused load, fails the test."""

    def open_page(text: str) -> Chrome:
        page = tmp_path / "report.html"
        page.write_text(text, encoding="utf-8")
        browser.set_window_size(1200, 900)
        browser.get(page.as_uri())
        return browser

    complaints(browser)
    yield open_page
    assert complaints(browser) == []


def complaints(browser: Chrome) -> list[Any]:
    """What the console shows since the last call."""
    return browser.get_log("browser")  # type: ignore[no-any-return,no-untyped-call]
