"""The guides' lines, as a reader would paste them: one after the other in one shell, or in one Python."""

import email
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope

from tests.laboratory import Lab
from tests.localstripe import LocalStripe
from tests.servers import Valkey, free_port

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


class MailServer:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.kept: list[Envelope] = []
        self.port = free_port()
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self._controller.start()

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        self.kept.append(envelope)
        return "250 OK"

    def stop(self) -> None:
        self._controller.stop()


@pytest.fixture(scope="module")
def mails() -> Iterator[MailServer]:
    server = MailServer()
    yield server
    server.stop()


@pytest.fixture
def localstripe() -> Iterator[LocalStripe]:
    server = LocalStripe()
    server.start()
    yield server
    server.remove()


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, mails: MailServer) -> Iterator[Lab]:
    broker, folder = Valkey(), tmp_path_factory.mktemp("guide")
    smtp = f"smtp://127.0.0.1:{mails.port}"
    laboratory = Lab(f"sqlite:///{folder / 'treadle.db'}", broker, folder, accounts__smtp__url=smtp)
    yield laboratory.start()
    laboratory.close()
    broker.remove()


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", (DOCS / page).read_text(), re.MULTILINE | re.DOTALL)


def in_one_shell(blocks: list[str]) -> str:
    return "set -euo pipefail\n" + "\n".join(f"echo '--- block {n}'\n{block}" for n, block in enumerate(blocks))


def paste(command: list[str], text: str, lab: Lab, folder: Path, **environment: str) -> None:
    pasted = subprocess.run(
        [*command, text.replace("https://example.com", lab.third_party.url)],
        env={
            **os.environ,
            "URL": f"http://127.0.0.1:{lab.port}",
            "KEY": lab.key,
            "HOOK": f"{lab.third_party.url}/effect",
            "no_proxy": "127.0.0.1",
            "PYTHONPATH": str(ROOT),
            **environment,
        },
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert pasted.returncode == 0, f"{pasted.stdout[-2000:]}\n{pasted.stderr[-2000:]}\n{lab.last_words()}"


def test_every_line_of_the_guide_works_when_pasted(lab: Lab, tmp_path: Path) -> None:
    found = blocks("api.md", "sh")
    assert len(found) > 10
    paste(["bash", "-c"], in_one_shell(found), lab, tmp_path)


def test_every_line_of_the_guide_to_the_client_works_when_pasted(lab: Lab, tmp_path: Path) -> None:
    found = blocks("client.md", "python")
    assert len(found) == 5
    given = 'import os\n\nurl, key = os.environ["URL"], os.environ["KEY"]\n'
    paste([sys.executable, "-W", "error", "-c"], given + "\n".join(found), lab, tmp_path)


def test_every_line_of_the_guide_to_events_works_when_pasted(
    lab: Lab, localstripe: LocalStripe, mails: MailServer, tmp_path: Path
) -> None:
    found = blocks("events.md", "sh")
    assert len(found) == 6
    paste(["bash", "-c"], in_one_shell(found), lab, tmp_path, STRIPE=localstripe.url)
    (mail,) = mails.kept
    assert mail.rcpt_tos == ["ada@example.com"] and isinstance(mail.content, bytes)
    assert "Hello Ada, your number is cus_" in str(email.message_from_bytes(mail.content).get_payload())
    (body,) = (body for body in lab.third_party.bodies.values() if isinstance(body, dict) and body.get("name") == "Ada")
    assert body["id"].startswith("cus_")
