"""What the sandbox caught, in memory: the last thousand mails and calls."""

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage, MIMEPart
from email.policy import default
from typing import Any

from cli.sandbox.stand_in import Call, Said, StandIn

KEPT = 1000
SHOWN = ("content-type", "idempotency-key", "paypal-request-id", "webhook-id", "webhook-timestamp", "webhook-signature")


@dataclass(frozen=True)
class Mail:
    """A mail as it came by SMTP."""

    at: datetime
    sender: str
    recipients: list[str]
    message: EmailMessage

    def shown(self) -> dict[str, Any]:
        """As JSON."""
        headers = {name: str(value) for name, value in self.message.items()}
        return {"at": self.at.isoformat(), "from": self.sender, "to": self.recipients, "headers": headers, **self._bodies()}

    def _bodies(self) -> dict[str, str | None]:
        found = {kind: self.message.get_body((kind,)) for kind in ("plain", "html")}
        text, html = (None if part is None else _content(part) for part in found.values())
        return {"text": text, "html": html}


def _content(part: MIMEPart) -> str:
    try:
        return str(part.get_content())
    except LookupError:  # a charset that nobody knows
        return str(part.get_payload())


@dataclass(frozen=True)
class Answered:
    """A call and what was said to it. `repeats` is the number of the call that it repeats."""

    call: Call
    said: Said
    repeats: int | None = None

    def shown(self) -> dict[str, Any]:
        """As JSON; of the headers those that are no secrets."""
        call = self.call
        return {
            "number": call.number,
            "at": call.at.isoformat(),
            "provider": call.provider,
            "method": call.method,
            "path": call.path + (f"?{call.query}" if call.query else ""),
            "headers": {name: value for name, value in call.headers.items() if name in SHOWN},
            "body": call.body.decode(errors="replace"),
            "status": self.said.status,
            "answer": self.said.content().decode(errors="replace"),
            "repeats": self.repeats,
        }


class Caught:
    """Takes mails and calls, and keeps so many of each; answers the calls. Safe to use from any thread."""

    def __init__(self, stand_ins: Mapping[str, StandIn], kept: int = KEPT) -> None:
        self._stand_ins = stand_ins
        self._lock = threading.Lock()
        self._number = 0
        self._by_key: dict[tuple[str, str], Answered] = {}
        self.mails: deque[Mail] = deque(maxlen=kept)
        self.calls: deque[Answered] = deque(maxlen=kept)

    def mail(self, sender: str, recipients: list[str], content: bytes) -> None:
        """Take a mail."""
        message = message_from_bytes(content, _class=EmailMessage, policy=default)
        self.mails.append(Mail(datetime.now(UTC), sender, recipients, message))

    def call(self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> Said:
        """Take a call, and answer it as the provider that its path begins with; what is nobody's is a webhook."""
        first, _, rest = path.strip("/").partition("/")
        provider = first if first in self._stand_ins else None
        with self._lock:
            self._number += 1
            now, where = datetime.now(UTC), path if provider is None else f"/{rest}"
            call = Call(self._number, now, provider, method, where, query, headers, body)
            answered = Answered(call, Said(json={"received": len(body)})) if provider is None else self._play(provider, call)
            self.calls.append(answered)
        return answered.said

    def _play(self, provider: str, call: Call) -> Answered:
        stand_in = self._stand_ins[provider]
        key = stand_in.key(call) if call.body or call.method != "GET" else None
        before = self._by_key.get((provider, key)) if key is not None else None
        if before is not None:
            return replace(before, call=call, repeats=before.call.number)
        earlier = [each.call for each in self.calls if each.call.provider == provider]
        answered = Answered(call, stand_in.answer(call, earlier))
        if key is not None:
            self._by_key[provider, key] = answered
        return answered

    def shown(self) -> dict[str, Any]:
        """All of it as JSON, the newest first."""
        mails, calls = list(self.mails), list(self.calls)
        return {"mails": [mail.shown() for mail in reversed(mails)], "calls": [call.shown() for call in reversed(calls)]}
