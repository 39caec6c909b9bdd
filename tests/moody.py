"""Two providers whose mood tests/moody_server.py decides: one with a probe of its own. TREADLE_TASK_MODULES=tests.moody."""

from datetime import timedelta
from typing import Any

from jobs.policy import Fixed, RetryPolicy
from tasks.accounts import BaseUrl
from tasks.context import Context
from tasks.provider import Payload, Provider
from tasks.rest import RestAccount

QUICK = RetryPolicy(max_attempts=8, backoff=Fixed(delay=timedelta(milliseconds=100)))


class Moody(RestAccount):
    """Nothing but an address."""

    base_url: BaseUrl


class Call(Payload):
    """What to say."""

    number: int = 0


def _look(account: Moody) -> None:
    account.call("GET", "/look")


moody = Provider("moody", account=Moody)
wary = Provider("wary", account=Moody, probe=_look)


@moody.task("call", repeatable=True, retry=QUICK, example={"number": 1})
def call(payload: Call, account: Moody, context: Context) -> dict[str, Any]:
    """Call it."""
    account.call("POST", "/call", json={"number": payload.number}, headers={"idempotency-key": context.key()})
    return {"attempt": context.attempt}


@wary.task("call", repeatable=True, retry=QUICK, example={"number": 1})
def call_warily(payload: Call, account: Moody, context: Context) -> dict[str, Any]:
    """Call it; a probe goes before where its circuit was open."""
    return call(payload, account, context)
