"""Who may speak with the broker: users with the least rights, and TLS that verifies the other side."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from jobs.states import State
from tests.brokers import RabbitMQ, TlsFront
from tests.laboratory import ROOT, Lab
from tests.servers import Valkey
from tests.unit.tasks.peers import certified

RIGHTS = dict(re.findall(r"^ACL SETUSER (\w+) +on >… (.+)$", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE))

_PUBLISH = """
from uuid import uuid4
from runtime.broker import Hint, Lanes, Outlet
Outlet().publish([Hint(uuid4(), "probe.run", "default", 1)])
print(Lanes().depth("default"))
"""


@pytest.fixture
def broker() -> Iterator[Valkey]:
    """A Valkey with the two users that the documentation tells operators to make, and an administrator."""
    server = Valkey()
    with redis.Redis(port=server.port) as client:
        for user, rights in RIGHTS.items():
            client.execute_command("ACL", "SETUSER", user, "reset", "on", f">{user}-password", *rights.split())
        client.execute_command("ACL", "SETUSER", "default", "resetpass", ">administrator")
    yield server
    server.remove()


def test_the_parts_work_as_users_with_the_least_rights(broker: Valkey, tmp_path: Path) -> None:
    address = f"127.0.0.1:{broker.port}/0"
    lab = Lab(f"sqlite:///{tmp_path / 'treadle.db'}", broker, tmp_path, broker_url=f"redis://door:door-password@{address}")
    try:
        lab.api.start()
        lab.add_scheduler()
        lab.add_worker(broker_url=f"redis://worker:worker-password@{address}")
        for job_id in (lab.submit(), lab.submit(priority="high"), lab.submit("probe.cpu"), lab.submit(delay="1s")):
            lab.wait_for(job_id, State.SUCCEEDED)
        lab.workers[0].restart()
        lab.wait_for(lab.submit(), State.SUCCEEDED)
    finally:
        lab.close()
    with redis.Redis(port=broker.port, password="administrator", decode_responses=True) as client:
        assert client.acl_log() == [], "a command was denied"


@pytest.mark.parametrize("command", ["BRPOP default 1", "FLUSHALL", "KEYS *", "CONFIG GET *", "EVAL return 0", "SET x 1"])
def test_who_may_only_send_hints_can_neither_take_them_nor_do_harm(broker: Valkey, command: str) -> None:
    with (
        redis.Redis(port=broker.port, username="door", password="door-password") as client,
        pytest.raises(redis.exceptions.NoPermissionError),
    ):
        client.execute_command(*command.split())


@pytest.mark.parametrize("scheme", ["rediss", "amqps"])
def test_tls_to_the_broker_is_verified_without_being_asked(
    scheme: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    server: Valkey | RabbitMQ = request.getfixturevalue("valkey" if scheme == "rediss" else "rabbitmq")
    user = "guest:guest@" if scheme == "amqps" else ""
    with _front("127.0.0.1", server.port, tmp_path / "right") as (port, certificate):
        trusted = _publish(f"{scheme}://{user}127.0.0.1:{port}//", SSL_CERT_FILE=str(certificate))
        unknown = _publish(f"{scheme}://{user}127.0.0.1:{port}//")
    with _front("elsewhere.example", server.port, tmp_path / "wrong") as (port, certificate):
        misnamed = _publish(f"{scheme}://{user}127.0.0.1:{port}//", SSL_CERT_FILE=str(certificate))
    assert (trusted.returncode, trusted.stdout) == (0, "1\n"), trusted.stderr[-1000:]
    for refused in (unknown, misnamed):
        assert refused.returncode != 0
        assert "CERTIFICATE_VERIFY_FAILED" in refused.stderr


@contextmanager
def _front(name: str, port: int, folder: Path) -> Iterator[tuple[int, Path]]:
    folder.mkdir()
    context, certificate = certified(folder, name)
    front = TlsFront(context, port)
    yield front.port, certificate
    front.close()


def _publish(url: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Publish one hint in a process of its own, and print how many wait."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TREADLE_BROKER_URL": url, **variables}
    command = [sys.executable, "-W", "ignore", "-c", _PUBLISH]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
