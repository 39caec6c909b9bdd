"""The laboratory: the whole product as real processes, a broker, a database and a third party, and ways to hurt them."""

import os
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
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
from tests import failpoints, invariants
from tests.monkey import ChildOf, Monkey
from tests.servers import Server, Valkey, free_port, wait_until
from tests.third_party import ThirdParty

__all__ = ["ROOT", "ChildOf", "Lab", "Monkey", "Part"]

Answer = TypeVar("Answer")
ROOT = Path(__file__).parents[1]


class Part(Server):
    """One of our processes."""

    def __init__(
        self, name: str, command: list[str], environment: dict[str, str], answers: Callable[[], bool] = lambda: True
    ) -> None:
        self.name, self._given, self._vars, self._ready = name, command, environment, answers
        super().__init__()

    def arm(self, failpoints: str) -> None:
        """From its next start on it fails at these points (see tests/failpoints.py); "" disarms."""
        self._vars = self._vars | {"TREADLE_FAILPOINTS": failpoints}

    def _command(self) -> list[str]:
        altered = self._vars.get("TREADLE_FAILPOINTS") or self._vars.get("TREADLE_WITHOUT")
        return [sys.executable, "-m", *(["tests.failpoints"] if altered else []), *self._given]

    def _environment(self) -> dict[str, str]:
        return self._vars

    def _answers(self) -> bool:
        return self._ready()


