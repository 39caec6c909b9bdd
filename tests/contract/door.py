"""The API on a real port, in this process: every answer is looked at, and the ledger is compared with what was accepted."""

import json
import re
import shutil
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from traceback import format_exception
from typing import Any, Self

import httpx2
import pytest
import sqlalchemy as sa
import structlog
import uvicorn
from sqlalchemy.orm import Session

from api import shortcut
from api.app import attach, create_app
from api.kinds import KINDS
from api.ledger import Ledger
from api.orders import JobIn
from api.schemas import PRIORITIES
from jobs import flow, keys, schedules
from jobs.keys import Scope
from jobs.model import ApiKey, IdempotencyKey, Job, Queue, Schedule
from jobs.policy import RetryPolicy
from jobs.queues import check as check_queue
from runtime import clock, database
from runtime.broker import Hint
from runtime.publisher import publisher
from runtime.settings import settings
from tasks import catalogue
from tests import make

PATIENCE = timedelta(seconds=10)  # the machine is shared; no test here is about a slow database
SCOPES: tuple[Scope, ...] = ("read", "operate", "write", "admin")
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
NO_HTTP = b"Invalid HTTP request received."
asked: Counter[int] = Counter()
"""Every answer of this session that a door looked at, by its status; 0: none, for half a request."""

DOCUMENT: dict[str, Any] = json.loads(json.dumps(create_app().openapi()))
_OPERATIONS = [
    (re.compile(re.sub(r"\{\w+\}", "[^/]+", path.replace(".", r"\."))), operations)
    for path, operations in sorted(DOCUMENT["paths"].items())
]
_counting = threading.Lock()
_MAKES_JOB = re.compile(r"/v1/jobs|/v1/jobs/[^/]+/replay|/v1/schedules/[^/]+/run|/v1/providers/[^/]+/check")


