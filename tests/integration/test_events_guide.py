"""The guide's lines, as a reader would paste them: from a webhook that localstripe signs to an e-mail and a search index."""

import email
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope

from tests.laboratory import Lab
from tests.localstripe import LocalStripe
from tests.servers import Valkey, free_port

PAGE = Path(__file__).parents[2] / "docs" / "events.md"


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


@pytest.fixture
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


@pytest.fixture
def lab(tmp_path: Path, mails: MailServer) -> Iterator[Lab]:
    broker = Valkey()
    smtp = f"smtp://127.0.0.1:{mails.port}"
    laboratory = Lab(f"sqlite:///{tmp_path / 'treadle.db'}", broker, tmp_path, accounts__smtp__url=smtp)
    yield laboratory.start()
    laboratory.close()
    broker.remove()


def test_every_line_of_the_guide_works_when_pasted(
    lab: Lab, localstripe: LocalStripe, mails: MailServer, tmp_path: Path
) -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 6
    script = "set -euo pipefail\n" + "\n".join(f"echo '--- block {n}'\n{block}" for n, block in enumerate(blocks))
    pasted = subprocess.run(
        ["bash", "-c", script.replace("https://example.com", lab.third_party.url)],
        env={
            **os.environ,
            "URL": f"http://127.0.0.1:{lab.port}",
            "KEY": lab.key,
            "STRIPE": localstripe.url,
            "no_proxy": "127.0.0.1",
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert pasted.returncode == 0, f"{pasted.stdout[-2000:]}\n{pasted.stderr[-2000:]}\n{lab.last_words()}"
    (mail,) = mails.kept
    assert mail.rcpt_tos == ["ada@example.com"] and isinstance(mail.content, bytes)
    assert "Hello Ada, your number is cus_" in str(email.message_from_bytes(mail.content).get_payload())
    (body,) = lab.third_party.bodies.values()
    assert body["name"] == "Ada" and body["id"].startswith("cus_")
