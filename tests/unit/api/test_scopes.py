"""Who may do what: every route, with every kind of key."""

import inspect
import re
from datetime import timedelta
from itertools import product
from uuid import uuid4

import httpx2
import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import RouteContext, iter_route_contexts

from api.app import create_app
from jobs import keys
from jobs.keys import RANK, Scope
from runtime.database import transaction
from tests.clock import Clock
from tests.contract.door import SCOPES, Door, check_problem

NEEDS: dict[str, Scope] = {
    "GET /v1/audit": "admin",
    "GET /v1/bulk-actions": "read",
    "POST /v1/bulk-actions": "operate",
    "GET /v1/bulk-actions/{action_id}": "read",
    "POST /v1/bulk-actions/{action_id}/abort": "operate",
    "POST /v1/bulk-actions/{action_id}/resume": "operate",
    "GET /v1/endpoints": "read",
    "POST /v1/endpoints": "write",
    "DELETE /v1/endpoints/{endpoint_id}": "write",
    "GET /v1/endpoints/{endpoint_id}": "read",
    "PATCH /v1/endpoints/{endpoint_id}": "write",
    "GET /v1/endpoints/{endpoint_id}/deliveries": "read",
    "POST /v1/endpoints/{endpoint_id}/disable": "write",
    "POST /v1/endpoints/{endpoint_id}/enable": "write",
    "POST /v1/endpoints/{endpoint_id}/ping": "write",
    "POST /v1/endpoints/{endpoint_id}/rotate": "admin",
    "GET /v1/endpoints/{endpoint_id}/secret": "admin",
    "GET /v1/events": "read",
    "POST /v1/events": "write",
    "POST /v1/events/replay": "write",
    "POST /v1/events/test": "read",
    "GET /v1/events/{event_id}": "read",
    "POST /v1/events/{event_id}/replay": "write",
    "GET /v1/jobs": "read",
    "POST /v1/jobs": "write",
    "POST /v1/jobs/bulk": "write",
    "GET /v1/jobs/count": "read",
    "GET /v1/jobs/{job_id}": "read",
    "PATCH /v1/jobs/{job_id}": "operate",
    "POST /v1/jobs/{job_id}/cancel": "operate",
    "GET /v1/jobs/{job_id}/events": "read",
    "POST /v1/jobs/{job_id}/replay": "write",
    "POST /v1/jobs/{job_id}/retry": "operate",
    "GET /v1/jobs/{job_id}/timeline": "read",
    "GET /v1/jobs/{job_id}/why": "read",
    "GET /v1/keys": "admin",
    "POST /v1/keys": "admin",
    "DELETE /v1/keys/{key_id}": "admin",
    "GET /v1/keys/{key_id}": "admin",
    "POST /v1/keys/{key_id}/rotate": "admin",
    "GET /v1/providers": "read",
    "POST /v1/providers/{account}/check": "write",
    "GET /v1/queues": "read",
    "GET /v1/queues/{name}": "read",
    "PATCH /v1/queues/{name}": "admin",
    "POST /v1/queues/{name}/pause": "admin",
    "POST /v1/queues/{name}/purge": "admin",
    "POST /v1/queues/{name}/resume": "admin",
    "GET /v1/schedules": "read",
    "POST /v1/schedules": "write",
    "DELETE /v1/schedules/{name}": "write",
    "GET /v1/schedules/{name}": "read",
    "PATCH /v1/schedules/{name}": "write",
    "GET /v1/schedules/{name}/preview": "read",
    "POST /v1/schedules/{name}/run": "write",
    "GET /v1/sources": "read",
    "POST /v1/sources": "admin",
    "GET /v1/sources/kinds": "read",
    "DELETE /v1/sources/{name}": "admin",
    "GET /v1/sources/{name}": "read",
    "PATCH /v1/sources/{name}": "admin",
    "GET /v1/stream": "read",
    "GET /v1/subscriptions": "read",
    "POST /v1/subscriptions": "write",
    "DELETE /v1/subscriptions/{name}": "write",
    "GET /v1/subscriptions/{name}": "read",
    "PATCH /v1/subscriptions/{name}": "write",
    "GET /v1/tasks": "read",
    "GET /v1/tasks/{name}": "read",
}
HOOKS = {f"{method} /v1/hooks/{path}" for method in ("GET", "OPTIONS", "POST") for path in ("{source}", "{source}/{token}")}
"""Where providers call: their signature is the key."""
OPEN = {"GET /livez", "GET /readyz", "GET /metrics", "GET /problems/{kind}"} | HOOKS
"""What answers without a key of ours."""
DOCUMENTS = {"/openapi.json", "/docs", "/docs/oauth2-redirect"}


def routes() -> dict[str, RouteContext]:
    found = [route for route in iter_route_contexts(create_app().routes) if route.path not in DOCUMENTS]
    return {f"{method} {route.path}": route for route in found for method in route.methods or ()}


def asked_for(route: RouteContext) -> list[Scope]:
    """The scopes that the route's dependencies ask for."""

    def checks(dependant: Dependant) -> list[Scope]:
        own = [inspect.getclosurevars(dependant.call).nonlocals["scope"]] if _is_check(dependant) else []
        return own + [scope for inner in dependant.dependencies for scope in checks(inner)]

    return checks(route.dependant)


def _is_check(dependant: Dependant) -> bool:
    return getattr(dependant.call, "__qualname__", "") == "needs.<locals>.check"