class Door:
    """Requests go through a real socket and uvicorn's parser. The ledger is that in use by this process."""

    def __init__(self, patience: timedelta = PATIENCE) -> None:
        with database.transaction() as session:
            self.keys = {scope: keys.create(session, f"door {scope}", scope) for scope in SCOPES}
        self.app = create_app()
        attach(self.app, Ledger(patience))
        self.log: list[Any] = []  # what the application says, with the traceback of every bug
        self._listening = _listen(self.log)
        self.jobs_made = self.schedules_made = self.keys_made = 0
        self._jobs_before, self._schedules_before = self._count(Job), self._count(Schedule)
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=256)  # it listens: who is early, waits
        self.port: int = self._socket.getsockname()[1]
        self._server = uvicorn.Server(
            uvicorn.Config(shortcut.past(self.app), lifespan="off", log_config=None, access_log=False, proxy_headers=False)
        )
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), name="door")
        self._thread.start()
        self.url = f"http://127.0.0.1:{self.port}"
        self.client = self.new_client()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self._server.should_exit = True
        self._thread.join(20)
        self._socket.close()
        self.app.state.ledger.close()
        structlog.configure(**self._listening)
        assert not self._thread.is_alive(), "the server did not end"

    def new_client(self, scope: Scope = "admin") -> httpx2.Client:
        """A client with a key of that scope."""
        return httpx2.Client(base_url=self.url, headers=self.authority(scope), timeout=20, trust_env=False)

    def authority(self, scope: Scope = "admin") -> dict[str, str]:
        """The header that a key of that scope goes in."""
        return {"authorization": f"Bearer {self.keys[scope]}"}

    # Asking

    def ask(self, method: str, path: str, **given: Any) -> httpx2.Response:
        """One request; its answer must be a proper one, and what it says it made is remembered."""
        answer = self.client.request(method, path, **given)
        self.look_at(method, answer.url.path, answer.status_code, answer.headers, answer.content)
        return answer

    def post_job(self, task: str = "http.request", **fields: Any) -> httpx2.Response:
        """POST /v1/jobs, with a payload that works unless another is given."""
        fields.setdefault("payload", {"url": "https://example.com/"})
        headers = fields.pop("headers", None)
        return self.ask("POST", "/v1/jobs", json={"task": task, **fields}, headers=headers)

    def say(self, method: str, path: str, *parts: bytes, leave: bool = False) -> int | None:
        """Bytes behind a request line, as they are, on a connection of their own, which the caller may then leave.

        Returns:
            The status of the first answer, or None if the request was not whole and so got none.
        """
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            with suppress(OSError):  # the door has said all that it will, and that can be read
                connection.sendall(f"{method} {path} HTTP/1.1\r\nHost: door\r\n".encode("latin-1"))
                for part in parts:
                    connection.sendall(part)
                if leave:
                    connection.shutdown(socket.SHUT_WR)
            answer = _read_answer(connection)
        if answer is None:
            asked[0] += 1
        elif answer[2] == NO_HTTP:  # said by uvicorn, before there is a request that could have a problem
            asked[400] += 1
        else:
            self.look_at(method, path.partition("?")[0], *answer)
        return answer[0] if answer else None

    # Looking

    def look_at(self, method: str, path: str, status: int, headers: httpx2.Headers, body: bytes) -> None:
        """The answer is no failure of ours, and every error is a problem."""
        with _counting:
            asked[status] += 1
            self._count_made(method, path, status, body)
        assert status < 500, f"{method} {path} was answered with {status}: {body[:2000]!r}\n{self.log[-1:]}"
        check_documented(method, path, status)
        if status >= 400 and method != "HEAD":
            check_problem(status, headers, body)

    def _count_made(self, method: str, path: str, status: int, body: bytes) -> None:
        match method, status:
            case "POST", 202 if _MAKES_JOB.fullmatch(path):
                self.jobs_made += 1
            case "POST", 202 | 207 if path == "/v1/jobs/bulk":
                self.jobs_made += [result["status"] for result in json.loads(body)["results"]].count(202)
            case "POST", 200 | 202 if path.startswith("/v1/events"):
                self.jobs_made += _made_by_events(json.loads(body))
            case "POST", 201 if path == "/v1/schedules":
                self.schedules_made += 1
            case "POST", 201 if path == "/v1/keys":
                self.keys_made += 1
            case "DELETE", 204 if path.startswith("/v1/schedules/"):
                self.schedules_made -= 1

    def check_ledger(self) -> None:
        """Nothing is stored but what was accepted, and all of that would be accepted again."""
        assert self._count(Job) - self._jobs_before == self.jobs_made, "jobs in the ledger differ from those accepted"
        assert self._count(Schedule) - self._schedules_before == self.schedules_made, "schedules differ from those accepted"
        assert self._count(ApiKey) - self.keys_made == len(SCOPES)
        with database.snapshot() as session:
            for job in session.scalars(sa.select(Job)):
                _check_job(job)
            for schedule in session.scalars(sa.select(Schedule)):
                _check_schedule(schedule)
            for key in session.scalars(sa.select(IdempotencyKey)):
                assert re.fullmatch(r"[\x21-\x7e]{1,255}|bulk [0-9a-f]{64} \d+", key.key)
                assert session.get(Job, key.job_id) is not None, "a key stands for no job"
            for queue in session.scalars(sa.select(Queue)):
                check_queue(queue.name)

    def forget(self) -> None:
        """Empty the ledger of jobs and schedules, as if none had been made."""
        with Session(database.engine()) as session, session.begin():
            for table in (IdempotencyKey, Job, Schedule):
                session.execute(sa.delete(table))
        self.jobs_made = self.schedules_made = self._jobs_before = self._schedules_before = 0

    @staticmethod
    def _count(table: type[Any]) -> int:
        with database.snapshot() as session:
            return session.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def _listen(heard: list[Any]) -> dict[str, Any]:
    """Have all log lines go to the list; the configuration to restore."""

    def keep(_: object, __: str, event: dict[str, Any]) -> Any:
        error = event.pop("exc_info", None)
        heard.append(event | ({"traceback": "".join(format_exception(error))[-3000:]} if error else {}))
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[keep])
    return before


