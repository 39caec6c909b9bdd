"""What the client sends, what it sends again, and what it makes of answers: against an API that is only pretended."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import pytest

from client import AsyncTreadle, Refused, StillRunning, Treadle, Unreachable, manners
from client.call import Event

BUSY = {"type": "/problems/ledger-busy", "title": "Busy", "status": 503, "detail": "Try again."}
JOB = {"id": "0192aaaa-0000-7000-8000-000000000001", "state": "queued"}
Answer = httpx2.Response | Exception


class Pretended:
    """Gives its answers one after the other, the last for ever; remembers what was asked."""

    def __init__(self, *answers: Answer) -> None:
        self.answers, self.asked = list(answers), list[httpx2.Request]()

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx2.Response(answer.status_code, headers=answer.headers, content=answer.content)  # each is used up

    @property
    def keys(self) -> set[str | None]:
        return {request.headers.get("idempotency-key") for request in self.asked}


def said(status: int, body: Any = None, **headers: str) -> httpx2.Response:
    return httpx2.Response(status, json=body, headers={name.replace("_", "-"): value for name, value in headers.items()})


def streamed(*events: tuple[str, str, dict[str, Any]]) -> httpx2.Response:
    text = "retry: 1000\n\n: still here\n\n"
    text += "".join(
        f"event: {kind}\n{f'id: {event_id}' if event_id else ':'}\ndata: {json.dumps(data)}\n\n"
        for kind, event_id, data in events
    )
    return httpx2.Response(200, text=text, headers={"content-type": "text/event-stream"})


def flat(url: str, key: str, api: Pretended, **given: float) -> Any:
    return Treadle(url, key, transport=httpx2.MockTransport(api), **given)


def looped(url: str, key: str, api: Pretended, **given: float) -> Any:
    """An async client that is used like the other: each call is a turn of a loop."""
    return Turning(AsyncTreadle(url, key, transport=httpx2.MockTransport(api), **given))


class Turning:
    def __init__(self, client: AsyncTreadle) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        def call(*args: Any, **given: Any) -> Any:
            made = method(*args, **given)
            return asyncio.run(_listed(made)) if isinstance(made, AsyncIterator) else asyncio.run(made)

        return call


async def _listed(found: AsyncIterator[Any]) -> list[Any]:
    return [each async for each in found]


@pytest.fixture(params=[flat, looped], ids=["sync", "async"])
def treadle(request: pytest.FixtureRequest, paused: list[float]) -> Callable[..., Any]:
    return lambda *answers, **given: _with(request.param, *answers, **given)


def _with(make: Callable[..., Any], *answers: Answer, **given: float) -> tuple[Any, Pretended]:
    api = Pretended(*answers)
    return make("http://127.0.0.1:1/", "tr_a_b", api, **given), api


@pytest.fixture
def paused(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds of each pause; none is made."""
    pauses: list[float] = []

    async def note(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr("time.sleep", pauses.append)
    monkeypatch.setattr("asyncio.sleep", note)
    return pauses


def test_a_job_goes_out_as_it_was_given(treadle: Callable[..., Any]) -> None:
    client, api = treadle(said(202, JOB))
    assert client.create_job(task="a.b", payload={"n": 1}, wait=9.2) == JOB
    (request,) = api.asked
    assert (request.method, str(request.url)) == ("POST", "http://127.0.0.1:1/v1/jobs")
    assert json.loads(request.content) == {"task": "a.b", "payload": {"n": 1}}
    assert request.headers["authorization"] == "Bearer tr_a_b"
    assert request.headers["prefer"] == "wait=10"
    assert len(request.headers["idempotency-key"]) == 36
    assert request.extensions["timeout"]["read"] == manners.PATIENCE + 9.2


def test_names_are_quoted_and_what_is_not_given_is_left_out(treadle: Callable[..., Any]) -> None:
    client, api = treadle(said(200, {"jobs": [], "next_cursor": None}))
    client.list_jobs(tags=["a", "b&c"], state="failed")
    assert api.asked[0].url.query == b"state=failed&tags=a&tags=b%26c"
    client.pause_queue("a/b c")
    assert api.asked[1].url.raw_path == b"/v1/queues/a%2Fb%20c/pause"
    assert "idempotency-key" not in api.asked[1].headers


@pytest.mark.parametrize(
    "failure",
    [said(503, BUSY), said(502), said(429, {}, retry_after="7"), httpx2.ReadTimeout("cut"), httpx2.ConnectError("refused")],
    ids=["busy", "bad gateway", "too many", "no answer", "no connection"],
)
def test_what_has_a_key_is_sent_again_with_the_same_key(
    treadle: Callable[..., Any], paused: list[float], failure: Answer
) -> None:
    client, api = treadle(failure, failure, said(202, JOB))
    assert client.create_job(task="a.b") == JOB
    assert len(api.asked) == 3
    assert len(api.keys) == 1
    assert None not in api.keys
    assert len(paused) == 2
    if isinstance(failure, httpx2.Response) and failure.status_code == 429:
        assert all(7 <= seconds <= 7 * manners.SPREAD for seconds in paused)


@pytest.mark.parametrize("failure", [httpx2.ReadTimeout("cut"), said(502), said(503, {})], ids=["cut", "502", "503"])
def test_what_has_no_key_and_may_have_been_done_is_not_sent_again(treadle: Callable[..., Any], failure: Answer) -> None:
    client, api = treadle(failure, said(202, JOB))
    with pytest.raises((Unreachable, Refused)):
        client.run_schedule("nightly")
    assert len(api.asked) == 1


@pytest.mark.parametrize("failure", [httpx2.ConnectError("refused"), said(503, BUSY)], ids=["not sent", "not stored"])
def test_what_was_not_done_is_sent_again_without_a_key_too(treadle: Callable[..., Any], failure: Answer) -> None:
    client, api = treadle(failure, said(202, JOB))
    assert client.run_schedule("nightly") == JOB
    assert len(api.asked) == 2


def test_one_persists_only_so_long(treadle: Callable[..., Any], paused: list[float]) -> None:
    client, api = treadle(said(503, BUSY, retry_after="61"), said(202, JOB))
    with pytest.raises(Refused, match="Try again"):
        client.create_job(task="a.b")
    assert (len(api.asked), paused) == (1, [])
    client, api = treadle(httpx2.ConnectError("refused"), persistence=0)
    with pytest.raises(Unreachable, match=r"No Treadle API answers at .* \(refused\)"):
        client.get_job("a")
    assert len(api.asked) == 1


def test_a_problem_says_what_is_wrong(treadle: Callable[..., Any]) -> None:
    wrong = {"pointer": "/payload/url", "detail": "is missing"}
    client, api = treadle(said(422, {"type": "/problems/invalid", "status": 422, "detail": "No url.", "errors": [wrong]}))
    with pytest.raises(Refused, match="No url") as caught:
        client.create_job(task="a.b")
    assert (caught.value.status, caught.value.kind, caught.value.errors) == (422, "invalid", [wrong])
    assert len(api.asked) == 1


@pytest.mark.parametrize("page", [httpx2.Response(200, html="<p>hello"), httpx2.Response(404, text="nginx")])
def test_what_is_no_api_is_told_as_such(treadle: Callable[..., Any], page: httpx2.Response) -> None:
    client, _ = treadle(page)
    with pytest.raises(Refused, match="not as a Treadle API does"):
        client.get_job("a")


def test_a_list_is_gone_through_page_after_page(treadle: Callable[..., Any]) -> None:
    client, api = treadle(
        said(200, {"jobs": [{"id": 1}, {"id": 2}], "next_cursor": "c"}),
        said(200, {"jobs": [{"id": 3}], "next_cursor": None}),
    )
    assert [job["id"] for job in client.each_job(state="failed")] == [1, 2, 3]
    assert [request.url.query for request in api.asked] == [b"state=failed", b"state=failed&cursor=c"]


def test_a_list_without_cursors_goes_on_behind_its_last(treadle: Callable[..., Any]) -> None:
    client, api = treadle(said(200, {"deeds": [{"id": "b"}, {"id": "a"}]}), said(200, {"deeds": []}))
    assert [deed["id"] for deed in client.each_deed()] == ["b", "a"]
    assert api.asked[1].url.query == b"before=a"


def test_a_stream_goes_on_where_it_broke_and_ends_when_the_api_says_so(
    treadle: Callable[..., Any], paused: list[float]
) -> None:
    client, api = treadle(
        streamed(("started", "1", {"n": 1}), ("job", "", {})),
        httpx2.ReadError("cut"),
        said(503, BUSY, retry_after="4"),
        streamed(("finished", "2", {"n": 2})),
        httpx2.Response(204),
    )
    heard = list(client.stream_job("a"))
    assert heard == [Event("started", {"n": 1}, "1"), Event("job", {}, "1"), Event("finished", {"n": 2}, "2")]
    assert [request.headers.get("last-event-id") for request in api.asked] == [None, "1", "1", "1", "2"]
    assert paused == [0, 1, 4, 0]


def test_a_stream_that_is_refused_ends(treadle: Callable[..., Any]) -> None:
    client, api = treadle(said(404, {"detail": "There is no such job."}))
    with pytest.raises(Refused, match="no such job"):
        list(client.stream_job("a"))
    assert len(api.asked) == 1


def test_waiting_lets_the_api_wait(treadle: Callable[..., Any]) -> None:
    client, api = treadle(said(200, JOB), said(200, JOB | {"state": "succeeded"}))
    assert client.wait("a")["state"] == "succeeded"
    assert [request.headers["prefer"] for request in api.asked] == ["wait=20"] * 2
    client, api = treadle(said(200, JOB))
    with pytest.raises(StillRunning, match="still queued") as caught:
        client.wait("a", timeout=0)
    assert caught.value.job == JOB
    assert len(api.asked) == 1


def test_an_address_must_be_one() -> None:
    with pytest.raises(ValueError, match="no address"):
        Treadle("localhost:8000")
