"""Flower shows jobs by their ids and task names, with success, retry and failure as they happened."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.states import State
from tests.browser import chromium
from tests.laboratory import Lab
from tests.servers import Valkey, wait_until


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    broker = Valkey()
    laboratory = Lab(f"sqlite:///{tmp_path / 'treadle.db'}", broker, tmp_path)
    yield laboratory
    laboratory.close()
    broker.remove()


def test_flower_shows_what_happened(lab: Lab, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    browser = chromium.find(tmp_path / "profile")
    flower = lab.add_flower()
    lab.start()
    done = lab.submit("http.request", {"method": "POST", "url": f"{lab.third_party.url}/effect", "json": {}})
    failed = lab.submit(payload={"do": "reject"})
    waiting = lab.submit(payload={"do": "fail", "times": 1}, retry={"backoff": {"kind": "fixed", "delay": "10m"}})
    retried = lab.submit(payload={"do": "fail", "times": 1})
    for job_id in (done, failed, retried):
        lab.wait_for(job_id)
    lab.wait_for(waiting, State.SCHEDULED)
    wait_until(
        lambda: _shown(browser, flower).keys() >= {str(done), str(failed), str(waiting), str(retried)},
        30,
        "Flower to hear of all",
    )
    states = _shown(browser, flower)
    assert states[str(done)] == ("http.request", "SUCCESS")
    assert states[str(failed)] == ("probe.run", "FAILURE")
    assert states[str(waiting)] == ("probe.run", "RETRY")
    assert states[str(retried)] == ("probe.run", "SUCCESS")
    picture = browser.picture(f"{flower}/tasks", Path(pytestconfig.getoption("--pictures") or tmp_path) / "flower-tasks.png")
    assert picture.stat().st_size > 10_000


def _shown(browser: chromium.Chromium, flower: str) -> dict[str, tuple[str, str]]:
    """What the table of tasks says: id → name, state."""
    rows = re.findall(r'<tr id="([^"]+)"[^>]*>(.*?)</tr>', browser.read(f"{flower}/tasks"), re.DOTALL)
    shown = {}
    for job_id, row in rows:
        cells = [re.sub(r"<[^>]+>", "", cell).strip() for cell in re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL)]
        shown[job_id] = (cells[0], cells[2])
    return shown