@contextmanager
def on_sqlite(template: Path, folder: Path, **values: str) -> Iterator[Door]:
    """A door on a new SQLite ledger, with settings of its own; nothing is published."""
    shutil.copy(template, folder / "treadle.db")
    engine = make.hasty_sqlite(folder / "treadle.db")
    offered: list[Hint] = []
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"home": str(folder), **values}.items():
            patch.setenv(f"TREADLE_{name.upper()}", value)
        patch.setattr(publisher, "offer", offered.extend)
        settings.cache_clear()
        database.use(engine)
        flow.window.__init__()
        try:
            with Door() as door:
                yield door
        finally:
            database.use(None)
            flow.window.__init__()
    settings.cache_clear()


def _made_by_events(answer: dict[str, Any]) -> int:
    """The jobs of an event, of each of a batch, or of a replay, but for those that it had made before."""
    accepted = answer["events"] if isinstance(answer.get("events"), list) else [answer]
    return sum(len(each.get("jobs", ())) for each in accepted if not each.get("duplicate"))


def check_documented(method: str, path: str, status: int) -> None:
    """The document names the status, if the request is one of its operations."""
    operations = next((found for pattern, found in _OPERATIONS if pattern.fullmatch(path)), {})
    if operation := operations.get(method.lower()):
        assert str(status) in operation["responses"], f"{method} {path} was answered with {status}, which is undocumented"


def check_problem(status: int, headers: httpx2.Headers, body: bytes) -> dict[str, Any]:
    """The answer is a problem of a kind that is documented, and names its request."""
    assert headers["content-type"] == "application/problem+json", f"{status} is no problem: {headers} {body[:500]!r}"
    problem: dict[str, Any] = json.loads(body)
    assert problem.keys() >= {"type", "title", "status", "detail", "request_id"}, problem
    kind = problem["type"].removeprefix("/problems/")
    assert problem["status"] == status == KINDS[kind].status, problem
    assert problem["title"] == KINDS[kind].title
    assert problem["detail"].strip(), problem
    assert problem["request_id"] == headers["x-request-id"]
    for wrong in problem.get("errors", []):
        assert wrong.keys() == {"pointer", "detail"}, wrong
        assert wrong["pointer"] == "" or wrong["pointer"].startswith("/"), wrong
    return problem


def _check_job(job: Job) -> None:
    catalogue.find(job.task).read(job.payload)
    json.dumps(job.payload, allow_nan=False, ensure_ascii=False).encode()
    again = {
        "task": job.task, "payload": job.payload, "queue": check_queue(job.queue), "priority": PRIORITIES[job.priority],
        "run_at": job.run_at, "expires_at": job.expires_at, "timeout": job.timeout, "retry": job.retry, "tags": job.tags,
    }  # fmt: skip
    JobIn.model_validate(again if job.schedule_id else again | {"metadata": job.meta})


def _check_schedule(schedule: Schedule) -> None:
    rendered = schedules.render(schedule.payload, schedule.name, clock.now())
    catalogue.find(schedule.task).read(rendered)
    RetryPolicy.model_validate(schedule.retry)
    check_queue(schedule.queue)
    schedules.timetable(schedule).check()


def _read_answer(connection: socket.socket) -> tuple[int, httpx2.Headers, bytes] | None:
    """The first answer on a connection, whole; None if there is none."""
    heard = b""
    with suppress(ConnectionResetError):
        while part := connection.recv(65_536):
            heard += part
            heard = heard.removeprefix(CONTINUE)
            head, found, body = heard.partition(b"\r\n\r\n")
            line, *lines = head.split(b"\r\n")
            headers = httpx2.Headers([(name, value.strip()) for name, _, value in (each.partition(b":") for each in lines)])
            if found and len(body) >= int(headers.get("content-length", "0")):
                return int(line.split()[1]), headers, body[: int(headers.get("content-length", "0"))]
    assert not heard, f"the connection ended before the answer did: {heard[:2000]!r}"
    return None
