"""Capabilities: what several providers can do, asked for by what is wanted and not by who does it.

A capability is a name, a shape, and an ordered list of accounts (`tasks.walk` says how an attempt goes along it). Its shape
stands beside what its providers share: `tasks.mail`, `tasks.storage` and so on. That a provider can do it is declared in the
provider's file, with one line below its task:

    email_send.by("sendgrid.send")                               # its payload has the fields of the shape
    payment_charge.by("stripe.payment_intent.create", _charge)   # a function makes its fields from a shape

No `accounts` in a payload means: all accounts that are configured for it, by name. Where accounts are not `alike` (what is
stored in one is not in another), there must be one only, or the payload says which.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field, create_model

from jobs.errors import Invalid, Unconfirmed
from tasks import accounts, once
from tasks.accounts import AccountName
from tasks.context import Context
from tasks.fields import Shape
from tasks.provider import ASKS, ProviderTask
from tasks.registry import Task, catalogue
from tasks.standing import owner
from tasks.walk import Unfit, walk


def _check_names(names: list[str]) -> list[str]:
    if len(set(names)) < len(names):
        raise ValueError("an account is named twice")
    return names


class Accounts(BaseModel):
    """Whose credentials."""

    accounts: Annotated[
        list[AccountName] | None,
        Field(min_length=1, max_length=10, description="in the order in which they are tried; by default all, by name"),
        AfterValidator(lambda names: names and _check_names(names)),
    ] = None


Fields = Callable[[Any], Mapping[str, Any]]
"""Makes the fields of a provider's payload from a shape."""


def _the_same(shape: BaseModel) -> Mapping[str, Any]:
    return shape.model_dump(by_alias=True, exclude_unset=True, exclude={"accounts"})


@dataclass(frozen=True)
class Way:
    """How one provider does it: its task, under the capability's name."""

    task: ProviderTask
    fields: Fields

    def read(self, wanted: Any, account: str) -> Any:
        """The payload of its task. Raises Invalid if it is more than this provider takes."""
        return self.task.read({**self.fields(wanted), "account": account})


@dataclass(frozen=True)
class Capability(Task):
    """Something that several providers can do. `ways` is filled by their files."""

    alike: bool = field(kw_only=True)
    ways: dict[str, Way] = field(default_factory=dict, kw_only=True)

    @classmethod
    def of(
        cls, name: str, shape: type[Shape], summary: str, *, alike: bool, example: dict[str, Any], **more: Any
    ) -> "Capability":
        """Declare a capability; `more` is as of any task."""
        payload = create_model(f"{shape.__name__}By", __base__=(shape, Accounts), __doc__=shape.__doc__)
        made = cls(name, shape, payload, True, retry=ASKS, summary=summary, example=example, alike=alike, **more)
        catalogue.add(made)
        return made

    def by(self, task: str, fields: Fields = _the_same) -> None:
        """Declare that a provider does it by this task."""
        found = catalogue.find(task)
        if not isinstance(found, ProviderTask):
            raise TypeError(f"{task} is no provider's task")
        self.ways[found.provider.name] = Way(replace(found, name=self.name), fields)

    def account(self, payload: Any) -> str | None:
        """The account, if there is but one: the job waits with it. A job that may choose is put aside for none."""
        names = self._names(payload)
        return names[0] if len(names) == 1 and not self._way(names[0]).task.offline else None

    def missing(self, payload: Any = None) -> str | None:
        if any(self._missing(name) is None for name in self._configured()):
            return None
        if not self.ways:
            return f"No provider does {self.name}."
        first, *others = sorted(self.ways)
        also = f", or have an account of {' or '.join(others)}" if others else ""
        return f"No account can do {self.name}. {self._missing(first)}{also}"

    def accept(self, payload: Any) -> Any:
        """The payload as `call` takes it, if each account that may be asked can do it.

        Raises:
            Invalid: one that is named cannot, or is missing here; or none is named, and there is none or there are several
                that are not alike.
        """
        wanted = self.read(payload)
        for place, name in enumerate(wanted.accounts or ()):
            if (missing := self._missing(name)) is not None:
                raise Invalid.at(f"/payload/accounts/{place}", missing)
            self._way(name).read(wanted, name)
        if wanted.accounts is None:
            self._check_default(wanted)
        return wanted

    def _check_default(self, wanted: Any) -> None:
        names, unfit = self._names(wanted), list[Invalid]()
        if not names:
            raise Invalid.at("/payload/accounts", self.missing() or "")
        if len(names) > 1 and not self.alike:
            raise Invalid.at("/payload/accounts", f"{' and '.join(names)} can do it, and are not alike: name those to ask.")
        for name in names:
            try:
                self._way(name).read(wanted, name)
            except Invalid as error:
                unfit.append(error)
        if len(unfit) == len(names):
            raise unfit[0]

    def call(self, payload: Any, context: Context) -> Any:
        """Have it done by the first account that can; the result says which it was.

        Raises:
            TaskError, Snooze, Cancelled, LeaseLost: as `walk`.
        """
        names = self._names(payload)
        announced = context.book.find(self.name) if context.book is not None else None
        if announced is not None and announced.account is not None:
            if announced.done_at is not None:
                return {"account": announced.account, **(announced.result or {})}
            names = [announced.account]  # whatever became of that call, no other account may make it again
            if (missing := self._missing(announced.account)) is not None:
                raise Unconfirmed(f"It was announced to {announced.account}, which cannot be asked here. {missing}")
        if not names or (len(names) > 1 and not (self.alike or payload.accounts)):
            raise Unfit(self.missing() or f"{' and '.join(names)} are not alike", code="not_configured")
        return walk(names, partial(self._do, payload, context), partial(self._is_open, context), context)

    def _do(self, wanted: Any, context: Context, account: str) -> dict[str, Any]:
        missing = self._missing(account)
        if missing is not None:
            raise Unfit(missing, code="not_configured")
        way = self._way(account)
        try:
            payload = way.read(wanted, account)
        except Invalid as error:
            raise Unfit(f"{account} cannot take this: {error}", code="unfit") from None
        call = partial(way.task.call, payload, context)
        if way.task.repeatable and not way.task.offline:
            step = once.Step(self.name, call, keyed=True, account=account)
            return {"account": account, **once.do(step, context.book, at_least_once=context.at_least_once)}
        return {"account": account, **call()}

    def _is_open(self, context: Context) -> bool:
        return context.book is not None and context.book.find(self.name) is not None

    def _names(self, wanted: Any) -> list[str]:
        return wanted.accounts or [name for name in self._configured() if self._missing(name) is None]

    def _configured(self) -> list[str]:
        return sorted({name for each in self.ways for name in accounts.names(each) if owner(name).name == each})

    def _missing(self, account: str) -> str | None:
        try:
            task = self._way(account).task
            return task.provider.missing(account, task.model)
        except Invalid as error:
            return error.errors[0]["detail"]

    def _way(self, account: str) -> Way:
        """Raises Invalid if the account's provider cannot do it."""
        provider = owner(account).name
        if provider not in self.ways:
            raise Invalid.at("/payload/accounts", f"{account} cannot do {self.name}; {', '.join(sorted(self.ways))} can.")
        return self.ways[provider]
