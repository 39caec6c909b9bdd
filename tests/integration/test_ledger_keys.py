"""API keys: shown once, kept as digests, and no text can break the check."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from jobs import keys
from jobs.keys import Caller, Scope
from jobs.model import ApiKey
from runtime.database import snapshot, transaction
from tests.clock import Clock

pytestmark = pytest.mark.usefixtures("ledger")


def create(scope: Scope = "write", **changes: object) -> str:
    with transaction() as session:
        return keys.create(session, "ci", scope, **changes)


def verify(presented: str) -> Caller | None:
    with snapshot() as session:
        return keys.verify(session, presented)


def test_a_key_stands_for_its_caller() -> None:
    key = create("admin", tenant="acme")
    caller = verify(key)
    assert caller is not None
    assert (caller.tenant, caller.scope) == ("acme", "admin")
    assert key.startswith(f"tr_{caller.key_id}_")


def test_only_a_digest_is_kept() -> None:
    secret = create().split("_", 2)[2]
    with snapshot() as session:
        row = session.scalars(select(ApiKey)).one()
    assert secret not in repr({column.name: getattr(row, column.name) for column in ApiKey.__table__.columns})


def test_secrets_with_underscores_are_whole() -> None:
    made = [create() for _ in range(40)]
    assert any("_" in key.split("_", 2)[2] for key in made)
    assert all(verify(key) for key in made)


@pytest.mark.parametrize(
    ("scope", "may"),
    [
        ("read", {"read"}),
        ("operate", {"read", "operate"}),
        ("write", {"read", "operate", "write"}),
        ("admin", {"read", "operate", "write", "admin"}),
    ],
)
def test_each_scope_holds_those_below_it(scope: Scope, may: set[Scope]) -> None:
    caller = verify(create(scope))
    assert caller is not None
    assert {wanted for wanted in keys.RANK if caller.may(wanted)} == may


def test_a_key_that_was_revoked_is_refused_at_once() -> None:
    key = create()
    key_id = key.split("_")[1]
    with transaction() as session:
        assert keys.revoke(session, key_id)
    with transaction() as session:
        assert not keys.revoke(session, key_id)
        assert not keys.revoke(session, "nobody")
    assert verify(key) is None


def test_a_key_ends_with_its_lifetime(clock: Clock) -> None:
    key = create(lifetime=timedelta(hours=1))
    clock.advance(3599)
    assert verify(key) is not None
    clock.advance(1)
    assert verify(key) is None


def test_a_secret_opens_only_its_own_key() -> None:
    one, two = create(), create()
    assert verify("_".join([*one.split("_", 2)[:2], two.split("_", 2)[2]])) is None


@given(st.text(max_size=250) | st.text(max_size=220).map("tr_{}".format) | st.text(max_size=100).map("tr_0a1b2c_{}".format))
@example("")
@example("tr_")
@example("tr__")
@example("tr__x")
@example("tr_\x00_x")
@example("tr_a_\x00")
@example("tr_a_\ud800")
@example("tr_²_x")
@example("tr_" + "a" * 300 + "_x")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
def test_no_text_can_break_the_check(presented: str) -> None:
    assert verify(presented) is None


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
def test_a_key_with_any_character_changed_is_refused(data: st.DataObject) -> None:
    key = create()
    place = data.draw(st.integers(0, len(key) - 1))
    changed = key[:place] + data.draw(st.characters().filter(lambda c: c != key[place])) + key[place + 1 :]
    assert verify(changed) is None