_NAMED = re.compile(r"\{(\w+)\}")


def _none(named: re.Match[str]) -> str:
    """A value for a part of a path, where nothing stands."""
    return str(uuid4()) if named[1].endswith("_id") else {"kind": "invalid"}.get(named[1], "none")


def ask(door: Door, route: str, headers: dict[str, str]) -> httpx2.Response:
    method, path = _NAMED.sub(_none, route).split()
    path += "?for=0s" if path == "/v1/stream" else ""  # else it has no end
    with httpx2.Client(base_url=door.url, trust_env=False) as client:  # one without a key of its own
        answer = client.request(method, path, headers=headers)
    if answer.status_code >= 400:
        check_problem(answer.status_code, answer.headers, answer.content)
    return answer


def test_every_route_is_open_by_decision_or_asks_for_one_scope() -> None:
    assert routes().keys() == NEEDS.keys() | OPEN, "a new route needs a scope, and a line here"
    assert {route: asked_for(context) for route, context in routes().items()} == {
        **{route: [scope] for route, scope in NEEDS.items()},
        **{route: [] for route in OPEN},
    }


def test_all_that_changes_something_asks_for_more_than_read() -> None:
    looks = {route for route in NEEDS if route.startswith("GET")} | {"POST /v1/events/test"}  # it tries, and stores nothing
    closed = {"GET /v1/audit", "GET /v1/keys", "GET /v1/keys/{key_id}", "GET /v1/endpoints/{endpoint_id}/secret"}
    assert {route for route, scope in NEEDS.items() if scope == "read"} == looks - closed


@pytest.mark.parametrize(("route", "scope"), list(product(NEEDS, SCOPES)))
def test_a_key_may_do_what_its_scope_holds(route: str, scope: Scope, door: Door) -> None:
    answer = ask(door, route, door.authority(scope))
    if RANK[scope] >= RANK[NEEDS[route]]:
        assert answer.status_code not in {401, 403}
    else:
        assert answer.status_code == 403
        assert NEEDS[route] in answer.json()["detail"]


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer tr_000000000000_" + "x" * 43,
        "Bearer nonsense",
        "Basic dXNlcjpwYXNz",
        "Bearer tr_é_é",
    ],
)
@pytest.mark.parametrize("route", NEEDS)
def test_without_a_valid_key_nothing_is_told(route: str, header: str | None, door: Door) -> None:
    answer = ask(door, route, {} if header is None else {"authorization": header.encode()})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="treadle"'
    assert answer.json()["detail"] == "There is no valid API key in the Authorization header."


@pytest.mark.parametrize("route", sorted(OPEN))
def test_what_is_open_asks_for_no_key(route: str, door: Door) -> None:
    assert ask(door, route, {}).status_code == (404 if route in HOOKS else 200)  # there is no such source


@pytest.mark.parametrize("spelling", ["bearer {}", "BEARER {}", "Bearer   {}"])
def test_the_scheme_is_read_generously(spelling: str, door: Door) -> None:
    assert ask(door, "GET /v1/jobs", {"authorization": spelling.format(door.keys["read"])}).status_code == 200


@pytest.mark.parametrize(
    "damage", [lambda key: key[:-1], lambda key: key + "x", lambda key: key.upper(), lambda key: key[3:]]
)
def test_a_key_that_is_nearly_right_is_wrong(damage: object, door: Door) -> None:
    assert callable(damage)
    assert ask(door, "GET /v1/jobs", {"authorization": f"Bearer {damage(door.keys['admin'])}"}).status_code == 401


def test_a_revoked_key_ends_within_the_second_that_it_is_remembered(door: Door, clock: Clock) -> None:
    with transaction() as session:
        key = keys.create(session, "to be revoked", "read")
    asking = {"authorization": f"Bearer {key}"}
    assert ask(door, "GET /v1/jobs", asking).status_code == 200
    with transaction() as session:
        assert keys.revoke(session, key.split("_")[1])
    clock.advance(1)
    assert ask(door, "GET /v1/jobs", asking).status_code == 401


def test_a_key_ends_when_it_expires(door: Door, clock: Clock) -> None:
    with transaction() as session:
        key = keys.create(session, "for an hour", "read", lifetime=timedelta(hours=1))
    asking = {"authorization": f"Bearer {key}"}
    clock.advance(3599)
    assert ask(door, "GET /v1/jobs", asking).status_code == 200
    clock.advance(1)
    assert ask(door, "GET /v1/jobs", asking).status_code == 401


def test_a_key_made_after_it_was_refused_is_taken_within_a_second(door: Door, clock: Clock) -> None:
    with transaction() as session:
        key = keys.create(session, "early", "read")
        asking = {"authorization": f"Bearer {key}"}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(keys, "verify", lambda *_: None)
            assert ask(door, "GET /v1/jobs", asking).status_code == 401
    clock.advance(1)
    assert ask(door, "GET /v1/jobs", asking).status_code == 200


def test_another_tenant_sees_nothing_of_this_one(door: Door) -> None:
    with transaction() as session:
        asking = {"authorization": f"Bearer {keys.create(session, 'them', 'admin', tenant='them')}"}
    job = door.post_job().json()["id"]
    assert ask(door, f"GET /v1/jobs/{job}", asking).status_code == 404
    assert ask(door, f"POST /v1/jobs/{job}/cancel", asking).status_code == 404
    assert ask(door, "GET /v1/jobs", asking).json()["jobs"] == []
