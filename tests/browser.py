"""A browser for tests: Debian's chromium and chromium-driver, without a window."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

PROGRAMS = ("chromium", "chromedriver")
MISSING = " and ".join(name for name in PROGRAMS if not shutil.which(name))
needs_browser = pytest.mark.skipif(bool(MISSING), reason=f"needs {MISSING}")


@contextmanager
def chromium(**preferences: Any) -> Iterator[Chrome]:
    """Yield a browser that keeps what the console says; `preferences` are those of Chromium."""
    options = ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    # No sandbox: containers and root have none. Shared memory is small in containers too.
    for word in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "disable-gpu"):
        options.add_argument(f"--{word}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    options.add_experimental_option("prefs", preferences)
    browser = Chrome(options=options, service=Service(str(shutil.which("chromedriver"))))
    browser.set_script_timeout(60)
    try:
        yield browser
    finally:
        browser.quit()


def resize(browser: Chrome, width: int, scheme: str = "light") -> None:
    """Make the window `width` pixels wide; phones begin below 600. `scheme` is light or dark."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    features += [{"name": "prefers-reduced-motion", "value": "reduce"}]  # no smooth scrolling
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
