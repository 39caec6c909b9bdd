"""schemathesis as it comes, with all its checks, against a door: what was made is asked for by the links of the document."""

import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from jobs import keys
from jobs.errors import KeyNotFound
from tests.contract.door import Door

CONFIG = Path(__file__).parent / "schemathesis.toml"
KNOWN = Path(__file__).parent / "known.py"
ENDLESS = r"/v1/stream|/v1/jobs/\{job_id\}/events"  # test_openapi and test_streams ask for these, and leave


@pytest.fixture(autouse=True)
def _own_key_stays(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """It finds the key that it asks with in a list, and would end it: all that came behind would be a 401."""
    own = door.keys["admin"].split("_")[1]

    def spared(end: Callable[..., Any], session: Any, key_id: str, *more: Any) -> Any:
        if key_id == own:
            raise KeyNotFound(key_id)
        return end(session, key_id, *more)

    for name in ("revoke", "rotate"):
        monkeypatch.setattr(keys, name, partial(spared, getattr(keys, name)))


def explore(door: Door, folder: Path, seconds: int, *options: str) -> str:
    """What schemathesis said; it has found nothing wrong."""
    assert door.ask("GET", "/openapi.json").is_success  # made on the first request, for which schemathesis waits 10 s
    found = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG), "run", f"{door.url}/openapi.json"),
            *("--header", f"Authorization: {door.authority()['authorization']}", "--checks", "all", "--no-color"),
            *("--exclude-path-regex", ENDLESS, "--max-time", str(seconds), "--request-timeout", "20", *options),
        ],
        env={**os.environ, "NO_PROXY": "127.0.0.1", "SCHEMATHESIS_HOOKS": str(KNOWN)},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=seconds + 120,
        check=False,
    )
    assert found.returncode == 0, f"{found.stdout[-40_000:]}\n{door.log[-1:]}"
    return found.stdout


def test_what_was_made_can_be_asked_for_and_nothing_is_wrong_with_it(door: Door, tmp_path: Path) -> None:
    assert "✅ Stateful" in explore(door, tmp_path, 30, "--phases", "stateful", "--max-examples", "2")


@pytest.mark.long
@pytest.mark.timeout(2000)
def test_every_operation_in_every_phase_has_nothing_wrong_with_it(door: Door, tmp_path: Path) -> None:
    said = explore(door, tmp_path, 1500, "--phases", "examples,coverage,fuzzing,stateful", "--max-examples", "20")
    assert all(f"✅ {phase}" in said for phase in ("Examples", "Coverage", "Fuzzing", "Stateful"))
