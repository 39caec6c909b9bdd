"""What all commands that talk to the API share: where it is, who calls, and whether a machine reads the answer."""

import functools
import inspect
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated, Any, Concatenate, ParamSpec, TypeVar

import typer

from cli.client import Client
from cli.complaint import Complaint
from cli.show import as_json

P = ParamSpec("P")

Url = Annotated[str, typer.Option(envvar="TREADLE_URL", help="Address of the API.", show_default="of HOME/up.json")]
Key = Annotated[str, typer.Option(envvar="TREADLE_KEY", help="API key.", show_default="of HOME/up.json")]
Home = Annotated[Path, typer.Option(envvar="TREADLE_HOME", help="Folder of a running `treadle up`.")]
Json = Annotated[bool, typer.Option("--json", help="Print the API's JSON.")]


class Shown:
    """What a command prints its answers by: `as_json` says that a machine reads along."""

    as_json: bool = False

    def show(self, answer: Any, readable: Callable[[Any], None]) -> None:
        """Print an answer: as it is for a machine, readable for a person."""
        (as_json if self.as_json else readable)(answer)


class Door(Client, Shown):
    """The API as a command sees it."""


S = TypeVar("S", bound=Shown)


def opening(
    way: Callable[[str, str, Path], AbstractContextManager[S]],
) -> Callable[[Callable[Concatenate[S, P], None]], Callable[..., None]]:
    """What gives a command, as first argument, what `way` opens, and the options that it is found by."""

    def decorate(command: Callable[Concatenate[S, P], None]) -> Callable[..., None]:
        @functools.wraps(command)
        def wrapper(
            *args: Any, url: Url = "", key: Key = "", home: Home = Path(".treadle"), as_json: Json = False, **kwargs: Any
        ) -> None:
            with way(url, key, home) as opened:
                opened.as_json = as_json
                command(opened, *args, **kwargs)

        own = list(inspect.signature(command).parameters.values())[1:]
        shared = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
            for name, default, annotation in (
                ("url", "", Url),
                ("key", "", Key),
                ("home", Path(".treadle"), Home),
                ("as_json", False, Json),
            )
        ]
        signature = inspect.Signature([p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own] + shared)
        wrapper.__signature__ = signature  # type: ignore[attr-defined]  # typer reads it
        wrapper.__annotations__ = {p.name: p.annotation for p in signature.parameters.values()}
        return wrapper

    return decorate


def reached(url: str, key: str, home: Path) -> Door:
    """The API that the options name, else that of the `treadle up` that runs on this home."""
    return Door(*find(url, key, home))


remote = opening(reached)


def find(url: str, key: str, home: Path) -> tuple[str, str]:
    """The address and the key: as given, else those of the `treadle up` that runs on this home.

    Raises:
        Complaint: neither is there.
    """
    if url and key:
        return url, key
    path = home / "up.json"
    try:
        running = json.loads(path.read_text())
    except FileNotFoundError:
        raise Complaint(
            f"Which API? Give --url and --key (or TREADLE_URL and TREADLE_KEY), or start one with `treadle up`: "
            f"there is no {path}."
        ) from None
    except (OSError, ValueError) as error:
        raise Complaint(f"{path} cannot be read: {error}.") from None
    if url and url.rstrip("/") != running["api"]:
        raise Complaint(f"Give --key (or TREADLE_KEY) as well: the key in {path} is for {running['api']}.")
    return url or running["api"], key or running["key"]
