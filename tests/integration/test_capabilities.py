"""A capability: who is asked, when the next is, and when never. By stand-ins for providers, on a real ledger."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine

from jobs import holds
from jobs.errors import Ambiguous, Invalid, RateLimited, Rejected, Transient, Unauthorized
from jobs.model import Cause, Hold, Job
from jobs.states import Reason, State
from runtime import clock
from runtime.database import snapshot, transaction
from runtime.settings import settings
from tasks import Context, capability, provider
from tasks.accounts import Account
from tasks.capability import Capability
from tasks.fields import Shape
from tasks.health.circuit import counts
from tasks.health.limiter import rates
from tasks.provider import Payload, Provider, providers
from tasks.registry import Catalogue
from tests.trial import Trial

HOUR = timedelta(hours=1)
UNREACHED = Transient("no connection", code="connect")


class Depot(Account):
    key: SecretStr


class Parcel(Shape):
    to: str


class Sending(Parcel, Payload):
    pass


class Carriers:
    """North and south carry parcels; what they say is told by account. `calls` and `asked` are the accounts that were."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.asked: list[str] = []
        self.says: dict[str, Exception] = {}
        self.knows: Any = None

    def send(self, _: Sending, account: Depot, context: Context) -> dict[str, Any]:
        self.calls.append(account.name)
        if error := self.says.get(account.name):
            raise error
        return {"number": len(self.calls)}

    def ask(self, _: Sending, account: Depot, context: Context) -> Any:
        self.asked.append(account.name)
        return self.knows


@pytest.fixture
def carriers(ledger: Engine, monkeypatch: pytest.MonkeyPatch, configure: Callable[..., None]) -> Iterator[Carriers]:
    for module in (provider, capability):
        monkeypatch.setattr(module, "catalogue", provider.catalogue if module is capability else Catalogue())
    for remembered in (holds.memory, counts, rates):
        remembered.__init__()  # type: ignore[misc]
    configure(accounts__north__key="n", accounts__south__key="s", accounts__south_two__key="t")
    yield Carriers()
    for name in ("north", "south"):
        providers.pop(name, None)


def declared(carriers: Carriers, *, alike: bool = True, repeatable: bool = False, asks: bool = False) -> Trial[Capability]:
    made = Capability.of("parcel.send", Parcel, "Send a parcel.", alike=alike, example={"to": "Ada"})
    for name in ("north", "south"):
        carrier = Provider(name, account=Depot)

        @carrier.task("send", repeatable=repeatable, confirm=carriers.ask if asks else None, example={"to": "Ada"})
        def send(parcel: Sending, account: Depot, context: Context) -> dict[str, Any]:
            """Send a parcel."""
            return carriers.send(parcel, account, context)

        made.by(f"{name}.send")
    return Trial(made)


def hold(account: str, cause: Cause = Cause.CIRCUIT, until: timedelta = HOUR) -> None:
    """Have the account held."""
    now = clock.now()
    with transaction() as session:
        session.add(Hold(account=account, cause=cause, why="it fails", since=now, until=now + until, times=1, released=0))
    holds.memory.find(account, fresh=True)


def held(account: str) -> Hold | None:
    with snapshot() as session:
        return session.get(Hold, account)


def accounts(*names: str) -> dict[str, Any]:
    return {"to": "Ada", **({"accounts": list(names)} if names else {})}


