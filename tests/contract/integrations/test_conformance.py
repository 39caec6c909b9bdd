"""Every task of every provider keeps the rules. Tasks are found in the catalogue; a provider without an entry fails.

To add one, see `entry.py`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from jobs.errors import Ambiguous, Duplicate, Invalid, RateLimited, Rejected, TaskError, Transient, Unauthorized
from jobs.outcome import Snoozed
from jobs.states import Reason, State
from runtime import clock
from tasks import catalogue, load
from tasks.provider import ProviderTask, providers
from tests.contract.integrations.conftest import Bench
from tests.contract.integrations.entry import Entry, Special, entry
from tests.contract.integrations.fake import Answer, Request, Script
from tests.contract.specification import specification
from tests.servers import free_port

ROOT = Path(__file__).parents[3]
MINUTE = timedelta(minutes=1)

load()
OURS = sorted(name for name, provider in providers.items() if provider.account.__module__.startswith("tasks.integrations."))


def _provided() -> list[tuple[ProviderTask, Entry]]:
    tasks = [task for task in catalogue.all() if isinstance(task, ProviderTask) and task.provider.name in OURS]
    found = [(task, entry(task.provider.name)) for task in tasks if _has_entry(task.provider.name)]
    return [(task, known) for task, known in found if known.elsewhere is None]


def _has_entry(provider: str) -> bool:
    try:
        entry(provider)
    except ModuleNotFoundError:
        return False  # the first test says so
    return True


@dataclass(frozen=True)
class Case:
    """Something that may happen to a call, and the class that it must become for a call that can or cannot be repeated."""

    name: str
    script: Callable[[Bench], Script]
    repeatable: type[TaskError]
    other: type[TaskError] | None = None
    after: timedelta | None = None


def _no(status: int, **headers: str) -> Callable[[Bench], Script]:
    """An error of that status, which echoes the whole request, credentials and all."""

    def script(bench: Bench) -> Script:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return lambda request: bench.entry.refusal(status, request.echo(), **named)

    return script


def _in_a_minute(bench: Bench) -> Script:
    def script(request: Request) -> Answer | None:  # the date is that of the answer, not of the test's start
        return _no(429, retry_after=format_datetime(clock.now() + MINUTE, usegmt=True))(bench)(request)

    return script


def _cut(_: Bench) -> Script:
    return lambda _: None


def _silence(bench: Bench) -> Script:
    bench.call_at(bench.fake.url, patience="300ms")

    def script(_: Request) -> Answer | None:
        bench.fake.release.wait(20)
        return None

    return script


def _garbage(_: Bench) -> Script:
    return lambda _: Answer(200, body=b"\x00<html>{]")


CASES = [
    Case("400", _no(400), Rejected),
    Case("401", _no(401), Unauthorized),
    Case("403", _no(403), Unauthorized),
    Case("404", _no(404), Rejected),
    Case("409", _no(409), Rejected),
    Case("422", _no(422), Rejected),
    Case("429", _no(429), RateLimited),
    Case("429 in seconds", _no(429, retry_after="60"), RateLimited, after=MINUTE),
    Case("429 at a date", _in_a_minute, RateLimited, after=MINUTE),
    Case("500", _no(500), Transient, Ambiguous),
    Case("502", _no(502), Transient, Ambiguous),
    Case("503", _no(503), Transient, Ambiguous),
    Case("503 with Retry-After", _no(503, retry_after="60"), Transient),
    Case("504", _no(504), Transient, Ambiguous),
    Case("slow", _silence, Ambiguous),
    Case("cut", _cut, Ambiguous),
    Case("garbage", _garbage, Ambiguous),
]

CALLING = [each for each in _provided() if not each[0].offline]

specified = pytest.mark.parametrize(
    "provided", [pytest.param(each, id=each[0].name) for each in CALLING if each[1].specification]
)
provided = pytest.mark.parametrize("provided", [pytest.param(each, id=each[0].name) for each in CALLING])
offline = pytest.mark.parametrize(
    "provided", [pytest.param(each, id=each[0].name) for each in _provided() if each[0].offline]
)
specials = pytest.mark.parametrize(
    ("provided", "special"),
    [
        pytest.param((task, known), special, id=f"{task.name}: {special.name}")
        for task, known in CALLING
        for special in known.special
        if special.task in {None, task.name}
    ],
)
confirming = pytest.mark.parametrize(
    "provided", [pytest.param(each, id=each[0].name) for each in _provided() if each[0].confirm]
)
_FAMILY = {"Unconfirmed": "Ambiguous", "TimedOut": "Ambiguous"}


def _works(bench: Bench) -> Script:
    return lambda _: bench.entry.success[bench.task.name]


def _secrets(bench: Bench) -> list[str]:
    return [*bench.task.provider.find().secrets()]


def _check_nothing_shown(bench: Bench) -> None:
    shown = {"a row": bench.rows(), "the log": bench.log(), "the verdict": repr(bench.verdict)}
    for secret in _secrets(bench):
        for where, text in shown.items():
            assert secret not in text, f"{where} shows a secret"


@pytest.mark.parametrize("name", OURS)
def test_a_provider_has_an_entry_for_each_of_its_tasks(name: str) -> None:
    known = entry(name)
    if known.elsewhere is not None:
        assert name in (ROOT / known.elsewhere).read_text()
        return
    tasks = [task for task in catalogue.all() if isinstance(task, ProviderTask) and task.provider.name == name]
    assert {task.name for task in tasks if not task.offline} == set(known.success)


@provided
def test_a_call_that_works_is_one_request(bench: Bench) -> None:
    bench.fake.script = _works(bench)
    job = bench.run(bench.submit())
    assert job.state is State.SUCCEEDED, job.error
    assert len(bench.fake.requests) == 1
    _check_nothing_shown(bench)


@offline
def test_what_is_reckoned_here_makes_no_request_and_shows_no_secret(bench: Bench) -> None:
    job = bench.run(bench.submit())
    assert job.state is State.SUCCEEDED, job.error
    assert not bench.fake.requests
    _check_nothing_shown(bench)


@specified
def test_request_and_answer_are_what_the_provider_published(bench: Bench) -> None:
    bench.fake.script = _works(bench)
    bench.run(bench.submit())
    (request,) = bench.fake.requests
    known = bench.entry.specification
    assert known is not None
    published = specification(known if isinstance(known, str) else known[bench.task.name])
    published.check_request(request)
    published.check_response(request, bench.entry.success[bench.task.name])


@provided
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_goes_wrong_gets_its_class_by_one_request(case: Case, bench: Bench) -> None:
    bench.fake.script = case.script(bench)
    job_id = bench.submit()
    job = bench.run(job_id)
    wanted = case.repeatable if bench.task.repeatable else case.other or case.repeatable
    wanted_here = bench.entry.expected(bench.task.name, case.name, wanted)
    error = bench.error(job_id)
    if wanted_here is None:
        assert job.state is State.SUCCEEDED, error
    else:
        assert _FAMILY.get(error["class"], error["class"]) == wanted_here.__name__, error
    if wanted_here is RateLimited:
        assert isinstance(bench.verdict, Snoozed)
        assert job.attempt == 0
        if case.after is not None:
            assert abs(bench.verdict.delay - case.after) < timedelta(seconds=2)
    if wanted_here is Ambiguous and not bench.task.repeatable and bench.task.confirm is None:
        assert job.reason is Reason.UNKNOWN_OUTCOME
    assert len(bench.fake.requests) == 1
    _check_nothing_shown(bench)


@provided
def test_no_connection_is_transient_and_may_be_tried_again(bench: Bench) -> None:
    bench.call_at(f"http://127.0.0.1:{free_port()}")
    job_id = bench.submit()
    assert bench.run(job_id).state is State.SCHEDULED
    assert bench.error(job_id)["class"] == "Transient", bench.error(job_id)
    _check_nothing_shown(bench)
    bench.call_at(bench.fake.url)
    bench.fake.script = _works(bench)
    assert bench.run(job_id).state is State.SUCCEEDED


@specials
def test_an_answer_of_its_own_gets_its_class(special: Special, bench: Bench) -> None:
    bench.fake.script = lambda _: special.answer
    job_id = bench.submit()
    job = bench.run(job_id)
    if special.becomes in {None, Duplicate}:
        assert job.state is State.SUCCEEDED, job.error
    else:
        error = bench.error(job_id)
        assert special.becomes is not None
        assert _FAMILY.get(error["class"], error["class"]) == special.becomes.__name__, error
    assert len(bench.fake.requests) == 1
    _check_nothing_shown(bench)


@provided
def test_a_rerun_repeats_the_same_request_or_none(bench: Bench) -> None:
    """The worker dies after the provider's yes: with our key in it the call is repeated, else the receipt answers."""
    bench.fake.script = _works(bench)
    job_id = bench.submit()
    assert bench.run(job_id, dies=True).state is State.SCHEDULED
    job = bench.run(job_id)
    assert job.state is State.SUCCEEDED, job.error
    if not bench.task.repeatable:
        assert len(bench.fake.requests) == 1
        return
    first, second = bench.fake.requests
    assert (first.method, first.path, first.content()) == (second.method, second.path, second.content())
    if not isinstance(bench.task.repeatable, bool):
        assert bench.entry.key is not None, "where is its key?"
        assert str(job_id) in bench.entry.key(first)
        assert bench.entry.key(first) == bench.entry.key(second)


