"""Parts on hosts of their own, and the network between them cut: packets vanish, and nobody is told."""

import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

import httpx2
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from jobs.model import Worker
from jobs.states import State
from tests.chaos.conftest import Record
from tests.laboratory import ROOT
from tests.networks import Host, Network, RemotePostgres, RemoteValkey, Way, between
from tests.servers import StartFailed, wait_until
from tests.spread import SpreadLab

CUT = 12  # seconds: two leases, and longer than a connection stays unsure of its peer
TRUST = 4.0  # seconds: the laboratory's lease less a heartbeat

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    """A network of namespaces."""
    try:
        made = Network()
    except (OSError, StartFailed) as why:
        pytest.skip(f"no network of namespaces can be made here: {why}")
    yield made
    made.remove()


@pytest.fixture(scope="module")
def common(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SpreadLab]:
    """One laboratory for all: after each test it must be well again."""
    database, broker = RemotePostgres(network.add_host()), RemoteValkey(network.add_host())
    lab = SpreadLab(network, database, broker, tmp_path_factory.mktemp("spread")).start()
    yield lab
    lab.close()
    broker.remove()
    database.remove()


@pytest.fixture
def lab(common: SpreadLab) -> Iterator[SpreadLab]:
    wait_until(lambda: _is_well(common), 45, "both workers to be back")
    yield common
    common.check()


Cut = Callable[[Callable[[str], Host]], list[Way]]
WORKERS, SCHEDULERS = ("worker0", "worker1"), ("scheduler0", "scheduler1")


def _all_from_all(host: Callable[[str], Host]) -> list[Way]:
    parts = [host(part) for part in (*WORKERS, *SCHEDULERS)]
    return [*between(host("database"), *parts), *between(host("broker"), host("api"), *parts)]


ALL = "all cut from the broker, all but the API from the database"
FAULTS: dict[str, Cut] = {
    ALL: _all_from_all,
    "a worker hears nothing from the database": lambda host: [(host("database"), host("worker0"))],
    "both schedulers cut from the database": lambda host: between(host("database"), *map(host, SCHEDULERS)),
    "a worker cut from the database": lambda host: between(host("worker0"), host("database")),
    "a worker cut from the broker": lambda host: between(host("worker0"), host("broker")),
    "a worker cut from database and broker": lambda host: between(host("worker0"), host("database"), host("broker")),
    "the database hears nothing from a worker": lambda host: [(host("worker0"), host("database"))],
    "a worker hears nothing from the broker": lambda host: [(host("broker"), host("worker0"))],
    "the broker hears nothing from a worker": lambda host: [(host("worker0"), host("broker"))],
    "both schedulers cut from the broker": lambda host: between(host("broker"), *map(host, SCHEDULERS)),
    "an API cut from the broker": lambda host: between(host("api"), host("broker")),
}
VARIED = {  # of each part one, one way and both; the rest is for endurance
    "a worker hears nothing from the database",
    "both schedulers cut from the database",
    "a worker cut from database and broker",
    "an API cut from the broker",
}


@pytest.mark.parametrize(
    ("fault", "seconds"),
    [
        (ALL, CUT),
        pytest.param(ALL, 60, marks=pytest.mark.endurance),
        *(
            pytest.param(fault, CUT, marks=() if fault in VARIED else pytest.mark.endurance)
            for fault in FAULTS
            if fault != ALL
        ),
    ],
)
def test_every_job_is_accepted_while_parts_are_cut_off_and_done_soon_after(
    lab: SpreadLab, fault: str, seconds: int, record: Record
) -> None:
    before = lab.states()
    with lab.network.cut(*FAULTS[fault](lab.host)):
        took = _post_for(lab, seconds)
    healed = time.monotonic()
    lab.wait_settled(60)
    recovered = time.monotonic() - healed
    assert lab.states() == before + Counter({State.SUCCEEDED: len(took)})
    assert max(took) < 1
    assert recovered <= 30
    number = 7 if "database" in fault else 5
    record(number, f"{fault} for {seconds} s", "–", f"{len(took)} of {len(took)} done", recovered)


def test_the_others_do_the_work_while_a_worker_is_cut_off(lab: SpreadLab) -> None:
    with lab.network.cut(*between(lab.host("worker0"), lab.host("database"))):
        jobs = [lab.submit() for _ in range(100)]
        for job_id in jobs:  # it takes hints from the broker still, but no more than it has slots
            lab.wait_for(job_id, State.SUCCEEDED, seconds=45)


