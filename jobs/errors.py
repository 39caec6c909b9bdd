"""What can go wrong.

    JobError                      the caller asked for something that cannot be
    ├── JobNotFound
    ├── ActionNotFound
    ├── MoveRefused               it is not in a state that allows this
    ├── KeyReused                 same Idempotency-Key, other request
    ├── NotUnique                 another job holds the place that this one asks for
    ├── Overloaded                the queue is too late to take more
    ├── ScheduleNotFound
    ├── ScheduleExists
    ├── EventNotFound
    ├── RuleNotFound              a subscription, an endpoint or a source
    ├── RuleExists
    ├── KeyNotFound               an API key
    ├── OutOfReach                the caller's key is restricted to other tasks or queues
    ├── Forged                    a provider's webhook whose signature does not hold
    └── Invalid                   a value that cannot be, with the JSON pointer of where it stands
    TaskError                     an attempt failed, and says what should follow
    ├── Transient                 try again; nothing was done
    │   └── RateLimited           the other side asks us to wait
    ├── Ambiguous                 it may or may not have been done
    │   ├── TimedOut              the attempt ran past its time limit
    │   └── Unconfirmed           and nobody could tell us
    ├── Rejected                  the other side said no, and would say it again
    │   └── Unauthorized          it does not accept our credentials
    └── Duplicate                 it had been done before: a success
    Snooze                        not a failure: come back later, no attempt spent
    Cancelled                     the task gave way to a request to cancel
    LeaseLost                     this worker may no longer act for the job

An exception that is not of this tree counts as worth retrying.
"""

from datetime import timedelta
from typing import Any
from uuid import UUID


class JobError(Exception):
    """The caller asked for something that cannot be."""


class JobNotFound(JobError):
    """There is no such job."""

    def __init__(self, job_id: UUID) -> None:
        super().__init__(f"There is no job {job_id}.")


class ActionNotFound(JobError):
    """There is no such bulk action."""

    def __init__(self, action_id: UUID) -> None:
        super().__init__(f"There is no bulk action {action_id}.")


class MoveRefused(JobError):
    """It is not in a state that allows this."""

    def __init__(self, wish: str, state: str, what: str = "job") -> None:
        super().__init__(f"The {what} is {state}; {wish} is not possible.")
        self.state = state


class KeyReused(JobError):
    """The Idempotency-Key was used before with another request."""

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key was used before with another request. Use a new key for a new job.")


class NotUnique(JobError):
    """Another job holds the place that this one asks for."""

    def __init__(self, holder: UUID, state: str, wish: str) -> None:
        late = "" if wish == "reject" else f" It has been started, so it can no longer be changed by {wish!r}."
        super().__init__(f"The job {holder} holds this place, and is {state}.{late}")
        self.holder = holder


class Overloaded(JobError):
    """Jobs wait in the queue for too long already. `after` is when to ask again."""

    def __init__(self, queue: str, after: timedelta) -> None:
        super().__init__(f"The queue {queue!r} is late: what it holds has waited for longer than this service allows.")
        self.after = after


class ScheduleNotFound(JobError):
    """There is no such schedule."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no schedule {name!r}.")


class ScheduleExists(JobError):
    """A schedule of this name exists."""

    def __init__(self, name: str) -> None:
        super().__init__(f"A schedule named {name!r} exists. Change it with PATCH, or choose another name.")


class EventNotFound(JobError):
    """There is no such event."""

    def __init__(self, event_id: UUID) -> None:
        super().__init__(f"There is no event {event_id}.")


class RuleNotFound(JobError):
    """There is no such subscription, endpoint or source."""

    def __init__(self, kind: str, name: object) -> None:
        super().__init__(f"There is no {kind} {str(name)[:128]!r}.")


class RuleExists(JobError):
    """One of this name exists."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"A {kind} named {name!r} exists. Change it with PATCH, or choose another name.")


class KeyNotFound(JobError):
    """There is no such API key."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"There is no live key {key_id[:64]!r}.")


class OutOfReach(JobError):
    """The caller's key does not reach such jobs."""

    def __init__(self, task: str, queue: str) -> None:
        super().__init__(f"This key is restricted: jobs of {task!r} in the queue {queue!r} are out of its reach.")


class Forged(JobError):
    """A provider's webhook is not what it says it is. Why is for our log, not for the sender."""


class Invalid(JobError):
    """Values that cannot be: each with the JSON pointer of where it stands."""

    def __init__(self, errors: list[dict[str, str]]) -> None:
        super().__init__("; ".join(f"{error['pointer']}: {error['detail']}" for error in errors))
        self.errors = errors

    @classmethod
    def at(cls, pointer: str, detail: str) -> "Invalid":
        """One wrong value."""
        return cls([{"pointer": pointer, "detail": detail}])


class TaskError(Exception):
    """An attempt failed. `status` and `code` are the other side's own words, kept for the record."""

    def __init__(self, message: str = "", *, status: int | None = None, code: str | None = None, detail: Any = None) -> None:
        super().__init__(message or type(self).__doc__ or "")
        self.status = status
        self.code = code
        self.detail = detail
        self.account: str | None = None  # held because of this error: the job waits with it, and spends no attempt


class Transient(TaskError):
    """It did not work this time. `after` is how long the other side asks us to wait."""

    def __init__(self, message: str = "", *, after: timedelta | None = None, **kept: Any) -> None:
        super().__init__(message, **kept)
        self.after = after


class RateLimited(Transient):
    """The other side asks us to slow down; it did nothing."""


class Ambiguous(TaskError):
    """The call went out and no clear answer came back: it may or may not have been done."""


class TimedOut(Ambiguous):
    """The attempt ran past its time limit."""


class Unconfirmed(Ambiguous):
    """It was announced and may have been done, and there is nobody to ask: a person must look."""


class Rejected(TaskError):
    """The other side refused, and would refuse again."""


class Unauthorized(Rejected):
    """The other side does not accept our credentials."""


class Duplicate(TaskError):
    """The other side had done this before; `detail` is the result."""


class Snooze(Exception):
    """Come back after `delay`; no attempt is spent. A job of the `account`, if given, waits with it and keeps its place."""

    def __init__(self, delay: timedelta, why: str, account: str | None = None) -> None:
        super().__init__(why)
        self.delay = delay
        self.why = why
        self.account = account


class Cancelled(Exception):
    """The task stopped because its job was cancelled."""


class LeaseLost(Exception):
    """This worker could not renew its lease, so it may start no outside call for the job."""

    def __init__(self, why: str = "the worker's lease had run out, so nobody was called") -> None:
        super().__init__(why)
