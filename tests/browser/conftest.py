"""Chromium for the tests that look at the page as a person does; skipped, with the reason, where there is none."""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.conftest import missing
from tests.web.conftest import web

__all__ = ["web"]
# The last four keep Chromium from asking its maker's hosts, which only fills the log where there is no network.
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium: the one of CHROMIUM, or the system's.

    For a module and no longer: playwright keeps an event loop running, in which no other test could run its own.
    """
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        missing("Chromium (apt-get install chromium, or set CHROMIUM to its path)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_FLAGS)
        yield browser
        browser.close()
