"""What a provider posted, what we know of the provider, and what a family makes of both."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from api import body
from api.hooks.proof import sha256
from jobs.errors import Forged, Invalid

PREFIX = "/v1/hooks"
"""Where providers post to."""


@dataclass(frozen=True)
class Post:
    """A request to a hook: the body as it came, since signatures are over its bytes."""

    headers: Mapping[str, str]  # names in lower case
    body: bytes = b""
    query: Mapping[str, str] = field(default_factory=dict)
    query_string: str = ""
    token: str = ""  # the part of the path behind the source's name
    method: str = "POST"

    def header(self, name: str) -> str:
        """A header's value.

        Raises:
            Forged: it is missing.
        """
        value = self.headers.get(name)
        if not value:
            raise Forged(f"the header {name} is missing")
        return value

    def json(self) -> Any:
        """The body as JSON, read strictly. Ask for it when the signature holds.

        Raises:
            Refused: it is none.
        """
        return body.read(self.body)

    def object(self) -> dict[str, Any]:
        """The body, which must be an object.

        Raises:
            Refused: it is no JSON.
            Invalid: it is something else.
        """
        found = self.json()
        if not isinstance(found, dict):
            raise Invalid.at("", "An object is wanted.")
        return found

    @property
    def digest(self) -> str:
        """The id of a body that has none."""
        return sha256(self.body)


@dataclass(frozen=True)
class Setup:
    """How a source was set up."""

    name: str
    secrets: Sequence[str]
    options: Mapping[str, str] = field(default_factory=dict)

    def url(self, post: Post) -> str:
        """The address that the provider knows us by, which its signature covers."""
        return self.options["url"] + (f"?{post.query_string}" if post.query_string else "")


@dataclass(frozen=True)
class Told:
    """One thing that a provider tells: an event to be. `visit`: a URL that it wants called to confirm a subscription."""

    type: str
    id: str
    data: Any
    subject: str | None = None
    at: datetime | None = None
    about: UUID | None = None
    nonce: str | None = None
    visit: str | None = None


@dataclass(frozen=True)
class Greeting:
    """The answer to a handshake."""

    body: str | dict[str, Any] = ""
    headers: Mapping[str, str] = field(default_factory=dict)


Verify = Callable[[Post, Setup], list[Told] | Greeting]
Greet = Callable[[Post, Setup], Greeting]


@dataclass(frozen=True)
class Kind:
    """A family of signatures.

    Args:
        name: what sources call it, and the first word of its events' types (of generic kinds it is the source's name).
        secret: what its secret is, in words.
        verify: what a post tells, if its signature holds.
        greet: the answer to a handshake by GET or OPTIONS.
        needs, takes: the options that must and that may be given.
        instead: an option that stands in for a secret: the signer's public key is known otherwise.
        usable: whether a text can be a secret.
        generic: whether many providers sign so.
    """

    name: str
    secret: str
    verify: Verify
    greet: Greet | None = None
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    instead: str = ""
    usable: Callable[[str], bool] = bool
    generic: bool = False

    def prefix(self, setup: Setup) -> str:
        """The first word of the types of its events."""
        return setup.name if self.generic else self.name

    def check(self, secrets: Sequence[str], options: Mapping[str, str]) -> None:
        """Whether a source can be set up so.

        Raises:
            Invalid: a secret or an option is missing, or is none of its own.
        """
        if (not secrets and self.instead not in options) or not all(map(self.usable, secrets)):
            raise Invalid.at("/secrets", f"It needs {self.secret or 'no secret'}.")
        missing = [name for name in self.needs if not options.get(name)]
        unknown = [name for name in options if name not in self.needs + self.takes]
        if missing or unknown:
            known = ", ".join(self.needs + self.takes) or "none"
            raise Invalid.at(f"/options/{(missing + unknown)[0]}", f"The options of {self.name} are: {known}.")
        if "url" in options and not urlsplit(options["url"]).netloc:
            raise Invalid.at("/options/url", "The address of this hook, as the provider has it: https://…")


KINDS: dict[str, Kind] = {}
"""All kinds, by name."""


def kind(name: str, secret: str = "", **more: Any) -> Callable[[Verify], Verify]:
    """Declare the function below as the verifier of a kind of source; see Kind for what can be said."""

    def declare(verify: Verify) -> Verify:
        KINDS[name] = Kind(name, secret, verify, **more)
        return verify

    return declare


def text(value: Any, otherwise: str = "") -> str:
    """A text that the provider sent, as an id or a type may hold it."""
    found = value if isinstance(value, str) else "" if value is None else json.dumps(value)
    return found.replace("\x00", "")[:200] or otherwise


def word(value: Any, otherwise: str = "unknown") -> str:
    """The same, as a word of a type: no blanks."""
    return "_".join(text(value).split()) or otherwise


def job_id(value: Any) -> UUID | None:
    """The job of ours that a key or a custom field names; keys of steps have more behind it."""
    try:
        return UUID(value[:36]) if isinstance(value, str) else None
    except ValueError:
        return None


def instant(seconds: Any) -> datetime | None:
    """A time in seconds since 1970, if it is one."""
    if isinstance(seconds, int | float) and 0 < seconds < 1e11:
        return datetime.fromtimestamp(seconds, UTC)
    return None


def dig(value: Any, *path: str) -> Any:
    """What stands at a path of a provider's JSON; None where there is none."""
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value
