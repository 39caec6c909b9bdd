"""A provider's declaration, and the rules that its tasks keep by themselves. Its calls are tests/contract/integrations."""

import os
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr
from uuid_utils.compat import uuid7

from jobs.errors import Cancelled, Invalid, LeaseLost, Rejected, Snooze, TaskError, Transient, Unconfirmed
from jobs.model import Receipt
from jobs.policy import RetryPolicy
from tasks import Context, catalogue, clients, load, provider
from tasks.accounts import Account
from tasks.answers import Elsewhere
from tasks.clients import Clients
from tasks.provider import Payload, Provider, ProviderTask, providers
from tasks.registry import Catalogue
from tests.clock import Clock

DAY = timedelta(days=1)

load()


class Bank(Account):
    key: SecretStr


class Sum(Payload):
    amount: int = 1


class FirstCall:
    """A book that knows when the first attempt was, and whether a person has looked since."""

    def __init__(self, at: datetime | None, looked: bool = False) -> None:
        self.at, self.looked = at, looked

    def first_call(self) -> datetime | None:
        return self.at

    def was_looked_at(self, _: datetime) -> bool:
        return self.looked


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, configure: Callable[..., None]) -> Iterator[None]:
    monkeypatch.setattr(provider, "catalogue", Catalogue())
    monkeypatch.setattr("tasks.health.admit", lambda *_: None)
    monkeypatch.setattr("tasks.health.report", lambda *_: None)
    configure(accounts__bank__key="hunter22-secret", accounts__bank_eu__key="hunter33-secret")
    yield
    providers.pop("bank", None)


def declared(
    does: Callable[..., Any], repeatable: bool | timedelta = True, offline: bool = False, **of: Any
) -> ProviderTask:
    bank = Provider("bank", account=Bank, **of)

    @bank.task("pay", repeatable=repeatable, offline=offline, example={"amount": 1})
    def pay(payment: Sum, account: Bank, context: Context) -> Any:
        """Pay a sum.

        More about it.
        """
        return does(payment, account, context)

    task = provider.catalogue.find("bank.pay")
    assert isinstance(task, ProviderTask)
    return task


def call(task: ProviderTask, context: Context | None = None, **payload: Any) -> Any:
    return task.call(task.read(payload), context or Context(uuid7(), task.name))


def raising(error: BaseException) -> Callable[..., Any]:
    def does(*_: Any) -> None:
        raise error

    return does


def test_a_function_becomes_a_task_of_its_provider() -> None:
    task = declared(lambda payment, account, _: (payment.amount, account.name))
    assert (task.name, task.summary, task.queue) == ("bank.pay", "Pay a sum.", "default")
    assert task.retry.on_unknown == "confirm"
    assert set(task.schema()["properties"]) == {"account", "amount"}
    assert call(task, amount=7) == (7, "bank")
    assert call(task, amount=7, account="bank-eu") == (7, "bank-eu")


def test_the_account_of_a_job_is_known() -> None:
    task = declared(lambda *_: None)
    assert task.account(task.read({})) == "bank"
    assert task.account(task.read({"account": "bank-eu"})) == "bank-eu"


def test_a_job_is_refused_if_its_account_is_missing_or_anothers() -> None:
    task = declared(lambda *_: None)
    assert task.missing() is None
    for name in ("bank-us", "stripe"):
        with pytest.raises(Invalid) as caught:
            task.accept({"account": name})
        assert caught.value.errors[0]["pointer"] == "/payload/account"
    with pytest.raises(Rejected) as rejected:
        call(task, account="bank-us")  # it was there when the job was taken
    assert rejected.value.code == "not_configured"


@pytest.mark.parametrize("module", ["no_such_sdk", "no_such_sdk.storage.blob"])
def test_a_missing_sdk_is_said_with_the_line_that_brings_it(module: str) -> None:
    task = declared(lambda *_: None, extra="bank", module=module)
    assert task.missing() == "The client library of bank is not installed. pip install 'treadle[bank]'"
    with pytest.raises(Invalid, match="pip install 'treadle\\[bank\\]'"):
        task.accept({})


