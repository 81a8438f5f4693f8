"""The whole book as one PDF."""

from __future__ import annotations

import shutil

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def find_browser() -> str | None:
    """The first Chromium on the PATH; None if there is none."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)