@provided
def test_what_may_have_been_done_is_not_done_again_blindly(bench: Bench) -> None:
    bench.fake.script = _cut(bench)
    job_id = bench.submit()
    job = bench.run(job_id, dies=True)
    assert job.state is State.SCHEDULED
    bench.fake.script = _works(bench)
    if bench.task.repeatable:
        assert bench.run(job_id).state is State.SUCCEEDED
    elif bench.task.confirm is None:
        assert bench.run(job_id).reason is Reason.UNKNOWN_OUTCOME
        assert len(bench.fake.requests) == 1


@confirming
@pytest.mark.parametrize("was_done", [True, False])
def test_the_provider_is_asked_whether_it_was_done(was_done: bool, bench: Bench) -> None:
    bench.fake.script = _cut(bench)
    job_id = bench.submit()
    assert bench.run(job_id).state is State.SCHEDULED
    bench.age(job_id)
    known = bench.entry.found if was_done else bench.entry.absent
    said = known[bench.task.name]
    answers = iter([said if isinstance(said, Answer) else said(str(job_id)), bench.entry.success[bench.task.name]])
    bench.fake.script = lambda _: next(answers)
    job = bench.run(job_id)
    assert job.state is State.SUCCEEDED, job.error
    assert len(bench.fake.requests) == (2 if was_done else 3)
    _check_nothing_shown(bench)


@provided
def test_an_account_that_is_missing_is_refused_with_the_line_that_mends_it(bench: Bench) -> None:
    payload = bench.entry.payloads.get(bench.task.name, bench.task.example)
    with pytest.raises(Invalid) as caught:
        bench.task.accept({**payload, "account": f"{bench.task.provider.name}-nowhere"})
    (wrong,) = caught.value.errors
    assert wrong["pointer"] == "/payload/account"
    name = bench.task.provider.name.replace("-", "_").upper()
    assert re.search(rf"Set TREADLE_ACCOUNTS__{name}_NOWHERE__\w+=", wrong["detail"]), wrong


@provided
def test_no_account_sends_credentials_in_the_clear(bench: Bench) -> None:
    bench.call_at("http://provider.example.com")
    assert "https:// is needed" in (bench.task.missing() or "")