def test_an_account_known_by_name_only_is_taken_unseen(configure: Callable[..., None]) -> None:
    configure(known_accounts="bank-us")
    task = declared(lambda *_: None, module="no_such_sdk", extra="bank")
    task.accept({"account": "bank-us"})
    assert task.missing() is None


def test_the_policy_of_a_job_may_ask_to_confirm_only_where_receipts_are_kept() -> None:
    assert declared(lambda *_: None).policy(RetryPolicy(on_unknown="fail")).on_unknown == "fail"
    with pytest.raises(Invalid) as caught:
        catalogue.find("http.request").policy(RetryPolicy(on_unknown="confirm"))
    assert caught.value.errors[0]["pointer"] == "/retry/on_unknown"


@pytest.mark.parametrize("error", [Snooze(DAY, "later"), Cancelled(), LeaseLost()])
def test_what_is_no_failure_of_the_provider_passes(error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        call(declared(raising(error)))
    assert caught.value is error


@pytest.mark.parametrize("error", [ValueError("hunter22-secret"), Transient("hunter22-secret"), KeyError("hunter22-secret")])
def test_no_secret_leaves_in_an_exception_or_its_chain(error: Exception) -> None:
    with pytest.raises(TaskError) as caught:
        call(declared(raising(error)))
    assert caught.value.__cause__ is caught.value.__context__ is None
    assert "hunter22" not in repr(caught.value) + str(caught.value.detail)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the account's health was asked and told."""
    said: list[Any] = []
    monkeypatch.setattr("tasks.health.admit", lambda *_: said.append("may it be called?"))
    monkeypatch.setattr("tasks.health.report", lambda _, failure, __: said.append(failure))
    return said


def test_what_goes_wrong_elsewhere_is_the_job_s_error_and_says_nothing_of_the_account(told: list[Any]) -> None:
    with pytest.raises(Transient, match="the source is away") as caught:
        call(declared(raising(Elsewhere(Transient("the source is away, hunter22-secret")))))
    assert "hunter22" not in str(caught.value)
    assert caught.value.__context__ is None
    assert told == ["may it be called?"]


def test_what_is_reckoned_without_a_call_neither_asks_nor_tells_of_the_account_s_health(told: list[Any]) -> None:
    task = declared(lambda payment, account, _: payment.amount, offline=True)
    assert call(task, amount=7) == 7
    assert task.account(task.read({})) is None
    with pytest.raises(TaskError) as caught:
        call(declared(raising(ValueError("hunter22-secret")), offline=True))
    assert "hunter22" not in repr(caught.value) + str(caught.value.detail)
    assert not told


def test_a_cancelled_job_makes_no_call() -> None:
    task = declared(raising(AssertionError("it was called")))
    with pytest.raises(Cancelled):
        call(task, Context(uuid7(), "bank.pay", is_cancelled=lambda: True))


def later(job_id: UUID, clock: Clock, book: FirstCall, **of: Any) -> Context:
    clock.advance(2 * DAY)
    return Context(job_id, "bank.pay", deadline=clock.monotonic() + 60, book=book, **of)  # type: ignore[arg-type]


def test_a_key_is_trusted_only_as_long_as_the_provider_remembers_it(clock: Clock) -> None:
    task = declared(lambda *_: "paid", repeatable=DAY)
    job_id = UUID(int=(int(clock.now().timestamp() * 1000) << 80) | (7 << 76) | (2 << 62))
    called = clock.now()
    with pytest.raises(Unconfirmed, match="bank was called at"):
        call(task, later(job_id, clock, FirstCall(called)))


@pytest.mark.parametrize("why", ["first", "recent", "looked", "at least once", "no window"])
def test_and_a_late_call_is_made_if(why: str, clock: Clock) -> None:
    task = declared(lambda *_: "paid", repeatable=True if why == "no window" else DAY)
    job_id = UUID(int=(int(clock.now().timestamp() * 1000) << 80) | (7 << 76) | (2 << 62))
    long_ago, soon = clock.now(), clock.now() + 2 * DAY - timedelta(hours=1)
    first = {"first": None, "recent": soon}.get(why, long_ago)
    context = later(job_id, clock, FirstCall(first, why == "looked"), at_least_once=why == "at least once")
    assert call(task, context) == "paid"


def test_a_client_is_made_once_for_an_account_and_anew_for_new_credentials() -> None:
    made: list[Any] = []
    some: Clients[Bank, object] = Clients(lambda account: made.append(account) or object())
    old, same, new = (Bank(name="bank", key=SecretStr(key)) for key in ("a", "a", "b"))
    assert some.get(old) is some.get(same)
    assert some.get(new) is not some.get(old)
    assert len(made) == 2


class Client:
    closed = 0

    def close(self) -> None:
        self.closed += 1
        raise OSError("it was gone already")


def test_clients_are_closed_with_the_process_and_forgotten_by_a_fork() -> None:
    some: Clients[str, Client] = Clients(lambda _: Client())
    client = some.get("bank")
    child = os.fork()
    if child == 0:
        os._exit(0 if some.get("bank") is not client and not client.closed else 1)
    assert os.waitpid(child, 0)[1] == 0
    clients.close()
    assert client.closed == 1
    assert some.get("bank") is not client


class OpenIntent:
    """A book in which an earlier attempt's announcement stands open."""

    def __init__(self, at: datetime) -> None:
        self.entry = Receipt(step="bank.pay", epoch=1, account="bank", intended_at=at)
        self.said: list[Any] = []

    def find(self, _: str) -> Receipt:
        return self.entry

    def intend(self, step: str, account: str | None, instead_of: Receipt) -> None:
        self.said.append(("intend", step, account, instead_of is self.entry))

    def keep(self, step: str, result: Any) -> None:
        self.said.append(("keep", step, result))

    def was_looked_at(self, _: datetime) -> bool:
        return False


@pytest.mark.parametrize("found", [None, "paid before"])
def test_a_provider_that_can_be_asked_is_asked_with_the_payload_and_the_account(found: str | None, clock: Clock) -> None:
    asked: list[Any] = []

    def confirm(payment: Sum, account: Bank, _: Context) -> str | None:
        asked.append((payment.amount, account.name))
        return found

    bank = Provider("bank", account=Bank)

    @bank.task("pay", repeatable=False, confirm=confirm, settled=timedelta(minutes=1), shown=DAY, example={})
    def pay(payment: Sum, account: Bank, context: Context) -> str:
        """Pay a sum."""
        return "paid now"

    task, book = provider.catalogue.find("bank.pay"), OpenIntent(clock.now())
    context = Context(uuid7(), "bank.pay", deadline=clock.monotonic() + 600, book=book)  # type: ignore[arg-type]
    with pytest.raises(Snooze):
        task.call(Sum(amount=7), context)
    clock.advance(60)
    result = found or "paid now"
    assert task.call(Sum(amount=7), context) == result
    assert asked == [(7, "bank")]
    assert book.said == [("intend", "bank.pay", "bank", True), ("keep", "bank.pay", result)]


def test_a_provider_that_may_have_forgotten_is_not_asked(clock: Clock) -> None:
    bank, asked = Provider("bank", account=Bank), []

    @bank.task("pay", repeatable=False, confirm=lambda *_: asked.append(1), shown=DAY, example={})
    def pay(payment: Sum, account: Bank, context: Context) -> str:
        """Pay a sum."""
        return "paid now"

    book = OpenIntent(clock.now())
    clock.advance(DAY.total_seconds() + 1)
    context = Context(uuid7(), "bank.pay", deadline=clock.monotonic() + 600, book=book)  # type: ignore[arg-type]
    with pytest.raises(Unconfirmed, match="cannot be asked"):
        provider.catalogue.find("bank.pay").call(Sum(), context)
    assert not asked
    assert not book.said
