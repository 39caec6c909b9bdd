"""What an answer means: by status, by Retry-After; and that nothing secret is repeated."""

from datetime import timedelta

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.errors import RateLimited, Rejected, TaskError, Transient, Unauthorized
from tasks import http
from tasks.reply import Reply
from tests.clock import START, Clock


def reply(status: int, headers: dict[str, str] | None = None, body: bytes = b"", **more: object) -> Reply:
    return Reply("POST", "https://example.com/hook", status, httpx2.Headers(headers), body, **more)  # type: ignore[arg-type]


STATUSES: list[tuple[int, type[TaskError] | None]] = [
    *((status, None) for status in (200, 201, 202, 204, 206, 226, 299)),
    *((status, Rejected) for status in (300, 301, 302, 303, 304, 307, 308, 399)),
    *((status, Rejected) for status in (400, 402, 403, 404, 405, 409, 410, 411, 413, 414, 415, 418, 422, 423, 451, 499)),
    *((status, Unauthorized) for status in (401,)),
    *((status, Transient) for status in (408, 425, 500, 502, 503, 504, 507, 508, 520, 522, 529, 599)),
    *((status, RateLimited) for status in (429,)),
    *((status, Rejected) for status in (101, 501, 505, 600, 999)),
]


@pytest.mark.parametrize(("status", "kind"), STATUSES)
def test_status(status: int, kind: type[TaskError] | None) -> None:
    error = http.judge(reply(status, body=b"because"))
    assert type(error) is (kind or type(None))
    if error is None:
        assert http.raise_for(reply(status)).status == status
        return
    assert error.status == status
    assert error.detail == "because"
    assert f"POST https://example.com/hook answered {status}" in str(error)
    with pytest.raises(type(error)):
        http.raise_for(reply(status))
    assert http.judge(reply(status), success={status}) is None


HEADERS: list[tuple[dict[str, str], float | None]] = [
    ({}, None),
    ({"Retry-After": "0"}, 0),
    ({"Retry-After": "120"}, 120),
    ({"Retry-After": " 7 "}, 7),
    ({"Retry-After": "1.5"}, 1.5),
    ({"Retry-After": "999999999999"}, 365 * 86_400),
    ({"Retry-After": "Thu, 15 Jan 2026 12:01:00 GMT"}, 60),
    ({"Retry-After": "Thursday, 15-Jan-26 12:02:00 GMT"}, 120),
    ({"Retry-After": "Thu Jan 15 12:03:00 2026"}, 180),
    ({"Retry-After": "Thu, 15 Jan 2026 13:00:00 +0100"}, 0),
    ({"Retry-After": "Thu, 01 Jan 2015 00:00:00 GMT"}, 0),
    ({"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"}, 365 * 86_400),
    *(
        ({"Retry-After": bad}, None)
        for bad in ("soon", "-5", "nan", "inf", "1e3", "٣", "99999999999999999999", "Thu, 99 Foo 2026")
    ),
    ({"X-RateLimit-Reset": "30"}, 30),
    ({"X-Rate-Limit-Reset": "45"}, 45),
    ({"RateLimit-Reset": "50"}, 50),
    ({"X-RateLimit-Reset": str(int(START.timestamp()) + 90)}, 90),
    ({"X-RateLimit-Reset": str((int(START.timestamp()) + 90) * 1000)}, 90),
    ({"X-RateLimit-Reset": str(int(START.timestamp()) - 90)}, 0),
    ({"X-RateLimit-Reset": "later"}, None),
    ({"Retry-After": "3", "X-RateLimit-Reset": "30"}, 3),
]


@pytest.mark.parametrize(("headers", "seconds"), HEADERS)
def test_retry_after(headers: dict[str, str], seconds: float | None, clock: Clock) -> None:
    error = http.judge(reply(429, {name: value.encode() for name, value in headers.items()}))  # type: ignore[misc]
    assert isinstance(error, RateLimited)
    assert error.after == (None if seconds is None else timedelta(seconds=seconds))


def test_a_rate_limits_reset_means_nothing_without_429(clock: Clock) -> None:
    error = http.judge(reply(500, {"X-RateLimit-Reset": "3000"}))
    assert isinstance(error, Transient)
    assert error.after is None
    error = http.judge(reply(503, {"X-RateLimit-Reset": "3000", "Retry-After": "9"}))
    assert isinstance(error, Transient)
    assert error.after == timedelta(seconds=9)


@given(st.text())
def test_any_retry_after_is_read_without_harm(told: str) -> None:
    wait = http.retry_after(httpx2.Headers([(b"retry-after", told.encode(errors="ignore"))]), resets=True)
    assert wait is None or timedelta(0) <= wait <= timedelta(days=365)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://example.com/a/b", "https://example.com/a/b"),
        ("https://me:hunter2@example.com:8443/a", "https://example.com:8443/a"),
        ("https://example.com/?key=hunter2&page=2", "https://example.com/?key=***&page=***"),
        ("https://example.com/?hunter2", "https://example.com/?***"),
        ("https://example.com/?a=b=hunter2&&c=", "https://example.com/?a=***&c=***"),
        ("https://example.com/#hunter2", "https://example.com/"),
        ("https://[2001:db8::1]:1/?a=hunter2", "https://[2001:db8::1]:1/?a=***"),
        ("https://me:hunter2@[bad/", "(a malformed URL)"),
    ],
)
def test_redacted_url(url: str, shown: str) -> None:
    assert http.redact(url) == shown


def test_a_snippet_does_not_echo_the_urls_secrets() -> None:
    echo = reply(400, body=b'{"url": "https://example.com/?key=hunter2", "why": "no"}' + b"x" * 5000, secrets=("hunter2",))
    error = http.judge(echo)
    assert error is not None
    assert "hunter2" not in error.detail
    assert "key=***" in error.detail
    assert len(error.detail) == 500


@pytest.mark.parametrize(
    ("kind", "body", "text"),
    [
        ("text/plain; charset=iso-8859-1", b"caf\xe9", "café"),
        ('text/plain; charset="UTF-8"', "café".encode(), "café"),
        ("text/plain", b"caf\xe9", "caf�"),
        ("text/plain; charset=punycode", b"abc", "abc"),
        ("text/plain; charset=zlib", b"abc", "abc"),
        ("application/octet-stream", b"a\0b", "a�b"),
    ],
)
def test_text_of_a_body(kind: str, body: bytes, text: str) -> None:
    assert reply(200, {"content-type": kind}, body).text() == text


@given(st.binary(max_size=200), st.text(alphabet=st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=40))
def test_any_body_of_any_type_is_storable_text(body: bytes, kind: str) -> None:
    text = reply(500, {"content-type": f"text/plain; charset={kind}"}, body).snippet()
    text.encode()
    assert "\0" not in text
