"""What the document says of errors can be had: each status that an operation names for a wrong request is provoked."""

import re
from typing import Any

import pytest

from api.app import create_app
from tests.contract.door import Door

NOTHING = "01980000-0000-7000-8000-00000000dead"
DOCUMENT: dict[str, Any] = create_app().openapi()


def operations(status: str) -> list[Any]:
    """Those that name the status; hooks prove themselves otherwise, and have tests of their own (test_hooks)."""
    return [
        pytest.param(method.upper(), path, id=f"{method.upper()} {path}")
        for path, methods in DOCUMENT["paths"].items()
        for method, operation in methods.items()
        if status in operation["responses"] and path.startswith("/v1/") and not path.startswith("/v1/hooks/")
    ]


def of_nothing(path: str) -> str:
    """The path of something that is not there."""
    return re.sub(r"\{(\w+)\}", lambda gap: NOTHING if gap[1] != "key_id" and gap[1].endswith("_id") else "nothing", path)


def media_type(method: str, path: str) -> str | None:
    return next(iter(DOCUMENT["paths"][path][method.lower()].get("requestBody", {}).get("content", {})), None)


@pytest.mark.parametrize(("method", "path"), operations("401"))
def test_without_a_key_each_is_refused(method: str, path: str, door: Door) -> None:
    assert door.ask(method, of_nothing(path), headers={"authorization": ""}).status_code == 401


@pytest.mark.parametrize(("method", "path"), operations("413"))
def test_what_is_too_large_is_refused_unread(method: str, path: str, door: Door) -> None:
    key = f"Authorization: {door.authority()['authorization']}\r\n".encode()
    assert door.say(method, of_nothing(path), key, b"Content-Length: 999999999\r\n\r\n") == 413


BODIES = [each for each in operations("415") if media_type(*each.values) is not None]


@pytest.mark.parametrize(("method", "path"), BODIES)
def test_a_body_that_is_no_json_is_refused(method: str, path: str, door: Door) -> None:
    kind = media_type(method, path)
    assert kind is not None
    wrong = door.ask(method, of_nothing(path), content=b"a=b", headers={"content-type": "application/x-www-form-urlencoded"})
    assert wrong.status_code == 415
    broken = door.ask(method, of_nothing(path), content=b"{", headers={"content-type": kind})
    assert broken.status_code == 400


@pytest.mark.parametrize(("method", "path"), operations("404"))
def test_what_is_not_there_is_not_found(method: str, path: str, door: Door) -> None:
    kind = media_type(method, path)
    body = {"content": b"{}", "headers": {"content-type": kind}} if kind else {}
    answer = door.ask(method, of_nothing(path), **body)
    assert answer.status_code == 404 or (kind and answer.status_code == 422), answer.text  # the body is read first
