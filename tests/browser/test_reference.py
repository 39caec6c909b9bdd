"""The reference at /docs: whole, and without a byte from outside."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser import chromium
from tests.contract.door import Door, on_sqlite


@pytest.fixture(scope="module")
def door(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with on_sqlite(sqlite_template, tmp_path_factory.mktemp("door")) as opened:
        yield opened


def test_the_reference_shows_every_operation_and_loads_nothing_from_outside(
    door: Door, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    browser = chromium.find(tmp_path / "profile")
    source = door.ask("GET", "/docs").text
    assert re.findall(r"https?://", source) == []
    assert re.findall(r'(?:src|href)="(?!/docs/assets/)([^"]+)"', source) == []
    shown = browser.read(f"{door.url}/docs")
    document = door.ask("GET", "/openapi.json").json()
    summaries = {operation["summary"] for operations in document["paths"].values() for operation in operations.values()}
    assert {summary for summary in summaries if summary not in shown} == set()
    if folder := pytestconfig.getoption("--pictures"):
        browser.picture(f"{door.url}/docs", Path(folder) / "docs.png")
