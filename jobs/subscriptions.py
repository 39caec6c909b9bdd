"""Subscriptions: rules by which events make jobs, stored and changed through the door."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from jobs.errors import RuleExists, RuleNotFound
from jobs.matching import filters, patterns, rulebook, templates
from jobs.model import Subscription


def check(subscription: Subscription) -> None:
    """Whether it can work.

    Raises:
        Invalid: a pattern, the filter or the payload is none.
    """
    for at, pattern in enumerate(subscription.types):
        patterns.check(pattern, f"/types/{at}")
    filters.compiled(subscription.where)
    templates.check(subscription.payload)


def add(session: Session, subscription: Subscription) -> None:
    """Store a new subscription.

    Raises:
        RuleExists: the name is taken.
        Invalid: see `check`.
    """
    check(subscription)
    if session.scalars(_named(subscription.tenant, subscription.name)).one_or_none() is not None:
        raise RuleExists("subscription", subscription.name)
    session.add(subscription)
    rulebook.changed(session, subscription.tenant)


def get(session: Session, tenant: str, name: str) -> Subscription:
    """One subscription, by its name.

    Raises:
        RuleNotFound: there is none.
    """
    found = session.scalars(_named(tenant, name)).one_or_none()
    if found is None:
        raise RuleNotFound("subscription", name)
    return found


def listed(session: Session, tenant: str) -> Sequence[Subscription]:
    """All subscriptions of a tenant, by name."""
    return session.scalars(select(Subscription).where(Subscription.tenant == tenant).order_by(Subscription.name)).all()


def change(session: Session, subscription: Subscription, **values: Any) -> None:
    """Change a subscription: events that come from now on see it so.

    Raises:
        Invalid: see `check`.
    """
    for name, value in values.items():
        setattr(subscription, name, value)
    check(subscription)
    subscription.revision += 1
    session.flush()
    rulebook.changed(session, subscription.tenant)


def remove(session: Session, tenant: str, name: str) -> None:
    """Delete a subscription. The jobs that it made stay.

    Raises:
        RuleNotFound: there is none.
    """
    session.delete(get(session, tenant, name))
    rulebook.changed(session, tenant)


def _named(tenant: str, name: str) -> Select[Subscription]:
    return select(Subscription).where(Subscription.tenant == tenant, Subscription.name == name)
