"""The laboratory: the whole product as real processes, a broker, a database and a third party, and ways to hurt them."""

import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar
from uuid import UUID, uuid4

import httpx2
import sqlalchemy as sa
from sqlalchemy.orm import Session

from jobs import keys, migrate
from jobs.model import Attempt, Job, Tick
from jobs.states import FINAL, State
from runtime import database
from tests.servers import Server, Valkey, free_port, wait_until
from tests.third_party import ThirdParty

Answer = TypeVar("Answer")
ROOT = Path(__file__).parents[1]


class Part(Server):
    """One of our processes."""

    def __init__(
        self, name: str, command: list[str], environment: dict[str, str], answers: Callable[[], bool] = lambda: True
    ) -> None:
        self.name, self._given, self._vars, self._ready = name, command, environment, answers
        super().__init__()

    def _command(self) -> list[str]:
        return [sys.executable, "-m", *self._given]

    def _environment(self) -> dict[str, str]:
        return self._vars

    def _answers(self) -> bool:
        return self._ready()


class Lab:
    """API, worker and scheduler around a broker and a ledger. Everything ends with it."""

    def __init__(self, ledger_url: str, broker: Valkey, folder: Path, **settings: str) -> None:
        self.third_party, self.broker, self.ledger_url = ThirdParty(), broker, ledger_url
        self.engine = database.create_engine(ledger_url)
        migrate.upgrade(self.engine)
        with Session(self.engine) as session, session.begin():
            self.key = keys.create(session, "laboratory", "admin")
        self.port = free_port()
        self.environment = self._variables(folder, settings)
        self.api = Part(
            "api",
            ["uvicorn", "api.app:app", "--port", str(self.port), "--no-access-log"],
            self.environment,
            self._api_answers,
        )
        self.parts = [self.api]
        self.workers: list[Part] = []
        self.schedulers: list[Part] = []
        self.client = self.new_client()

    def _variables(self, folder: Path, settings: dict[str, str]) -> dict[str, str]:
        ours = {
            "TREADLE_HOME": str(folder),
            "TREADLE_DATABASE_URL": self.ledger_url,
            "TREADLE_BROKER_URL": self.broker.url,
            "TREADLE_ALLOW_PRIVATE_TARGETS": "1",
            "TREADLE_TASK_MODULES": "tests.probe",
            "TREADLE_LEASE": "5s",
            "TREADLE_HEARTBEAT": "1s",
            "TREADLE_DRAIN_GRACE": "4s",
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "ignore",
        }
        return {**os.environ, **ours, **{f"TREADLE_{name.upper()}": value for name, value in settings.items()}}

    def add_worker(self, pool: str = "threads", slots: int = 16, queues: str = "default,cpu", **settings: str) -> Part:
        """Start one more worker."""
        name = f"worker{len(self.workers)}"
        settings["worker_pool"] = pool
        command = ["workers", "--concurrency", str(slots), "--queues", queues, "--name", name]
        environment = {**self.environment, **{f"TREADLE_{key.upper()}": value for key, value in settings.items()}}
        part = Part(name, command, environment)
        self.workers.append(part)
        self.parts.append(part)
        part.start()
        return part

    def add_scheduler(self) -> Part:
        """Start one more scheduler."""
        part = Part(f"scheduler{len(self.schedulers)}", ["scheduler"], self.environment)
        self.schedulers.append(part)
        self.parts.append(part)
        part.start()
        return part

    def add_flower(self) -> str:
        """Start Flower; returns its address, with the password in it."""
        port = free_port()
        environment = {**self.environment, "FLOWER_BASIC_AUTH": "treadle:secret"}
        command = ["celery", "-A", "runtime.broker:app", "flower", f"--port={port}", "--address=127.0.0.1"]
        part = Part("flower", command, environment, lambda: _answers(f"http://127.0.0.1:{port}/healthcheck"))
        self.parts.append(part)
        part.start()
        return f"http://treadle:secret@127.0.0.1:{port}"

    def start(self) -> "Lab":
        """The usual set: one of each."""
        self.api.start()
        self.add_worker()
        self.add_scheduler()
        wait_until(self._worker_lives, 30, "a worker to join")
        return self

    def close(self) -> None:
        """End everything."""
        self.client.close()
        for part in self.parts:
            part.remove()
        self.third_party.close()
        self.engine.dispose()

    # What a caller does

    def new_client(self) -> httpx2.Client:
        return httpx2.Client(
            base_url=f"http://127.0.0.1:{self.port}",
            headers={"authorization": f"Bearer {self.key}"},
            timeout=5,
            trust_env=False,
        )

    def submit(self, task: str = "probe.run", payload: Any = None, **fields: Any) -> UUID:
        """One job through HTTP, which must be accepted."""
        answer = self.client.post("/v1/jobs", json={"task": task, "payload": payload or {}, **fields})
        assert answer.status_code == 202, answer.text
        return UUID(answer.json()["id"])

    def submit_calls(self, count: int, path: str = "/effect?ms=20", threads: int = 8) -> list[str]:
        """Many http.request jobs to the third party, each repeated with its key until it is accepted."""
        body = {
            "task": "http.request",
            "payload": {"method": "POST", "url": f"{self.third_party.url}{path}", "json": {"a": 1}},
        }
        retry = {"max_attempts": 50, "backoff": {"kind": "fixed", "delay": "200ms"}}
        clients: SimpleQueue[httpx2.Client] = SimpleQueue()
        for _ in range(threads):
            clients.put(self.new_client())

        def one(_: int) -> str:
            client, key = clients.get(), str(uuid4())
            try:
                return accepted(client, key)
            finally:
                clients.put(client)

        def accepted(client: httpx2.Client, key: str) -> str:
            while True:
                try:
                    answer = client.post("/v1/jobs", json=body | {"retry": retry}, headers={"idempotency-key": key})
                except httpx2.HTTPError:
                    time.sleep(0.05)  # the API was killed; its supervisor is at it
                    continue
                if answer.status_code in {200, 202}:
                    return str(answer.json()["id"])
                assert answer.status_code == 503, answer.text
                time.sleep(0.05)

        with ThreadPoolExecutor(threads) as pool:
            ids = list(pool.map(one, range(count)))
        for _ in range(threads):
            clients.get().close()
        return ids

    def job(self, job_id: UUID | str) -> dict[str, Any]:
        """A job, whole, through HTTP."""
        answer = self.client.get(f"/v1/jobs/{job_id}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def wait_for(self, job_id: UUID | str, *states: State, seconds: float = 20) -> dict[str, Any]:
        """Wait until a job is in one of the states (any final one, if none is named)."""
        wanted = set(states) or FINAL
        wait_until(lambda: self.job(job_id)["state"] in wanted, seconds, f"job {job_id} to be {sorted(wanted)}")
        return self.job(job_id)

    # What the ledger says

    def states(self) -> Counter[State]:
        """How many jobs are in each state."""
        found: Counter[State] = Counter()
        with Session(self.engine) as session:
            for state, count in session.execute(sa.select(Job.state, sa.func.count()).group_by(Job.state)):
                found[state] = count
        return found

    def wait_settled(self, seconds: float) -> Counter[State]:
        """Wait until every job is final."""
        try:
            wait_until(lambda: not set(self.states()) - FINAL, seconds, "all jobs to be final")
        except AssertionError as error:
            raise AssertionError(f"{error}: {dict(self.states())}\n{self.last_words()}") from None
        return self.states()

    def last_words(self) -> str:
        """The end of every part's log."""
        return "\n".join(f"--- {part.name}, {part.runs=}\n{part._last_words()}" for part in self.parts)

    def ticks(self) -> list[Any]:
        """Every recorded due time, with its job."""
        with Session(self.engine) as session:
            return list(session.execute(sa.select(Tick.at, Tick.job_id).order_by(Tick.at)))

    def check(self, accepted: list[str]) -> None:
        """The invariants that hold after every fault."""
        with Session(self.engine) as session:
            jobs = {str(job.id): job for job in session.scalars(sa.select(Job))}
            attempts = list(session.scalars(sa.select(Attempt).order_by(Attempt.job_id, Attempt.epoch)))
        assert set(accepted) <= set(jobs), "an accepted job has no row"
        assert len(set(accepted)) == len(accepted), "two requests share a job"
        assert {job.state for job in jobs.values()} <= FINAL, "a job is stuck"
        epochs = Counter(str(attempt.job_id) for attempt in attempts)
        assert all(job.epoch == epochs[job_id] for job_id, job in jobs.items()), "a claim was not recorded"
        _check_no_overlap(attempts)
        assert all(attempt.outcome is not None for attempt in attempts), "an attempt never ended"

    def _api_answers(self) -> bool:
        return _answers(f"http://127.0.0.1:{self.port}/readyz")

    def _worker_lives(self) -> bool:
        return bool(self.client.get("/readyz").json()["workers"] >= len(self.workers))


def _answers(url: str) -> bool:
    try:
        return httpx2.get(url, timeout=1, trust_env=False).status_code == 200
    except httpx2.HTTPError:
        return False


def _check_no_overlap(attempts: list[Attempt]) -> None:
    for earlier, later in pairwise(attempts):
        if earlier.job_id == later.job_id:
            assert earlier.finished_at is not None and earlier.finished_at <= later.started_at, (
                f"attempts of {later.job_id} overlap"
            )


class Monkey:
    """Kills a random part every so often, and starts it again. Its seed is printed."""

    def __init__(self, parts: list[Part], every: float, seed: int | None = None) -> None:
        self.seed = random.randrange(10**9) if seed is None else seed
        print(f"seed {self.seed}")
        self._random, self._parts, self._every = random.Random(self.seed), parts, every
        self.kills: Counter[str] = Counter()

    def torment(self, work: Callable[[], Answer]) -> Answer:
        """Kill while `work` is done (in a thread: the parts die with the thread that started them, so that is this one)."""
        with ThreadPoolExecutor(1) as pool:
            doing = pool.submit(work)
            while True:
                try:
                    return doing.result(self._every)
                except TimeoutError:
                    if doing.done():
                        raise
                self.kill_one()

    def kill_one(self) -> None:
        """Kill a random part, and start it again."""
        part = self._random.choice(self._parts)
        part.kill()
        self.kills[part.name] += 1
        part.start()