class Lab:
    """API, worker and scheduler around a broker and a ledger. Everything ends with it."""

    patience = 45.0  # seconds that `check` gives all jobs to end, if a worker and a scheduler live; 0: they need not

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
            ["uvicorn", "api.app:app", *self._door(), "--no-access-log"],
            self.environment,
            self._api_answers,
        )
        self.parts = [self.api]
        self.accepted: set[UUID] = set()
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

    def add_worker(
        self, pool: str = "threads", slots: int = 16, queues: str = "default,cpu", beat: bool = False, **settings: str
    ) -> Part:
        """Start one more worker. `beat`: it is a scheduler as well."""
        name = f"worker{len(self.workers)}"
        settings["worker_pool"] = pool
        command = ["workers", "--concurrency", str(slots), "--queues", queues, "--name", name]
        environment = {**self.environment, **{f"TREADLE_{key.upper()}": value for key, value in settings.items()}}
        part = Part(name, command + ["--beat"] * beat, environment)
        self.workers.append(part)
        self.schedulers += [part] * beat
        return self._add(part)

    def add_scheduler(self) -> Part:
        """Start one more scheduler."""
        part = Part(f"scheduler{len(self.schedulers)}", ["scheduler"], self.environment)
        self.schedulers.append(part)
        return self._add(part)

    def _add(self, part: Part) -> Part:
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

    def start(self, pool: str = "threads", slots: int = 16, **settings: str) -> "Lab":
        """The usual set: one of each, the worker as told."""
        self.add_worker(pool, slots, beat=False, **settings)
        self.add_scheduler()
        self.api.start()  # the one that is waited for
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

    def new_client(self, **options: Any) -> httpx2.Client:
        return httpx2.Client(
            base_url=f"http://127.0.0.1:{self.port}",
            headers={"authorization": f"Bearer {self.key}"},
            timeout=5,
            trust_env=False,
            event_hooks={"response": [self._note_accepted]},
            **options,
        )

    def _note_accepted(self, answer: httpx2.Response) -> None:
        where = answer.headers.get("location", "")
        if answer.request.method == "POST" and answer.is_success and where.startswith("/v1/jobs/"):
            self.accepted.add(UUID(where.removeprefix("/v1/jobs/")))

    def submit(self, task: str = "probe.run", payload: Any = None, **fields: Any) -> UUID:
        """One job through HTTP, which must be accepted."""
        answer = self.client.post("/v1/jobs", json={"task": task, "payload": payload or {}, **fields})
        assert answer.status_code == 202, answer.text
        return UUID(answer.json()["id"])

    def submit_calls(self, count: int, path: str = "/effect?ms=20", threads: int = 8) -> list[str]:
        """Many http.request jobs to the third party, each repeated with its key until it is accepted."""
        retry = {"max_attempts": 50, "backoff": {"kind": "fixed", "delay": "200ms"}}
        clients: SimpleQueue[httpx2.Client] = SimpleQueue()
        for _ in range(threads):
            clients.put(self.new_client())

        def one(_: int) -> str:
            client, order = clients.get(), str(uuid4())
            try:
                return accepted(client, order)
            finally:
                clients.put(client)

        def accepted(client: httpx2.Client, order: str) -> str:
            payload = {"method": "POST", "url": f"{self.third_party.url}{path}", "json": {"order": order}}
            body = {"task": "http.request", "payload": payload, "retry": retry}
            while True:
                try:
                    answer = client.post("/v1/jobs", json=body, headers={"idempotency-key": order})
                    if answer.status_code in {200, 202}:
                        return str(answer.json()["id"])
                    assert answer.status_code in {409, 503}, answer.text
                except httpx2.TransportError:
                    pass  # the API was killed; its supervisor is at it
                time.sleep(0.05)

        with ThreadPoolExecutor(threads) as pool:
            ids = list(pool.map(one, range(count)))
        for _ in range(threads):
            clients.get().close()
        assert len(set(ids)) == count, "two requests share a job"
        return ids

    @contextmanager
    def paused(self, queue: str = "default") -> Iterator[None]:
        """Within, no job of the queue begins: what is submitted is all there when a fault comes."""
        assert self.client.post(f"/v1/queues/{queue}/pause").is_success
        yield
        assert self.client.post(f"/v1/queues/{queue}/resume").is_success

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

    def reading(self) -> Session:
        """A session that takes no write lock: those are for the parts."""
        return Session(self.engine.execution_options(read_only=True))

    def states(self) -> Counter[State]:
        """How many jobs are in each state."""
        found: Counter[State] = Counter()
        with self.reading() as session:
            for state, count in session.execute(sa.select(Job.state, sa.func.count()).group_by(Job.state)):
                found[state] = count
        return found

    def keep_up(self) -> None:
        """Start again what ended by itself, as a supervisor does."""
        for part in self.parts:
            if part.process is not None and not part.runs:
                part.start()

    def supervise(self, work: Callable[[], Answer]) -> Answer:
        """Do the work, in a thread, and start again what ends meanwhile."""
        with ThreadPoolExecutor(1) as pool:
            doing = pool.submit(work)
            while not doing.done():
                self.keep_up()
                wait([doing], 0.1)
            return doing.result()

    def wait_progress(self, seconds: float = 60) -> None:
        """Wait until the third party has answered one more call."""
        before = self.third_party.count()
        wait_until(lambda: self.third_party.count() > before, seconds, "one more call to the third party")

    def struck(self) -> Counter[str]:
        """How many workers, or their children, died at each fail point."""
        logs = "".join(part.log.read_text(errors="replace") for part in self.workers)
        return Counter(re.findall(rf"^{failpoints.SAID}(.*)$", logs, re.MULTILINE))

    def starts(self) -> int:
        """How many attempts there were of all jobs."""
        with self.reading() as session:
            return session.scalars(sa.select(sa.func.count()).select_from(Attempt)).one()

    def lateness(self) -> list[float]:
        """How long each job waited for its first attempt once it was due; in seconds, in rising order."""
        query = (
            sa.select(Attempt.started_at, Job.created_at, Job.id)
            .join(Job, Job.id == Attempt.job_id)
            .where(Attempt.epoch == 1)
        )
        with self.reading() as session:
            return sorted((started - created).total_seconds() for started, created, _ in session.execute(query))

    def wait_settled(self, seconds: float) -> Counter[State]:
        """Wait until every job is final, with a supervisor at work."""

        def settled() -> bool:
            self.keep_up()
            return not set(self.states()) - FINAL

        try:
            wait_until(settled, seconds, "all jobs to be final")
        except AssertionError as error:
            raise AssertionError(f"{error}: {dict(self.states())}\n{self.last_words()}") from None
        return self.states()

    def last_words(self) -> str:
        """The end of every part's log."""
        return "\n".join(f"--- {part.name}, {part.runs=}\n{part._last_words()}" for part in self.parts)

    def ticks(self) -> list[Any]:
        """Every recorded due time, with its job."""
        with self.reading() as session:
            return list(session.execute(sa.select(Tick.at, Tick.job_id).order_by(Tick.at)))

    def check(self) -> None:
        """The invariants of tests/invariants.py. The fixture asks for them after every test, so that no test can forget."""
        if self.patience and any(part.runs for part in self.workers) and any(part.runs for part in self.schedulers):
            self.wait_settled(self.patience)
            invariants.check_settled(self.engine)
        invariants.check(self.engine, self.accepted, self.third_party)

    def _door(self) -> list[str]:
        return ["--port", str(self.port), "--no-proxy-headers", "--no-server-header"]  # as `treadle up` starts it

    def _api_answers(self) -> bool:
        return _answers(f"http://127.0.0.1:{self.port}/readyz")

    def _worker_lives(self) -> bool:
        return bool(self.client.get("/readyz").json()["workers"] >= len(self.workers))


def _answers(url: str) -> bool:
    try:
        return httpx2.get(url, timeout=1, trust_env=False).status_code == 200
    except httpx2.HTTPError:
        return False
