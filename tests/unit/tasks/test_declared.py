"""Subscriptions in code: `@task(on=…)`."""

import pytest
from pydantic import BaseModel

from jobs.errors import Invalid
from jobs.matching import rulebook
from tasks import task
from tasks.registry import catalogue


class Order(BaseModel):
    order: int


@pytest.fixture(autouse=True)
def _undone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rulebook, "_declared", {})
    monkeypatch.setattr(catalogue, "_tasks", {})


def test_a_task_may_name_the_events_that_make_it() -> None:
    @task("order.receipt", on="order.paid", queue="cpu")
    def receipt(order: Order) -> None: ...

    @task("order.index", on=["order.paid", "order.refunded"])
    def index(order: Order) -> None: ...

    @task("order.other")
    def other(order: Order) -> None: ...

    assert [(each.task, each.types, each.queue) for each in rulebook.declared()] == [
        ("order.index", ("order.paid", "order.refunded"), "default"),
        ("order.receipt", ("order.paid",), "cpu"),
    ]


def test_a_pattern_that_is_none_is_refused_at_import() -> None:
    with pytest.raises(Invalid):

        @task("order.receipt", on="order..paid")
        def receipt(order: Order) -> None: ...
