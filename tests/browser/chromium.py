"""Headless Chromium, as a person's eyes: what a page says once it has loaded, and a picture of it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--window-size=1400,900",
    "--virtual-time-budget=6000",
)


class Chromium:
    """One profile; each look is a process of its own."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program, self._folder = program, folder

    def read(self, url: str) -> str:
        """The page's document after its scripts have run."""
        return self._run("--dump-dom", url).stdout

    def picture(self, url: str, target: Path) -> Path:
        """A picture of the page."""
        self._run(f"--screenshot={target}", url)
        return target

    def _run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [self._program, *_FLAGS, f"--user-data-dir={self._folder}", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)


def find(folder: Path) -> Chromium:
    """Chromium, or a loud skip; in CI it must be there."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        message = "Chromium is not installed: the pages of Flower were not looked at (apt-get install chromium)"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return Chromium(program, folder)
