"""When to try again: retry policies, as declared on tasks, given with a job, and stored in its row."""

from datetime import timedelta
from functools import lru_cache
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from tenacity import RetryCallState, Retrying, wait_chain, wait_exponential, wait_fixed, wait_random_exponential
from tenacity.wait import wait_base

from runtime.duration import Duration
from runtime.stored_json import Written

Span = Annotated[Duration, Field(ge=timedelta(0), le=timedelta(days=365))]


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    def strategy(self) -> wait_base:
        raise NotImplementedError

    def delay(self, attempt: int) -> timedelta:
        """The wait after the failed attempt number `attempt` (1 is the first)."""
        state = RetryCallState(Retrying(), None, (), {})
        state.attempt_number = attempt
        return timedelta(seconds=self.strategy()(state))


class Exponential(_Shape):
    """`initial`, then `factor` times more each time, up to `max`; with full jitter a random part of that."""

    kind: Literal["exponential"] = "exponential"
    initial: Span = timedelta(seconds=1)
    max: Span = timedelta(hours=1)
    factor: Annotated[float, Field(strict=True, ge=1, le=100)] = 2
    jitter: Literal["full", "none"] = "full"

    def strategy(self) -> wait_base:
        shape = wait_random_exponential if self.jitter == "full" else wait_exponential
        return shape(multiplier=self.initial.total_seconds(), max=self.max.total_seconds(), exp_base=self.factor)


class Fixed(_Shape):
    """The same wait each time."""

    kind: Literal["fixed"] = "fixed"
    delay_each: Span = Field(timedelta(seconds=30), alias="delay")

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True, serialize_by_alias=True)

    def strategy(self) -> wait_base:
        return wait_fixed(self.delay_each.total_seconds())


class Listed(_Shape):
    """One wait after each attempt, as written; the last repeats."""

    kind: Literal["schedule"] = "schedule"
    delays: Annotated[tuple[Span, ...], Field(min_length=1, max_length=100)]

    def strategy(self) -> wait_base:
        return wait_chain(*(wait_fixed(delay.total_seconds()) for delay in self.delays))


class RetryPolicy(BaseModel):
    """How often, how long apart, and until when a failed attempt is tried again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_attempts: Annotated[int, Field(strict=True, ge=1, le=1000)] = 8
    backoff: Annotated[Exponential | Fixed | Listed, Field(discriminator="kind")] = Exponential()
    deadline: Annotated[Span | None, Field(description="Total time from acceptance; no attempt starts after it.")] = None
    retry_after_max: Annotated[Span, Field(description="The longest Retry-After that is honoured.")] = timedelta(hours=1)
    on_unknown: Annotated[
        Literal["retry", "fail", "confirm"],
        Field(
            description="After an attempt that may have taken effect: try again (at least once); fail, so that a person "
            "looks; or, if the task keeps receipts, let those and the other side say what happened, and fail if they cannot."
        ),
    ] = "retry"

    @property
    def as_json(self) -> Written:
        """As rows hold it. All who ask get the same, so it is not to be changed."""
        return _as_json(self)

    def with_changes(self, given: "RetryPolicy | None") -> "RetryPolicy":
        """This policy with the fields that `given` sets."""
        return self.model_copy(update={name: getattr(given, name) for name in given.model_fields_set}) if given else self


@lru_cache(maxsize=1000)
def _as_json(policy: RetryPolicy) -> Written:
    return Written(policy.model_dump(mode="json"))
