"""Upgrades without a stop: the version before beside this one on one ledger, and from one to the other under load."""

import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from io import BytesIO
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from jobs import keys, migrate
from jobs.model import Attempt
from jobs.states import State
from tests.chaos.conftest import Record
from tests.chaos.forms import on_sqlite_first
from tests.laboratory import ROOT, Lab


def git(*arguments: str) -> bytes:
    return subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, check=True).stdout


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The version before: the newest tag; while there is none, the last commit that had the first tables only."""
    try:
        tags = git("tag", "--list", "v*", "--sort=-creatordate").decode().split()
        added = git("log", "--diff-filter=A", "--format=%H", "--reverse", "--", "jobs/migrations/versions").decode().split()
        commit = tags[0] if tags else f"{added[1]}~1"
        archive = git("archive", commit)
    except (OSError, subprocess.CalledProcessError, IndexError) as why:
        pytest.skip(f"the version before cannot be had, so upgrades from it are not tested here: {why}")
    folder = tmp_path_factory.mktemp("before")
    with tarfile.open(fileobj=BytesIO(archive)) as files:
        files.extractall(folder, filter="data")
    return folder


SLOW = "/effect?ms=150"
"""Calls that last, so that one worker cannot do them all before the other looks."""


def key_by(version: Path, session: Session, name: str, scope: str) -> str:
    """A key as a version makes it, in its own tables."""
    make = f"with transaction() as session: print(keys.create(session, {name!r}, {scope!r}))"
    url = session.get_bind().engine.url.render_as_string(hide_password=False)
    made = subprocess.run(
        [sys.executable, "-c", f"from jobs import keys\nfrom runtime.database import transaction\n{make}"],
        env={**os.environ, "PYTHONPATH": str(version), "TREADLE_DATABASE_URL": url},
        cwd=version,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return made.stdout.strip()


def newest(version: Path) -> str:
    """The newest revision of a version."""
    return max(path.name[:4] for path in (version / "jobs/migrations/versions").glob("0*.py"))


def become(lab: Lab, version: Path) -> None:
    """Parts that are added from now on are of this version."""
    lab.environment = {**lab.environment, "PYTHONPATH": str(version)}


def workers_that_worked(lab: Lab) -> int:
    with Session(lab.engine) as session:
        return len(set(session.scalars(sa.select(Attempt.worker))))


@on_sqlite_first
@pytest.mark.parametrize("old", ["worker", "api and scheduler"])
def test_parts_of_the_version_before_work_beside_new_ones_on_the_new_tables(
    laboratory: Callable[..., Lab], before: Path, old: str, record: Record
) -> None:
    lab = laboratory()
    new_worker = old != "worker"
    if new_worker:
        become(lab, before)
        lab.api._vars = lab.environment
    lab.api.start()
    lab.add_scheduler()
    if new_worker:
        become(lab, ROOT)
    lab.add_worker(slots=4)
    become(lab, before)
    worker = lab.add_worker(slots=4)
    lab.submit_calls(100, SLOW)
    worker.kill()
    worker.start()
    lab.submit_calls(100, SLOW)
    assert lab.wait_settled(60) == {State.SUCCEEDED: 200}
    assert workers_that_worked(lab) >= 2, "one version did nothing"
    record(12, f"old {old} beside new parts, 200 jobs", "–", "0 lost, 0 doubled", None)


@on_sqlite_first
def test_an_upgrade_under_load_loses_nothing_and_new_parts_wait_for_the_tables(
    laboratory: Callable[..., Lab], before: Path, monkeypatch: pytest.MonkeyPatch, record: Record
) -> None:
    monkeypatch.setattr(migrate, "upgrade", partial(migrate.upgrade, revision=newest(before)))
    monkeypatch.setattr(keys, "create", partial(key_by, before))
    lab = laboratory()
    monkeypatch.undo()
    new = lab.environment
    become(lab, before)
    lab.api._vars = lab.environment
    lab.start()
    lab.submit_calls(50)

    for module in ("workers", "scheduler"):
        early = subprocess.run(
            [sys.executable, "-m", module], env=new, capture_output=True, text=True, timeout=30, check=False
        )
        assert (early.returncode, "Run `treadle migrate` first" in early.stderr) == (1, True), early.stderr

    with ThreadPoolExecutor(1) as pool:
        calls = pool.submit(lab.submit_calls, 300)
        migrate.upgrade(lab.engine)
        for part in lab.parts:
            part.stop()
            part._vars = part._vars | {"PYTHONPATH": str(ROOT)}
            part.start()
        calls.result(60)
    assert lab.wait_settled(60) == {State.SUCCEEDED: 350}
    record(12, "upgrade under load: tables, then each part in turn", "–", "350 accepted, 0 lost, 0 doubled", None)