@pytest.fixture
def lose(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Take an account's credentials away."""

    def away(account: str) -> None:
        monkeypatch.delenv(f"TREADLE_ACCOUNTS__{account.upper()}__KEY")
        settings.cache_clear()

    return away


def test_the_first_account_does_it_and_the_result_says_so(carriers: Carriers) -> None:
    trial = declared(carriers)
    job = trial.run(trial.take(accounts("south", "north")))
    assert (job.state, job.result, carriers.calls) == (State.SUCCEEDED, {"account": "south", "number": 1}, ["south"])


def test_without_names_all_that_are_configured_are_asked_by_name(carriers: Carriers) -> None:
    trial = declared(carriers)
    carriers.says = {"north": UNREACHED, "south": UNREACHED}
    job = trial.run(trial.take(accounts()))
    assert job.result == {"account": "south-two", "number": 3}
    assert carriers.calls == ["north", "south", "south-two"]


@pytest.mark.parametrize("repeatable", [True, False])
@pytest.mark.parametrize("error", [UNREACHED, RateLimited("slow down", status=429), Unauthorized("who?", status=401)])
def test_the_next_is_asked_where_surely_nothing_was_done(carriers: Carriers, error: Exception, repeatable: bool) -> None:
    trial = declared(carriers, repeatable=repeatable)
    carriers.says = {"north": error}
    job_id = trial.take(accounts("north", "south"))
    job = trial.run(job_id)
    assert (job.state, job.result) == (State.SUCCEEDED, {"account": "south", "number": 2})
    assert carriers.calls == ["north", "south"]
    assert any(line.startswith("north is passed by") for line in trial.lines(job_id)), "the walk is not in the record"


@pytest.mark.parametrize("asks", [True, False])
def test_the_next_is_never_asked_where_something_may_have_been_done(carriers: Carriers, asks: bool) -> None:
    trial = declared(carriers, asks=asks)
    carriers.says = {"north": Ambiguous("the line went dead")}
    job_id = trial.take(accounts("north", "south"))
    job = trial.run(job_id)
    if not asks:
        assert job.reason is Reason.UNKNOWN_OUTCOME
        assert carriers.calls == ["north"]
        return
    assert job.state is State.SCHEDULED
    hold("north")
    assert trial.run(job_id).state is State.SCHEDULED, "it went elsewhere while its own account was held"
    with transaction() as session:
        holds.lift(session, "north")
    holds.memory.find("north", fresh=True)
    carriers.knows = {"number": 7}
    assert trial.run(job_id).result == {"account": "north", "number": 7}
    assert (carriers.calls, carriers.asked) == (["north"], ["north"])


def test_a_no_is_a_no(carriers: Carriers) -> None:
    trial = declared(carriers)
    carriers.says = {"north": Rejected("too heavy", status=422)}
    assert trial.run(trial.take(accounts("north", "south"))).reason is Reason.REJECTED
    assert carriers.calls == ["north"]


def test_a_call_under_our_key_that_may_have_been_done_is_made_again_at_the_same_account_only(carriers: Carriers) -> None:
    trial = declared(carriers, repeatable=True)
    carriers.says = {"north": Transient("broken behind the door", status=502)}
    job_id = trial.take(accounts("north", "south"))
    assert trial.run(job_id).state is State.SCHEDULED
    carriers.says = {"north": RateLimited("slow down", status=429)}  # says nothing of the call before
    assert trial.run(job_id).state is State.SCHEDULED
    with transaction() as session:
        holds.lift(session, "north")
    holds.memory.find("north", fresh=True)
    carriers.says = {"north": UNREACHED}
    assert trial.run(job_id).state is State.SCHEDULED
    carriers.says = {}
    assert trial.run(job_id).result == {"account": "north", "number": 4}
    assert carriers.calls == ["north"] * 4


@pytest.mark.parametrize("repeatable", [True, False])
def test_a_worker_that_dies_after_the_yes_leaves_the_account_behind(carriers: Carriers, repeatable: bool) -> None:
    trial = declared(carriers, repeatable=repeatable)
    job_id = trial.take(accounts("north", "south"))
    assert trial.run(job_id, dies=True).state is State.SCHEDULED
    hold("north")
    carriers.says = {"north": UNREACHED}
    assert trial.run(job_id).result == {"account": "north", "number": 1}
    assert carriers.calls == ["north"]


def test_a_held_account_is_not_called_and_no_other_if_all_are(carriers: Carriers) -> None:
    trial = declared(carriers)
    hold("north", until=2 * HOUR)
    job_id = trial.take(accounts("north", "south"))
    assert trial.run(job_id).result == {"account": "south", "number": 1}
    hold("south", until=HOUR)
    job_id = trial.take(accounts("north", "south"))
    job = trial.run(job_id)
    assert (job.state, job.attempt, job.account) == (State.SCHEDULED, 0, None)
    assert timedelta(minutes=59) < job.run_at - clock.now() <= HOUR, "it does not wait for the first that is free"
    assert carriers.calls == ["south"]


def test_an_open_circuit_is_probed_by_a_job_that_could_go_elsewhere(carriers: Carriers) -> None:
    trial = declared(carriers)
    hold("north", until=-timedelta(seconds=1))
    assert trial.run(trial.take(accounts("north", "south"))).result == {"account": "north", "number": 1}
    found = held("north")
    assert found is not None
    assert found.cause is Cause.RAMP, "the probe succeeded, and the account is not free"


def test_what_is_let_go_at_a_rising_rate_is_kept_for_those_who_wait_for_it(carriers: Carriers) -> None:
    trial = declared(carriers)
    for name in ("north", "south"):
        hold(name, Cause.RAMP, until=-timedelta(seconds=1))
    job_id = trial.take(accounts("north", "south"))
    job = trial.run(job_id)
    assert (job.account, job.attempt, carriers.calls) == ("north", 0, [])
    assert trial.run(job_id).result == {"account": "north", "number": 1}, "it waited with north, and was let go"


def test_a_job_with_one_account_waits_with_it(carriers: Carriers) -> None:
    trial = declared(carriers)
    hold("south")
    job = trial.run(trial.take(accounts("south")))
    assert (job.state, job.account, job.attempt) == (State.SCHEDULED, "south", 0)
    assert _row(trial.take(accounts("north", "south"))).account is None


def _row(job_id: UUID) -> Job:
    with snapshot() as session:
        return session.get_one(Job, job_id)


def test_an_account_at_its_rate_is_asked_as_far_as_the_rate_goes_and_the_rest_goes_by_the_next(
    carriers: Carriers, configure: Callable[..., None]
) -> None:
    configure(accounts__north__rate="1/5s")
    trial = declared(carriers)
    hold("north", Cause.RATE, until=-timedelta(seconds=1))
    done = [trial.run(trial.take(accounts("north", "south"))).result for _ in range(3)]
    assert [result and result["account"] for result in done] == ["north", "south", "south"]


def test_a_call_that_may_have_been_made_by_an_account_that_is_gone_is_for_a_person(
    carriers: Carriers, lose: Callable[[str], None]
) -> None:
    trial = declared(carriers, asks=True)
    carriers.says = {"north": Ambiguous("the line went dead")}
    job_id = trial.take(accounts("north", "south"))
    trial.run(job_id)
    lose("north")
    job = trial.run(job_id)
    assert (job.reason, carriers.calls) == (Reason.UNKNOWN_OUTCOME, ["north"])
    assert "TREADLE_ACCOUNTS__NORTH__KEY" in trial.error(job_id)["message"]


def test_if_nobody_can_the_failure_that_counts_is_told(carriers: Carriers) -> None:
    trial = declared(carriers)
    carriers.says = {"north": Unauthorized("who?", status=403), "south": UNREACHED}
    job_id = trial.take(accounts("north", "south"))
    job = trial.run(job_id)
    assert (job.state, job.attempt) == (State.SCHEDULED, 1)
    assert trial.error(job_id)["code"] == "connect"
    carriers.says = {"north": Unauthorized("who?", status=403), "south": Unauthorized("you again", status=403)}
    assert trial.run(job_id).reason is Reason.UNAUTHORIZED


def test_an_account_that_a_worker_has_not_is_passed_by(carriers: Carriers, lose: Callable[[str], None]) -> None:
    trial = declared(carriers)
    job_id = trial.take(accounts("north", "south"))
    lose("north")
    assert trial.run(job_id).result == {"account": "south", "number": 1}
    job_id = trial.take(accounts("south"))
    lose("south")
    assert trial.run(job_id).reason is Reason.REJECTED
    assert trial.error(job_id)["code"] == "not_configured"


@pytest.mark.parametrize(
    ("payload", "pointer", "words"),
    [
        (accounts("north", "nowhere"), "/payload/accounts/1", "There is no account 'nowhere'"),
        (accounts("north-nine"), "/payload/accounts/0", "Set TREADLE_ACCOUNTS__NORTH_NINE__KEY="),
        (accounts("north", "north"), "/payload/accounts", "named twice"),
        (accounts(), "/payload/accounts", "north and south and south-two can do it, and are not alike"),
        ({"to": "Ada", "account": "north"}, "/payload/account", "Extra inputs"),
        ({"accounts": ["north"]}, "/payload/to", "required"),
    ],
)
def test_the_door_refuses_what_no_account_could_do(
    carriers: Carriers, payload: dict[str, Any], pointer: str, words: str
) -> None:
    trial = declared(carriers, alike=False)
    with pytest.raises(Invalid) as caught:
        trial.take(payload)
    (wrong,) = caught.value.errors
    assert wrong["pointer"] == pointer
    assert words in wrong["detail"]


def test_without_any_account_the_way_to_one_is_told(carriers: Carriers, lose: Callable[[str], None]) -> None:
    trial = declared(carriers)
    assert trial.task.missing() is None
    for name in ("north", "south", "south_two"):
        lose(name)
    missing = trial.task.missing() or ""
    assert "Set TREADLE_ACCOUNTS__NORTH__KEY=" in missing
    assert missing.endswith("or have an account of south")
    with pytest.raises(Invalid, match="Set TREADLE_ACCOUNTS__NORTH__KEY="):
        trial.take(accounts())
