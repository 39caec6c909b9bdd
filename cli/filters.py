"""The options that say which jobs are meant, the same wherever jobs are found."""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from cli import given
from cli.remote import Door

Text = str | None
State = Annotated[Text, typer.Option(help="scheduled, queued, running, succeeded, failed, …")]
Task = Annotated[Text, typer.Option(help="Only of this task.")]
Queue = Annotated[Text, typer.Option(help="Only of this queue.")]
Account = Annotated[Text, typer.Option(help="Only of this provider's account.")]
Tag = Annotated[list[str] | None, typer.Option(help="Only with this tag; may be given more than once.")]
Meta = Annotated[list[str] | None, typer.Option(help="Only with name=value; may be given more than once.")]
Error = Annotated[Text, typer.Option(help="Only with this class of error.")]
Words = Annotated[Text, typer.Option("--text", help="Only with this in the payload, the result or the error.")]
After = Annotated[Text, typer.Option(help="Only those accepted since (RFC 3339).")]
Before = Annotated[Text, typer.Option(help="Only those accepted before.")]

Wanted = dict[str, Any]

_OPTIONS = {
    "state": ("state", State),
    "task": ("task", Task),
    "queue": ("queue", Queue),
    "account": ("account", Account),
    "tag": ("tags", Tag),
    "meta": ("metadata", Meta),
    "error": ("error_class", Error),
    "text": ("text", Words),
    "after": ("created_after", After),
    "before": ("created_before", Before),
}
"""Each option's name in the API, and its kind."""


def filtered(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command these options, or all, in the place of `wanted`: what was given of them, named as in the API."""
    options = {name: _OPTIONS[name] for name in names or _OPTIONS}
    parameters = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
        for name, (_, kind) in options.items()
    ]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def wrapper(door: Door, **rest: Any) -> None:
            wanted = {field: rest.pop(name) for name, (field, _) in options.items()}
            command(door, wanted=given.without_empty(**wanted), **rest)

        own = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in inspect.signature(command).parameters.values()]
        at = [p.name for p in own].index("wanted")
        wrapper.__signature__ = inspect.Signature([*own[:at], *parameters, *own[at + 1 :]])  # type: ignore[attr-defined]
        return wrapper

    return decorate
