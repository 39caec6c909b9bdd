"""`treadle keys`: who may call. Over the API where one is named; else on the database itself, as the first key must be."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import given, show
from cli.complaint import Complaint
from cli.remote import Door, Shown, opening, reached

app = typer.Typer(
    help="Make, rotate and revoke API keys: over the API if --url or TREADLE_URL is given, else on the database itself.",
    no_args_is_help=True,
)
KeyId = Annotated[str, typer.Argument(metavar="ID", help="The key's id: tr_<id>_…")]


class Scope(StrEnum):
    """What a key allows; each holds those before it."""

    READ = "read"
    OPERATE = "operate"
    WRITE = "write"
    ADMIN = "admin"


class Keys(Shown, ABC):
    """Where keys are kept. Answers are in the words of /v1/keys; all may raise Complaint."""

    @abstractmethod
    def make(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """Make a key; the answer holds its secret."""

    @abstractmethod
    def listed(self) -> dict[str, Any]:
        """All keys."""

    @abstractmethod
    def one(self, key_id: str) -> dict[str, Any]:
        """One key."""

    @abstractmethod
    def rotate(self, key_id: str, overlap: str) -> dict[str, Any]:
        """Give a key another secret, which the answer holds."""

    @abstractmethod
    def revoke(self, key_id: str) -> None:
        """End a key."""


class RemoteKeys(Keys):
    """Those of an API, of which the caller must be an admin."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def make(self, wanted: dict[str, Any]) -> Any:
        return self._door.ask("POST", "/v1/keys", body=wanted)

    def listed(self) -> Any:
        return self._door.ask("GET", "/v1/keys", params={"ended": True})

    def one(self, key_id: str) -> Any:
        return self._door.ask("GET", "/v1/keys/{}", key_id)

    def rotate(self, key_id: str, overlap: str) -> Any:
        return self._door.ask("POST", "/v1/keys/{}/rotate", key_id, body={"overlap": overlap})

    def revoke(self, key_id: str) -> None:
        self._door.ask("DELETE", "/v1/keys/{}", key_id)


@contextmanager
def _found(url: str, key: str, home: Path) -> Iterator[Keys]:
    if url:
        with reached(url, key, home) as door:
            yield RemoteKeys(door)
    else:
        from cli.ledger_keys import LedgerKeys, ledger  # noqa: PLC0415 - `treadle up` must not carry SQLAlchemy

        with ledger():
            yield LedgerKeys()


keyring = opening(_found)


@app.command()
@keyring
def create(
    keys: Keys,
    name: Annotated[str, typer.Argument(help="Who will use it.")],
    scope: Annotated[Scope, typer.Option(help="read, operate (cancel, retry), write (submit) or admin.")] = Scope.WRITE,
    lifetime: Annotated[str | None, typer.Option(help='Ends after this long: "90d". Never if not given.')] = None,
    task: Annotated[
        list[str] | None, typer.Option(help='Reaches only jobs of this task, or "stripe.*"; repeatable.')
    ] = None,
    queue: Annotated[list[str] | None, typer.Option(help="And only those in this queue; repeatable.")] = None,
    blind: Annotated[bool, typer.Option("--blind", help="Sees no payloads, results and errors; for --scope read.")] = False,
    quota: Annotated[int | None, typer.Option(min=1, help="Requests a minute; TREADLE_QUOTA if not given.")] = None,
) -> None:
    """Make a key and print it. It is shown this once."""
    if blind and scope is not Scope.READ:
        raise Complaint("A key that may change jobs is shown what it changes: --blind goes with --scope read only.")
    wanted = given.without_empty(lifetime=lifetime, tasks=task, queues=queue, blind=blind, quota=quota)
    keys.show(keys.make({"name": name, "scope": scope.value, **wanted}), _show_secret)


@app.command()
@keyring
def rotate(
    keys: Keys,
    key_id: KeyId,
    overlap: Annotated[str, typer.Option(help="The secret before is taken for so much longer.")] = "1h",
) -> None:
    """Give a key another secret and print it. It is shown this once."""
    keys.show(keys.rotate(_id_of(key_id), overlap), _show_secret)


@app.command("list")
@keyring
def list_(keys: Keys) -> None:
    """List the keys: their ids, never their secrets."""
    keys.show(keys.listed(), _show_all)


@app.command("show")
@keyring
def show_(keys: Keys, key_id: KeyId) -> None:
    """Show what a key may do."""
    keys.show(keys.one(_id_of(key_id)), lambda key: show.fields(key.items()))


@app.command()
@keyring
def revoke(keys: Keys, key_id: KeyId) -> None:
    """End a key at once."""
    keys.revoke(_id_of(key_id))
    show.line(f"{_id_of(key_id)} is revoked")


def _id_of(given: str) -> str:
    return given.split("_")[1] if given.startswith("tr_") and given.count("_") > 1 else given


def _show_secret(made: dict[str, Any]) -> None:
    print(made["key"])


def _show_all(answer: dict[str, Any]) -> None:
    rows = [
        (
            key["id"],
            key["name"],
            f"{key['scope']}{', blind' if key['blind'] else ''}",
            ", ".join([*key["tasks"], *key["queues"]]) or "all",
            show.when(key["created_at"]),
            f"revoked {show.when(key['revoked_at'])}" if key["revoked_at"] else show.when(key["expires_at"]),
        )
        for key in answer["keys"]
    ]
    show.table(
        ("ID", "NAME", "SCOPE", "REACHES", "CREATED", "ENDS"), rows, empty="No keys. `treadle keys create NAME` makes one."
    )