def test_a_worker_cut_from_the_database_begins_no_call_after_its_trust_and_its_outcome_is_refused(
    lab: SpreadLab, record: Record
) -> None:
    job_id = lab.submit(payload={"do": "call", "url": lab.third_party.url, "seconds": 10})
    lab.wait_for(job_id, State.RUNNING)
    wait_until(lambda: _calls(lab), 10, "the first call")
    (pid,) = _calls(lab)
    cut_off = next(part for part in lab.workers if part.pid == pid)
    with lab.network.cut(*between(lab.host(cut_off.name), lab.host("database"))):
        cut_at = time.monotonic()
        wait_until(lambda: len(_calls(lab)) == 2, 30, "the other worker to begin its calls")
        first, second = _calls(lab).pop(pid), next(calls for by, calls in _calls(lab).items() if by != pid)
        lab.wait_for(job_id, State.SUCCEEDED, seconds=30)
    healed = time.monotonic()
    assert [attempt["outcome"] for attempt in lab.job(job_id)["attempts"]] == ["lost", "succeeded"]
    assert first[-1] - cut_at < TRUST + 0.2, "a call began after the trust had ended"
    assert first == _calls(lab)[pid], "a call began after the other worker's first"
    assert first[-1] < second[0]
    wait_until(lambda: _is_well(lab), 30, "the worker to be back")
    last = f"last call {first[-1] - cut_at:.1f} s after the cut, its outcome refused"
    record(9, f"a worker cut from the database in mid-job, trusted for {TRUST:g} s", "–", last, time.monotonic() - healed)


def test_an_api_cut_from_the_database_refuses_within_a_second_and_opens_again(lab: SpreadLab, record: Record) -> None:
    refused: list[tuple[float, httpx2.Response]] = []
    with lab.network.cut(*between(lab.host("api"), lab.host("database"))):
        until = time.monotonic() + CUT
        while time.monotonic() < until:
            started = time.monotonic()
            answer = lab.client.post("/v1/jobs", json={"task": "probe.run", "payload": {}})
            refused.append((time.monotonic() - started, answer))
            assert lab.other_client.post("/v1/jobs", json={"task": "probe.run", "payload": {}}).status_code == 202
    healed = time.monotonic()
    assert {answer.status_code for _, answer in refused} == {503}
    slowest = max(took for took, _ in refused)
    assert slowest < 1.0
    wait_until(lambda: lab.client.post("/v1/jobs", json={"task": "probe.run"}).status_code == 202, 15, "the door to open")
    opened = time.monotonic() - healed
    record(7, f"an API cut from the database for {CUT} s", "–", f"503 within {slowest * 1000:.0f} ms", opened)


def test_the_database_lets_go_of_what_a_part_had_locked_when_it_was_cut_off(lab: SpreadLab, record: Record) -> None:
    host = lab.host("worker0")
    url = lab.environment["TREADLE_DATABASE_URL"].replace("postgresql:", "postgresql+psycopg:")
    command = [*host.namespace.way_in, sys.executable, "-c", _HOLD_LOCK, url]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
        assert not _can_lock(lab.engine)
        with lab.network.cut(*between(host, lab.host("database"))):
            cut_at = time.monotonic()
            wait_until(lambda: _can_lock(lab.engine), 25, "the lock to be free")
            seconds = time.monotonic() - cut_at
        holder.kill()
    record(7, "a worker cut off in mid-transaction", "–", f"its locks free after {seconds:.0f} s", None)


_HOLD_LOCK = """
import sys
import sqlalchemy as sa
from runtime import database
with database.create_engine(sys.argv[1]).begin() as connection:
    connection.execute(sa.text("SELECT pg_advisory_xact_lock(77)"))
    print("held", flush=True)
    sys.stdin.read()
"""


def _can_lock(engine: sa.Engine) -> bool:
    with engine.begin() as connection:
        return bool(connection.scalar(sa.text("SELECT pg_try_advisory_xact_lock(77)")))


def _post_for(lab: SpreadLab, seconds: float) -> list[float]:
    took: list[float] = []
    rest, until = threading.Event(), time.monotonic() + seconds
    while time.monotonic() < until:
        started = time.monotonic()
        lab.submit("http.request", {"method": "POST", "url": f"{lab.third_party.url}/effect?ms=20", "json": {}})
        took.append(time.monotonic() - started)
        rest.wait(0.1)
    return took


def _calls(lab: SpreadLab) -> dict[int, list[float]]:
    """When each process began the calls that probe.run makes, by its id."""
    with lab.third_party.lock:
        return {
            int(key.rpartition(" ")[2]): [began for began, _ in calls]
            for key, calls in lab.third_party.calls.items()
            if " by " in key
        }


def _is_well(lab: SpreadLab) -> bool:
    """Whether both workers have a lease. One that was given up leaves, and is started again here."""
    lab.keep_up()
    with Session(lab.engine) as session:
        alive = session.scalars(sa.select(Worker.name).where(Worker.stopped_at.is_(None)))
        return {str(part.pid) for part in lab.workers} <= {name.rpartition(":")[2] for name in alive}
