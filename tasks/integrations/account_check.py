"""account.check: whether an account answers now, by a call without effects."""

from datetime import timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict

from jobs.errors import Rejected
from jobs.policy import RetryPolicy
from runtime import clock
from tasks import health
from tasks.accounts import AccountName, NotConfigured
from tasks.context import Context
from tasks.registry import task
from tasks.standing import owner


class Check(BaseModel):
    """Which account."""

    model_config = ConfigDict(extra="forbid")

    account: AccountName


@task("account.check", retry=RetryPolicy(max_attempts=1), example={"account": "stripe"})
def check(payload: Check, context: Context) -> dict[str, Any]:
    """Call an account's probe, which has no effect; if it answers, its jobs wait no longer."""
    provider = owner(payload.account)
    if provider.probe is None:
        raise Rejected(f"{provider.name} has no call without effects; its next job will show.", code="no_probe")
    try:
        account = provider.find(payload.account)
    except NotConfigured as error:
        raise Rejected(str(error), code="not_configured") from None
    context.check()
    started = clock.monotonic()
    failure = provider.check(account)
    took = round(timedelta(seconds=clock.monotonic() - started) / timedelta(milliseconds=1))
    if failure is None:
        health.lift(account)
    return {"answers": failure is None, "error": None if failure is None else str(failure), "elapsed_ms": took}
