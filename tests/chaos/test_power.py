"""Power cuts: every process dies, and the disk keeps only what was synced, and some of the rest as luck has it."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from uuid import UUID

import httpx2
import pytest

from jobs.states import State
from tests.chaos.conftest import Record
from tests.compiler import NoCompiler, build
from tests.laboratory import Lab
from tests.power.ledgers import OnPostgres, OnSqlite, cut_power
from tests.power.recording import SOURCE, Recording
from tests.servers import Valkey, wait_until

Ledger = OnSqlite | OnPostgres


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recorder."""
    try:
        return build(SOURCE, tmp_path_factory.mktemp("recorder"))
    except NoCompiler as why:
        pytest.skip(f"power cuts are not tested here: {why}")


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path, library: Path) -> Iterator[Ledger]:
    """A ledger whose disk is recorded."""
    made: Ledger = OnSqlite(tmp_path, library) if request.param == "sqlite" else OnPostgres(tmp_path, library)
    yield made
    made.close()


@pytest.fixture
def ledger_url(ledger: Ledger) -> str:
    return ledger.url


class Callers:
    """Submit without pause until the power goes, and note how far the record had come when each job was accepted."""

    def __init__(self, lab: Lab, recording: Recording) -> None:
        self.accepted: list[tuple[int, UUID]] = []
        self._lab, self._recording, self._over = lab, recording, threading.Event()

    def submit(self, count: int, *deeds: Callable[[], None], callers: int = 8) -> None:
        """Each time that `count` more jobs are accepted do one of the deeds, while the callers go on."""
        with ThreadPoolExecutor(callers) as pool:
            working = [pool.submit(self._submit) for _ in range(callers)]
            try:
                for number, deed in enumerate(deeds, 1):
                    self._wait_accepted(count * number, working)
                    deed()
            finally:
                self._over.set()
            for caller in working:
                caller.result()

    def _wait_accepted(self, count: int, working: "list[Future[None]]") -> None:
        wait_until(lambda: len(self.accepted) >= count or working[0].done(), 150, f"{count} jobs to be accepted")

    def _submit(self) -> None:
        target = {"method": "POST", "url": f"{self._lab.third_party.url}/effect?ms=5"}
        with self._lab.new_client() as client:
            while not self._over.is_set():
                order = {"task": "http.request", "payload": target | {"json": {"order": str(time.monotonic_ns())}}}
                try:
                    answer = client.post("/v1/jobs", json=order)
                except httpx2.TransportError:
                    return
                assert answer.status_code in {202, 503}, answer.text
                if answer.status_code == 202:
                    self.accepted.append((self._recording.place, UUID(answer.json()["id"])))

    def before(self, place: int) -> set[UUID]:
        """The jobs accepted by then."""
        return {job_id for accepted_at, job_id in self.accepted if accepted_at <= place}


def lose_power(lab: Lab, ledger: Ledger, recording: Recording, jobs: int, luck: random.Random) -> Callers:
    """Run everything under load, and cut the power at a random moment. The broker loses all it has."""
    lab.start()
    callers = Callers(lab, recording)

    def cut() -> None:
        threading.Event().wait(luck.random())
        cut_power([*lab.parts, lab.broker, *ledger.servers()])

    callers.submit(jobs // 2, ledger.checkpoint, cut)
    lab.engine.dispose()
    return callers


def cuts(ledger: Ledger, recording: Recording, count: int, luck: random.Random) -> list[int]:
    """Moments at which the power might have gone instead: any, and half of them in the middle of a checkpoint."""
    look = recording.again()
    inside = [entry.place for entry in look.advance() if ledger.is_checkpoint(look, entry)]
    assert inside, "no checkpoint was made: the load is too small"
    anywhere = [luck.randrange(recording.place) for _ in range(count - count // 2)]
    return sorted([*anywhere, *luck.choices(inside, k=count // 2)])


def lost_at_cuts(ledger: Ledger, recording: Recording, callers: Callers, count: int, luck: random.Random) -> int:
    """How many accepted jobs are missing after cuts at other moments, all together; the database must be sound each time."""
    disk, lost = recording.again(), 0
    for number, place in enumerate(cuts(ledger, recording, count, luck)):
        disk.go_to(place)
        lost += len(callers.before(place) - ledger.jobs_after(disk, luck if number % 2 else None))
    return lost


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("jobs", "share"),  # of the cuts to look at
    [
        pytest.param(300, 0, id="short", marks=pytest.mark.short),
        pytest.param(1000, 0.25, id="long"),
        pytest.param(1000, 1, id="endurance", marks=pytest.mark.endurance),
    ],
)
def test_no_accepted_job_is_lost_in_a_power_cut(
    laboratory: Callable[..., Lab], ledger: Ledger, jobs: int, share: float, record: Record
) -> None:
    luck = random.Random(random.random())
    lab = laboratory()
    recording = ledger.begin(lab)
    count = max(ledger.FEW, round(ledger.MANY * share))
    callers = lose_power(lab, ledger, recording, jobs, luck)
    lost = lost_at_cuts(ledger, recording, callers, count, luck)
    assert lost == 0

    ledger.bring_back(recording.again().go_to(), luck)
    started = time.monotonic()
    ledger.start()
    lab.broker.start()
    for part in lab.parts:
        part.start()
    states = lab.wait_settled(60)
    recovered = time.monotonic() - started
    assert set(states) == {State.SUCCEEDED}
    assert sum(states.values()) >= len(callers.accepted) >= jobs
    record(
        8,
        "power cut: all processes killed, files as last synced, broker empty",
        "broker's log synced each second: 158 and 160 of 999 lost",
        f"{len(callers.accepted)} accepted, 0 lost; {count + 1} cuts, all sound",
        recovered,
    )


def test_where_the_disk_is_not_asked_at_each_commit_accepted_jobs_are_lost(
    broker: Valkey, tmp_path: Path, ledger: Ledger
) -> None:
    with closing(Lab(ledger.url, broker, tmp_path, task_modules="tests.probe,tests.power.negligent")) as lab:
        recording = ledger.begin(lab)
        callers = lose_power(lab, ledger, recording, 300, random.Random(8))
        left = ledger.jobs_after(recording.again().go_to(), None)
    assert {job_id for _, job_id in callers.accepted} - left, "the recorder sees no difference: it proves nothing"
