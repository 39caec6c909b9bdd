"""What an answer, or none, means; and that no secret gets out with it."""

import http.client
import socket
import ssl
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from jobs.errors import Ambiguous, Duplicate, RateLimited, Rejected, TaskError, Transient, Unauthorized
from runtime.redaction import hide
from tasks.answers import Answer, Answered, cleaned, judge, judge_silence
from tasks.reply import Reply


def judged(answer: Answer, *, repeatable: bool = True, **errors: type[TaskError]) -> TaskError:
    table = {int(key[1:]) if key[1:].isdigit() else key: kind for key, kind in errors.items()}
    return judge(answer, "bank", table, repeatable=repeatable)


@pytest.mark.parametrize(
    ("status", "repeatable", "other"),
    [
        (200, Ambiguous, Ambiguous),
        (202, Ambiguous, Ambiguous),
        (None, Ambiguous, Ambiguous),
        (302, Rejected, Rejected),
        (400, Rejected, Rejected),
        (401, Unauthorized, Unauthorized),
        (403, Unauthorized, Unauthorized),
        (404, Rejected, Rejected),
        (408, Transient, Transient),
        (409, Rejected, Rejected),
        (425, Transient, Transient),
        (429, RateLimited, RateLimited),
        (500, Transient, Ambiguous),
        (501, Rejected, Rejected),
        (502, Transient, Ambiguous),
        (503, Transient, Ambiguous),
        (504, Transient, Ambiguous),
        (505, Rejected, Rejected),
        (529, Transient, Ambiguous),
        (599, Transient, Ambiguous),
    ],
)
def test_a_status_has_one_meaning(status: int | None, repeatable: type[TaskError], other: type[TaskError]) -> None:
    assert type(judged(Answer(status, "words"))) is repeatable
    assert type(judged(Answer(status, "words"), repeatable=False)) is other


def test_a_provider_s_own_words_come_first_and_a_code_before_a_status() -> None:
    assert type(judged(Answer(409, "", "posted"), posted=Duplicate, _409=Transient)) is Duplicate
    assert type(judged(Answer(409, "", "other"), posted=Duplicate, _409=Transient)) is Transient
    assert type(judged(Answer(503, ""), repeatable=False, _503=Transient)) is Transient


def test_a_503_that_says_when_to_come_back_was_meant_and_another_may_be_a_proxy_s() -> None:
    assert type(judged(Answer(503, "", headers={"Retry-After": "7"}), repeatable=False)) is Transient
    assert type(judged(Answer(503, "", headers={"Server": "proxy"}), repeatable=False)) is Ambiguous


def test_status_code_and_words_are_kept() -> None:
    error = judged(Answer(402, "Your card was declined.", "card_declined", detail={"decline_code": "lost"}))
    assert str(error) == "bank answered 402 card_declined: Your card was declined."
    assert (error.status, error.code, error.detail) == (402, "card_declined", {"decline_code": "lost"})


@pytest.mark.parametrize(
    ("status", "headers", "after"),
    [
        (429, {"Retry-After": "7"}, 7),
        (503, {"retry-after": "7"}, 7),
        (429, {"x-ms-retry-after-ms": "1500"}, 1.5),
        (429, {"X-RateLimit-Reset": "30"}, 30),
        (503, {"X-RateLimit-Reset": "30"}, None),  # many send it with every answer
        (429, {}, None),
    ],
)
def test_how_long_to_wait_is_read_from_the_headers(status: int, headers: dict[str, str], after: float | None) -> None:
    error = judged(Answer(status, "", headers=headers))
    assert isinstance(error, Transient)
    assert error.after == (None if after is None else timedelta(seconds=after))


def test_or_from_where_the_provider_says_it() -> None:
    error = judged(Answer(429, "", headers={"retry-after": "7"}, after=timedelta(minutes=2)))
    assert isinstance(error, RateLimited)
    assert error.after == timedelta(minutes=2)


def test_a_reply_becomes_an_answer_without_the_query_of_its_url() -> None:
    reply = Reply("POST", "https://example.com/?key=***", 400, httpx2.Headers({"a": "b"}), b'{"code": 7}')
    answer = Answered(reply, code="7").answer
    assert (answer.status, answer.code, answer.headers["a"], answer.detail) == (400, "7", "b", '{"code": 7}')
    assert str(Answered(reply)) == "POST https://example.com/?key=*** answered 400"


def named(name: str, *bases: type[Exception]) -> type[Exception]:
    return type(name, bases or (Exception,), {})


def chained(outer: Exception, inner: Exception, how: str) -> Exception:
    match how:
        case "cause":
            outer.__cause__ = inner
        case "context":
            outer.__context__ = inner
        case "argument":
            outer.args = ("wrapped", inner)
        case "reason":
            outer.reason = inner  # type: ignore[attr-defined]
    return outer


@pytest.mark.parametrize("how", ["cause", "context", "argument", "reason"])
@pytest.mark.parametrize(
    ("inner", "kind"),
    [
        (ConnectionRefusedError("refused"), Transient),
        (socket.gaierror(-2, "Name or service not known"), Transient),
        (ssl.SSLCertVerificationError("self-signed"), Transient),
        (named("ConnectTimeout")("slow"), Transient),
        (named("OurOwnConnectError", named("ConnectError"))("a subclass"), Transient),
        (ConnectionResetError("reset"), Ambiguous),
        (http.client.RemoteDisconnected("closed"), Ambiguous),
        (named("ReadTimeout")("slow"), Ambiguous),
        (KeyError("an SDK's bug"), Ambiguous),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
def test_an_sdk_s_exception_is_judged_by_what_lies_behind_it(inner: Exception, kind: type[TaskError], how: str) -> None:
    assert type(judge_silence(chained(RuntimeError("the SDK's own"), inner, how), "bank")) is kind


def test_if_one_host_was_not_there_and_another_broke_off_it_may_have_been_done() -> None:
    tried = chained(
        chained(RuntimeError("all hosts failed"), named("ReadTimeout")(), "cause"), ConnectionRefusedError(), "context"
    )
    assert type(judge_silence(tried, "bank")) is Ambiguous


def test_a_chain_that_bites_its_tail_ends() -> None:
    first, second = RuntimeError("a"), RuntimeError("b")
    first.__context__, second.__context__ = second, first
    assert type(judge_silence(first, "bank")) is Ambiguous


def test_a_bug_keeps_its_traceback_for_who_mends_it() -> None:
    def buggy() -> Any:
        return {}["hunter22-secret"]

    hide(["hunter22-secret"])
    error = judge_silence(raised(buggy), "bank")
    assert "in buggy" in error.detail
    assert "hunter22-secret" not in repr(error) + str(error.detail)


def test_an_error_of_the_tree_is_cleaned_and_loses_its_chain() -> None:
    hide(["hunter22-secret"])

    def fails() -> None:
        try:
            int("hunter22-secret")
        except ValueError as error:
            raise Rejected("no: hunter22-secret", code="hunter22-secret", detail=["hunter22-secret"]) from error

    error = raised(fails)
    assert isinstance(error, Rejected)
    clean = cleaned(error)
    assert clean is error
    assert (str(clean), clean.code, clean.detail) == ("no: ***", "***", ["***"])
    assert clean.__cause__ is clean.__context__ is None


def raised(function: Callable[[], Any]) -> Exception:
    try:
        function()
    except Exception as error:  # noqa: BLE001 - that is what it is for
        return error
    raise AssertionError("nothing was raised")
