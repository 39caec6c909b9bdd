"""notify.send: Apprise itself against a server that answers as told. What Apprise hides counts as not known."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from jobs.errors import Ambiguous, Invalid, Rejected
from jobs.states import Reason, State
from tasks import Context, catalogue, load
from tasks.accounts import NotConfigured
from tasks.integrations.notify import Notify, notify
from tasks.provider import ProviderTask
from tests.contract.integrations.fake import Answer, Fake, Request
from tests.servers import free_port
from tests.trial import Trial

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # one of Apprise's plugins
TOKEN = "tok3n-of-the-target"
MESSAGE = {"title": "Nightly report", "body": "42 orders, 2 refunds.", "kind": "success"}


@pytest.fixture
def fake() -> Iterator[Fake]:
    fake = Fake()
    yield fake
    fake.close()


@pytest.fixture
def use(configure: Callable[..., None]) -> Callable[[str], None]:
    """Let messages go to this address."""
    load()

    def use(url: str) -> None:
        configure(accounts__notify__url=url, accounts__notify__timeout="2s", accounts__notify__rate="1000/s")

    return use


def _address(fake: Fake) -> str:
    return f"{fake.url.replace('http', 'json')}/{TOKEN}"


def run(**change: Any) -> Any:
    task = catalogue.find("notify.send")
    return task.call(task.accept({**MESSAGE, **change}), Context(uuid4(), task.name))


def test_a_message_is_one_request(fake: Fake, use: Callable[[str], None]) -> None:
    use(_address(fake))
    assert run() == {"service": "JSON"}
    (asked,) = fake.requests
    said = asked.json()
    assert asked.path == f"/{TOKEN}"
    assert (said["title"], said["message"], said["type"]) == ("Nightly report", "42 orders, 2 refunds.", "success")


def _answers(*statuses: int) -> list[Any]:
    return [pytest.param(lambda _, status=status: Answer(status, {"why": TOKEN}), id=str(status)) for status in statuses]


@pytest.mark.parametrize("script", [*_answers(400, 401, 403, 404, 429, 500, 503), pytest.param(lambda _: None, id="cut")])
def test_whatever_goes_wrong_is_not_known_by_one_request_and_without_its_token(
    script: Any, fake: Fake, use: Callable[[str], None], caplog: pytest.LogCaptureFixture
) -> None:
    use(_address(fake))
    fake.script = script
    with pytest.raises(Ambiguous) as caught:
        run()
    assert "JSON" in str(caught.value)
    assert len(fake.requests) == 1
    assert TOKEN not in f"{caught.value!r} {caught.value.detail} {caplog.text}"


def test_a_silent_target_is_given_up_after_the_accounts_timeout(fake: Fake, use: Callable[[str], None]) -> None:
    use(_address(fake))

    def wait(_: Request) -> None:
        fake.release.wait(20)

    fake.script = wait
    with pytest.raises(Ambiguous):
        run()
    assert len(fake.requests) == 1


def test_a_target_that_is_away_is_not_known_either_since_apprise_does_not_tell(use: Callable[[str], None]) -> None:
    use(f"json://127.0.0.1:{free_port()}/{TOKEN}")
    with pytest.raises(Ambiguous, match="Connection error"):
        run()


@pytest.mark.parametrize("again", ["confirm", "retry"])
def test_a_message_that_may_be_out_is_repeated_only_if_the_policy_says_so(
    again: str, fake: Fake, use: Callable[[str], None], ledger: sa.Engine
) -> None:
    use(_address(fake))
    fake.script = lambda _: None
    task = catalogue.find("notify.send")
    assert isinstance(task, ProviderTask)
    retry = task.retry.model_copy(update={"on_unknown": again})
    trial = Trial(task)
    job_id = trial.take(MESSAGE, retry=retry)
    failed = trial.run(job_id)
    fake.script = lambda _: Answer()
    if again == "confirm":
        assert failed.reason is Reason.UNKNOWN_OUTCOME
    else:
        assert failed.state is State.SCHEDULED
        assert trial.run(job_id).state is State.SUCCEEDED
    assert len(fake.requests) == (1 if again == "confirm" else 2)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("nonsense://somewhere", "does not know"),
        ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#general/#random", "several targets"),
        ("jsons://hooks.example.com/a?retry=3", "repeats"),
        ("json://hooks.example.com/a", "in the clear"),
    ],
)
def test_addresses_that_do_not_do(url: str, why: str, use: Callable[[str], None]) -> None:
    use(url)
    with pytest.raises(Rejected, match=why) as caught:
        run()
    assert caught.value.code == "not_configured"
    assert url not in str(caught.value)


def test_an_optional_target_that_fails_is_no_success(fake: Fake, use: Callable[[str], None]) -> None:
    use(f"{_address(fake)}?optional=yes")
    fake.script = lambda _: Answer(500)
    with pytest.raises(Ambiguous):
        run()


def test_what_is_too_long_for_the_target_is_refused_and_not_cut(use: Callable[[str], None]) -> None:
    use("discord://123456789012345678/abcdefghijklmnopqrstuvwxyzABCDEF")
    with pytest.raises(Rejected, match="2000 characters at most"):
        run(body="x" * 2001)


def test_an_address_that_is_none_is_said_at_the_door(use: Callable[[str], None]) -> None:
    use("not an address with s3cr3t")
    with pytest.raises(Invalid, match="TREADLE_ACCOUNTS__NOTIFY__URL: an address of Apprise's") as caught:
        run()
    assert "s3cr3t" not in str(caught.value)
    with pytest.raises(NotConfigured):
        notify.find()


def test_every_part_of_an_address_that_may_be_a_token_is_a_secret() -> None:
    def secrets(url: str) -> set[str]:
        return {*Notify.model_validate({"name": "notify", "url": url}).secrets()} - {url}

    assert secrets("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnl%2FazkcO/#general") == {
        "T1JJ3T3L2",
        "A1BRTD4JD",
        "TIiajkdnl%2FazkcO",
        "TIiajkdnl/azkcO",
    }
    assert secrets("jsons://someone:p.assw0rd@hooks.example.com/?overflow=upstream") == {"p.assw0rd", "upstream"}
    assert secrets("tgram://123456789:abcdefg_hijklmnop/12315544/") == {"123456789", "abcdefg_hijklmnop", "12315544"}
