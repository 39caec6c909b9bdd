"""Providers: third parties that tasks call, each declared in one file of tasks/integrations.

What holds for every call stands here: the account is found, the attempt may still act, a call that cannot be repeated is
announced and gets its receipt, whatever goes wrong becomes an error of the tree, and no secret gets out with it.
"""

import inspect
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Annotated, Any, Generic, TypeVar, get_type_hints

from pydantic import BaseModel, ConfigDict, Field

from jobs.errors import Cancelled, LeaseLost, Rejected, Snooze, TaskError, Unconfirmed
from jobs.policy import RetryPolicy
from runtime import clock
from tasks import accounts, answers, health, once
from tasks.accounts import Account, AccountName, NotConfigured
from tasks.answers import Answer, Answered, Elsewhere, Errors
from tasks.clients import is_installed
from tasks.context import Context
from tasks.registry import Task, catalogue

A = TypeVar("A", bound=Account)
Function = TypeVar("Function", bound=Callable[..., Any])

CONNECT = 3.0
"""Seconds that an SDK's client may take to connect; for the answer it has the account's `timeout`."""

ASKS = RetryPolicy(on_unknown="confirm")
"""What providers' tasks do unless they say otherwise: what may have been done is found out, never guessed."""

providers: dict[str, "Provider[Any]"] = {}
"""Every provider that was declared, by name."""


class Payload(BaseModel):
    """What the payloads of all providers' tasks have in common."""

    model_config = ConfigDict(extra="forbid", defer_build=True)  # as tasks.fields.Shape

    account: Annotated[
        AccountName | None, Field(description="Whose credentials; by default the account that is named as the provider.")
    ] = None


@dataclass(frozen=True, eq=False)
class Provider(Generic[A]):
    """A third party. Declaring it makes it known; `task` declares what it can do.

    Args:
        name: its name; its accounts are named so, or so and more (stripe-eu).
        account: the model of an account.
        errors: what its codes and statuses mean, where the rules of `tasks.answers` do not say it.
        code: finds its own code in the JSON body of a reply.
        answer: finds the answer that an exception of its SDK carries; None if it carries none.
        extra: `pip install treadle[extra]` brings the SDK, whose presence `module` shows.
        probe: a call without effects that shows whether an account works.
    """

    name: str
    account: type[A]
    errors: Errors = field(default_factory=dict)
    code: Callable[[Any], object] = lambda body: None
    answer: Callable[[Exception], Answer | None] = lambda error: None
    extra: str | None = None
    module: str | None = None
    probe: Callable[[A], object] | None = None

    def __post_init__(self) -> None:
        providers[self.name] = self

    def find(self, name: str | None = None, model: type[A] | None = None) -> A:
        """The account of that name, by default the one named as the provider; `model`, if more is asked of it than of any.

        Raises:
            NotConfigured: it, or the SDK, is not there.
        """
        if self.module is not None and not is_installed(self.module):
            raise NotConfigured(f"The client library of {self.name} is not installed. pip install 'treadle[{self.extra}]'")
        return accounts.find(name or self.name, self.name, model or self.account)

    def missing(self, name: str | None = None, model: type[A] | None = None) -> str | None:
        """What keeps this process from taking jobs for an account, and what mends it; None: nothing does."""
        if accounts.is_elsewhere(name or self.name):
            return None
        try:
            self.find(name, model)
        except NotConfigured as missing:
            return str(missing)
        return None

    def check(self, account: A) -> TaskError | None:
        """Make the probe's call, which has no effect. Returns what went wrong with it; None: the account answers."""
        try:
            if self.probe is not None:
                self.probe(account)
        except Exception as error:  # noqa: BLE001 - as of any call
            return self.judge(error, repeatable=True)
        return None

    def judge(self, error: Exception, *, repeatable: bool) -> TaskError:
        """The error of the tree that an exception is. No secret is in it, nor in what it hangs on."""
        if isinstance(error, TaskError):
            return answers.cleaned(error)
        answer = self._read(error) if isinstance(error, Answered) else self.answer(error)
        if answer is None:
            return answers.judge_silence(error, self.name)
        return answers.judge(answer, self.name, self.errors, repeatable=repeatable)

    def _read(self, error: Answered) -> Answer:
        answer = error.answer
        if answer.code is None:
            with suppress(ValueError, LookupError, TypeError, AttributeError):
                code = self.code(error.reply.json())
                return replace(answer, code=None if code is None else str(code))
        return answer

    def task(
        self,
        operation: str,
        *,
        repeatable: bool | timedelta,
        confirm: Callable[..., Any] | None = None,
        settled: timedelta = timedelta(0),
        shown: timedelta = timedelta.max,
        offline: bool = False,
        queue: str = "default",
        timeout: timedelta = timedelta(minutes=1),
        retry: RetryPolicy = ASKS,
        example: dict[str, Any],
    ) -> Callable[[Function], Function]:
        """Declare a function of payload, account and context as the task `provider.operation`. Its account may be of a
        subclass, which asks for more: then the task is there for those accounts that have it.

        Args:
            operation: what it does.
            repeatable: whether two of the same call have one effect: because it reads, because it names what it writes, or
                because it carries our key, and then for how long the provider remembers keys.
            confirm: the same parameters; asks how an earlier call ended: what it gave, or None if surely nothing was done.
            settled: how long after a call the provider surely shows it.
            shown: and for how long it surely does; later it is not asked.
            offline: it is reckoned from the account's fields, without a call; the account's health has no part in it.
            queue, timeout, retry, example: as of any task.
        """

        def declare(function: Function) -> Function:
            payload, model, *_ = get_type_hints(function, include_extras=True).values()
            summary = (inspect.getdoc(function) or "").partition("\n")[0]
            name = f"{self.name}.{operation}"
            basics: tuple[Any, ...] = (name, function, payload, True, queue, timeout, retry, summary, example)
            kept: dict[str, Any] = {"repeatable": repeatable, "confirm": confirm, "settled": settled, "shown": shown}
            catalogue.add(ProviderTask(*basics, provider=self, model=model, offline=offline, **kept))
            return function

        return declare


