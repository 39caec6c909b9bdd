"""What plays a provider: the account that calls it, and what it answers. Each stands in a file of `stand_ins`."""

import importlib
import json
import pkgutil
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl


@dataclass(frozen=True)
class Said:
    """What is answered: `json`, or `body` as it is."""

    status: int = 200
    json: Any = None
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def content(self) -> bytes:
        """The body as bytes."""
        return self.body if self.json is None else json.dumps(self.json).encode()


@dataclass(frozen=True)
class Call:
    """A request that was caught; its names of headers in lower case, its path without the provider's prefix."""

    number: int
    at: datetime
    provider: str | None  # None: nobody's, so a webhook
    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Its body as JSON."""
        return json.loads(self.body)

    @cached_property
    def form(self) -> dict[str, str]:
        """Its body as a form, in either encoding."""
        kind = self.headers.get("content-type", "")
        if not kind.startswith("multipart/"):
            return dict(parse_qsl(self.body.decode()))
        boundary = EmailMessage()
        boundary["content-type"] = kind
        parts = self.body.split(b"--" + boundary["content-type"].params["boundary"].encode())
        found = (re.search(rb'name="([^"]+)".*?\r\n\r\n(.*)\r\n', part, re.DOTALL) for part in parts)
        return {match[1].decode(): match[2].decode(errors="replace") for match in found if match}

    def id(self, prefix: str = "", size: int = 12) -> str:
        """An id for what it made: different for each call."""
        return f"{prefix}{self.number:0{size}d}"


Earlier = Sequence[Call]
Answering = Callable[[Call, Earlier], Said]
"""Makes the answer to a call; the earlier ones to this provider are given, the newest last."""


@dataclass(frozen=True)
class StandIn:
    """What plays one provider.

    Args:
        account: the fields of an account but for its address; a function, if they need a library that may be missing.
        answers: by method and path ("POST /v1/charges/*"; a star stands for anything), the answer or what makes it. The
            first that fits counts. What fits none gets a 404.
        key: finds what makes two calls the same, as the provider sees it: the second gets the answer of the first.
        address: the account's fields that hold the stand-in's address.
    """

    account: Mapping[str, Any] | Callable[[], Mapping[str, Any]]
    answers: Mapping[str, Said | Answering]
    key: Callable[[Call], str | None] = lambda call: None
    address: Callable[[str], Mapping[str, str]] = lambda url: {"base_url": url}

    def fields(self, url: str) -> dict[str, Any]:
        """An account that calls it. Raises ImportError if a library is missing, and then so is the provider's own."""
        return {**(self.account() if callable(self.account) else self.account), **self.address(url)}

    def answer(self, call: Call, earlier: Earlier) -> Said:
        """What is said to a call."""
        for route, said in self.answers.items():
            if _fits(route, f"{call.method} {call.path}"):
                return said(call, earlier) if callable(said) else said
        return Said(404, {"message": f"The stand-in of {call.provider} has no answer to {call.method} {call.path}."})


def _fits(route: str, call: str) -> bool:
    return re.fullmatch(re.escape(route).replace(r"\*", ".+"), call) is not None


def stand_ins() -> dict[str, StandIn]:
    """All stand-ins, by provider."""
    package = importlib.import_module("cli.sandbox.stand_ins")
    found: dict[str, StandIn] = {}
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        found |= importlib.import_module(module.name).STAND_INS
    return found
