"""Declaring tasks, and finding them."""

import difflib
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Any, TypeVar, get_type_hints

from pydantic import TypeAdapter, ValidationError

from jobs.errors import Invalid
from jobs.matching import rulebook
from jobs.matching.rulebook import Declared
from jobs.policy import RetryPolicy
from runtime.settings import settings
from tasks.context import Context

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class Task:
    """Something that can be done: a name, a function, the model of its payload, and its defaults."""

    name: str
    run: Callable[..., Any]
    payload: Any  # the annotated type of its payload; None: it takes none
    wants_context: bool
    queue: str = "default"
    timeout: timedelta = timedelta(minutes=1)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    summary: str = ""
    example: dict[str, Any] = field(default_factory=dict)

    def account(self, payload: Any) -> str | None:
        """The account that a job with this payload uses, if it is a provider's task."""
        del payload
        return None

    def missing(self, payload: Any = None) -> str | None:
        """What keeps this process from doing it, and what mends it; None: nothing. Without a payload: for any account."""
        del payload
        return None

    @cached_property
    def is_async(self) -> bool:
        """Whether it runs on the worker's event loop."""
        return inspect.iscoroutinefunction(self.run)

    @cached_property
    def _adapter(self) -> TypeAdapter[Any]:
        return TypeAdapter(self.payload)

    def read(self, payload: Any) -> Any:
        """The payload as the function takes it.

        Raises:
            Invalid: it does not fit the task's model; each error has a JSON pointer below /payload.
        """
        if self.payload is None:
            if payload:
                raise Invalid.at("/payload", f"The task {self.name} takes no payload.")
            return None
        try:
            return self._adapter.validate_python(payload)
        except ValidationError as error:
            raise Invalid(
                [
                    {"pointer": pointer(("payload", *part["loc"])), "detail": part["msg"]}
                    for part in error.errors(include_input=False)
                ]
            ) from None

    def accept(self, payload: Any) -> Any:
        """The payload as the function takes it, if this process may take a job with it.

        Raises:
            Invalid: as `read`; or the account, or what its provider needs, is missing. The sentence says what mends it.
        """
        read = self.read(payload)
        missing = self.missing(read)
        if missing is not None:
            raise Invalid.at("/payload/account", missing)
        return read

    def policy(self, given: RetryPolicy | None, before: RetryPolicy | None = None) -> RetryPolicy:
        """The retry policy `before`, by default the task's own, with what is given.

        Raises:
            Invalid: it asks to confirm what may have been done, and the task keeps no receipts of that.
        """
        policy = (before or self.retry).with_changes(given)
        if policy.on_unknown == "confirm" != self.retry.on_unknown:
            raise Invalid.at("/retry/on_unknown", f"The task {self.name} keeps no receipts; choose retry or fail.")
        return policy

    def schema(self, ref_template: str = "#/$defs/{model}") -> dict[str, Any]:
        """The JSON Schema of the payload."""
        if self.payload is None:
            return {"type": "object", "maxProperties": 0}
        return self._adapter.json_schema(ref_template=ref_template)

    def call(self, payload: Any, context: Context) -> Any:
        """Run the function on a payload that was read. A coroutine function returns its coroutine."""
        arguments = [] if self.payload is None else [payload]
        return self.run(*arguments, context) if self.wants_context else self.run(*arguments)


def pointer(path: Iterable[str | int]) -> str:
    """A JSON pointer (RFC 6901) from its parts."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def plainly(message: str) -> str:
    """pydantic's message without the class name that it puts before ours."""
    return message.removeprefix("Value error, ")


class Catalogue:
    """All tasks of this process, by name."""

    def __init__(self) -> None:
        self._tasks: dict[str, Task] = {}
        self._loaded = False

    def add(self, task: Task) -> None:
        """Add a task. Raises ValueError if the name is taken by another function."""
        known = self._tasks.get(task.name)
        if known is not None and (known.run.__module__, known.run.__qualname__) != (
            task.run.__module__,
            task.run.__qualname__,
        ):
            raise ValueError(f"two tasks are named {task.name}: {known.run.__module__} and {task.run.__module__}")
        self._tasks[task.name] = task

    def load(self) -> None:
        """Import every module of tasks/integrations and those that TREADLE_TASK_MODULES names. Once a process."""
        if self._loaded:
            return
        package = importlib.import_module("tasks.integrations")
        for module in pkgutil.iter_modules(package.__path__, "tasks.integrations."):
            importlib.import_module(module.name)
        for name in settings().task_modules:
            importlib.import_module(name)
        self._loaded = True

    def find(self, name: str) -> Task:
        """The task of that name.

        Raises:
            Invalid: there is none; it says which name comes near.
        """
        task = self._tasks.get(name)
        if task is None:
            near = difflib.get_close_matches(name, self._tasks, 1)
            hint = f" Did you mean {near[0]!r}?" if near else " GET /v1/tasks lists them."
            raise Invalid.at("/task", f"There is no task {name[:128]!r}.{hint}")
        return task

    def account(self, name: str, payload: Any) -> str | None:
        """The account that a job of this task would use; None if it uses none, or the payload does not fit."""
        task = self._tasks.get(name)
        if task is None or type(task) is Task:
            return None
        try:
            return task.account(task.read(payload))
        except Invalid:
            return None

    def __contains__(self, name: str) -> bool:
        return name in self._tasks

    def all(self) -> list[Task]:
        """Every task, by name."""
        return [self._tasks[name] for name in sorted(self._tasks)]


catalogue = Catalogue()
"""The catalogue of this process."""


def task(
    name: str,
    *,
    queue: str = "default",
    timeout: timedelta = timedelta(minutes=1),
    retry: RetryPolicy | None = None,
    example: dict[str, Any] | None = None,
    on: str | Sequence[str] = (),
) -> Callable[[Function], Function]:
    """Declare a function as a task.

    Its first parameter is the payload, and the annotation its model; a parameter annotated `Context` gets the attempt's
    context. The first line of the docstring is the summary that the API shows, `example` a payload that works. Each event of
    a type that `on` names (`on="order.paid"`, patterns as in subscriptions) makes a job, with the event's data as payload.
    """

    def declare(function: Function) -> Function:
        payload, wants_context = _signature(name, function)
        summary = (inspect.getdoc(function) or "").partition("\n")[0]
        catalogue.add(
            Task(name, function, payload, wants_context, queue, timeout, retry or RetryPolicy(), summary, example or {})
        )
        if on:
            types = (on,) if isinstance(on, str) else tuple(on)
            rulebook.declare(Declared(name, types, name, queue, timeout, retry or RetryPolicy()))
        return function

    return declare


def _signature(name: str, function: Callable[..., Any]) -> tuple[Any, bool]:
    hints = get_type_hints(function, include_extras=True)
    parameters = [p for p in inspect.signature(function).parameters if hints.get(p) is not Context]
    wants_context = len(parameters) < len(inspect.signature(function).parameters)
    if len(parameters) > 1 or any(p not in hints for p in parameters):
        raise TypeError(f"task {name}: it takes one annotated payload and, if it wants, a Context behind it")
    return (hints[parameters[0]] if parameters else None), wants_context