@dataclass(frozen=True)
class ProviderTask(Task):
    """Something that a provider can do."""

    provider: Provider[Any] = field(kw_only=True)
    model: type[Account] = field(kw_only=True)
    repeatable: bool | timedelta = field(kw_only=True)
    confirm: Callable[..., Any] | None = field(default=None, kw_only=True)
    settled: timedelta = field(default=timedelta(0), kw_only=True)
    shown: timedelta = field(default=timedelta.max, kw_only=True)
    offline: bool = field(default=False, kw_only=True)

    def account(self, payload: Any) -> str | None:
        return None if self.offline else payload.account or self.provider.name

    def missing(self, payload: Any = None) -> str | None:
        if payload is not None:
            return self.provider.missing(payload.account, self.model)
        found = [
            self.provider.missing(name, self.model) for name in accounts.names(self.provider.name) or [self.provider.name]
        ]
        return None if None in found else found[0]

    def call(self, payload: Any, context: Context) -> Any:
        """Do it, once, by the rules for every provider.

        Raises:
            TaskError: of the tree, whatever happened.
            Snooze, Cancelled, LeaseLost: the call was not made.
        """
        try:
            account = self.provider.find(payload.account, self.model)
        except NotConfigured as error:
            raise Rejected(str(error), code="not_configured") from None
        if self.offline:
            return self._guard(self.run, payload, account, context)
        ask = None if self.confirm is None else partial(self._guard, self.confirm, payload, account, context)
        step = once.Step(
            name=self.name,
            call=partial(self._guard, self.run, payload, account, context, repeatable=bool(self.repeatable)),
            confirm=ask,
            settled=self.settled,
            shown=self.shown,
            before=partial(self._admit, account, context),
            account=account.name,
        )
        if self.repeatable:
            self._check_key(context)
            return once.do(step, None)
        return once.do(step, context.book, at_least_once=context.at_least_once)

    def _admit(self, account: Account, context: Context) -> None:
        context.check()
        health.admit(account, None if self.provider.probe is None else partial(self.provider.check, account))

    def _check_key(self, context: Context) -> None:
        """Raises Unconfirmed if an earlier attempt was so long ago that the provider may not know our key any more."""
        book, window = context.book, self.repeatable
        if book is None or isinstance(window, bool) or context.at_least_once or clock.now() - context.accepted_at < window:
            return
        first = book.first_call()
        if first is None or clock.now() - first < window or book.was_looked_at(first):
            return
        raise Unconfirmed(
            f"{self.provider.name} was called at {first:%Y-%m-%d %H:%M:%S} UTC, and remembers calls for {window} only: "
            "another could do it twice. Look whether it was done. If it was not, retry the job by hand."
        )

    def _guard(
        self, function: Callable[..., Any], payload: Any, account: Account, context: Context, *, repeatable: bool = True
    ) -> Any:
        failure, started, theirs = None, clock.monotonic(), not self.offline
        try:
            result = function(payload, account, context)
        except (Snooze, Cancelled, LeaseLost):
            raise
        except Elsewhere as elsewhere:
            failure, theirs = answers.cleaned(elsewhere.error), False
        except Exception as error:  # noqa: BLE001 - what an SDK raises is its own affair
            failure = self.provider.judge(error, repeatable=repeatable)
        if theirs:
            health.report(account, failure, timedelta(seconds=clock.monotonic() - started))
        if failure is None:
            return result
        raise failure  # not in the handler: what is raised there drags along a chain in which secrets may stand
