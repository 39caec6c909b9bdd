"""What the API takes and gives, as JSON has it. Made from the API by `make client`: do not edit."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict


class Accepted(TypedDict):
    """An event in the ledger."""

    id: str
    duplicate: bool
    # It had come before, by its source and id. Nothing was done again.
    matched: int
    # Rules that it set off; 0: a dead event.
    jobs: list[str]


class AccountList(TypedDict):
    """All accounts."""

    accounts: list[AccountOut]


class AccountOut(TypedDict):
    """How an account stands."""

    account: str
    provider: str
    available: bool
    # Whether jobs for it are taken here; if not, `missing` says what mends it.
    missing: str | None
    state: str
    # well; circuit: its calls failed, one job at a time goes as a probe; asked: the provider asked us to wait;
    # rate: more is wanted than its rate allows; ramp: it is well again, its jobs go at a rising rate.
    why: str | None
    since: str | None
    until: str | None
    # Nothing goes before; of an open circuit, the next probe.
    held_jobs: int
    # Jobs that wait for it; counted up to 10000.
    rate: str | None
    saturation: float | None
    # Part of the rate used in the last ten seconds, by all workers.
    last_error: str | None
    last_error_at: str | None
    has_probe: bool
    # Whether it can be checked without effects.


class ActionIn(TypedDict):
    """What to do, and to which jobs."""

    verb: Literal["retry", "cancel", "reschedule", "prioritise"]
    filter: NotRequired[FilterIn]
    # At least one criterion. For retry, state is failed unless it is given.
    rate: NotRequired[float | None]
    # Jobs a second, at most.
    priority: NotRequired[Literal["low", "normal", "high", "critical"] | None]
    # For prioritise.
    delay: NotRequired[str | float | None]
    # For reschedule: from now; or give run_at.
    run_at: NotRequired[str | None]
    # For reschedule: not before this time.


class ActionList(TypedDict):
    """The last bulk actions, newest first."""

    actions: list[ActionOut]


class ActionOut(TypedDict):
    """How a bulk action stands."""

    id: str
    verb: Literal["retry", "cancel", "reschedule", "prioritise", "purge"]
    filter: dict[str, Any]
    rate: float | None
    state: Literal["running", "aborted", "finished"]
    expected: int
    # Jobs that were meant when it was made; 10000: at least so many.
    done: int
    skipped: int
    # Jobs that were no longer in a state that allows it.
    made_by: str
    created_at: str
    finished_at: str | None


class AllAccepted(TypedDict):
    """A batch in the ledger, in the order of the request: all of it, in one transaction."""

    events: list[Accepted]


class AttemptOut(TypedDict):
    """One try."""

    number: int
    worker: str
    started_at: str
    finished_at: str | None
    outcome: Ending | None
    # null while it runs
    error: dict[str, Any] | None
    retry_at: str | None


class BulkOut(TypedDict):
    """What became of each, in the order of the request."""

    accepted: int
    refused: int
    results: list[Result]


class CauseOut(TypedDict):
    """One thing that a job waits for."""

    kind: Literal["time", "retry", "told", "paused", "held", "limited", "backlog", "no_worker", "hint", "running", "final"]
    detail: str
    until: str | None
    # When it ends, if that is known.
    ahead: int | None
    # Jobs that go first; 10000: at least so many.


class ChangeIn(TypedDict):
    """What to change of a job that waits; what is left out stays."""

    priority: NotRequired[Literal["low", "normal", "high", "critical"] | None]
    delay: NotRequired[str | float | None]
    # From now; or give run_at.
    run_at: NotRequired[str | None]
    # Not before this time; a time that has passed means now.


class CountOut(TypedDict):
    """How many jobs are meant."""

    count: int
    exact: bool
    # false: there may be more


class CreateJobsIn(TypedDict):
    """As it is sent."""

    jobs: list[JobIn]


class DeedList(TypedDict):
    """What was done, newest first. Go on with `before` set to the last id."""

    deeds: list[DeedOut]


class DeedOut(TypedDict):
    """Something that someone did."""

    id: str
    at: str
    who: str
    what: str
    about: str
    detail: dict[str, Any]
    request_id: str | None


class Delivery(TypedDict):
    """One delivery: a job, and each of its attempts."""

    job: JobOut
    type: str
    event_id: str | None
    attempts: list[AttemptOut]


class DeliveryPage(TypedDict):
    """Newest first."""

    deliveries: list[Delivery]
    next_cursor: str | None


class Effect(TypedDict):
    """A job that an event set off."""

    id: str
    task: str
    state: State
    attempt: int
    subscription: str | None
    endpoint_id: str | None
    result: Any
    error: dict[str, Any] | None
    created_at: str
    finished_at: str | None


class Enabled(TypedDict):
    """An endpoint taken up again."""

    endpoint: EndpointOut
    revived: int
    # Deliveries that had been given up and go again; ask again while it is 1000.


Ending = Literal["succeeded", "retry", "snoozed", "failed", "cancelled", "handed_back", "lost"]


class EndpointChange(TypedDict):
    """What to change; what is left out stays."""

    url: NotRequired[str | None]
    types: NotRequired[list[str] | None]
    filter: NotRequired[dict[str, Any] | None]
    description: NotRequired[str | None]
    headers: NotRequired[dict[str, Any] | None]


class EndpointIn(TypedDict):
    """Whom to tell, and of what."""

    url: str
    types: list[str]
    # `*` is one word between dots, `**` at the end is the rest.
    filter: NotRequired[dict[str, Any]]
    # The shape of the event, with lists of what is allowed.
    description: NotRequired[str]
    headers: NotRequired[dict[str, Any]]
    # Sent along with each delivery.
    secret: NotRequired[str | None]
    # By default a new one.


class EndpointList(TypedDict):
    """All endpoints, oldest first."""

    endpoints: list[EndpointOut]


class EndpointOut(TypedDict):
    """An endpoint, without its secrets and the values of its headers."""

    id: str
    url: str
    types: list[str]
    filter: dict[str, Any]
    description: str
    headers: list[str]
    failing_since: str | None
    disabled_at: str | None
    disabled_why: str | None
    created_at: str
    revision: int


class EventDetail(TypedDict):
    """An event's life: what it was, what it set off, and how that stands."""

    id: str
    received_at: str
    matched: int
    about: str | None
    # The job of ours that a provider tells of.
    event: dict[str, Any]
    # As a CloudEvent.
    jobs: list[Effect]


class EventOut(TypedDict):
    """An event, as it was recorded."""

    id: str
    received_at: str
    matched: int
    about: str | None
    # The job of ours that a provider tells of.
    event: dict[str, Any]
    # As a CloudEvent.


class EventPage(TypedDict):
    """Newest first."""

    events: list[EventOut]
    next_cursor: str | None


class Exponential(TypedDict):
    """`initial`, then `factor` times more each time, up to `max`; with full jitter a random part of that."""

    kind: NotRequired[Literal["exponential"]]
    initial: NotRequired[str | float]
    # A span of time: "500ms", "30s", "1h30m", "7d", ISO 8601 ("PT30S") or a number of seconds.
    max: NotRequired[str | float]
    # A span of time: "500ms", "30s", "1h30m", "7d", ISO 8601 ("PT30S") or a number of seconds.
    factor: NotRequired[float]
    jitter: NotRequired[Literal["full", "none"]]


class ExponentialTold(TypedDict):
    """`initial`, then `factor` times more each time, up to `max`; with full jitter a random part of that."""

    kind: NotRequired[Literal["exponential"]]
    initial: NotRequired[str | float]
    # A span of time: "500ms", "30s", "1h30m", "7d", ISO 8601 ("PT30S") or a number of seconds.
    max: NotRequired[str | float]
    # A span of time: "500ms", "30s", "1h30m", "7d", ISO 8601 ("PT30S") or a number of seconds.
    factor: NotRequired[float]
    jitter: NotRequired[Literal["full", "none"]]


class FilterIn(TypedDict):
    """All that is given must hold."""

    state: NotRequired[State | None]
    task: NotRequired[str | None]
    queue: NotRequired[str | None]
    schedule_id: NotRequired[str | None]
    tags: NotRequired[list[str]]
    # All of them.
    metadata: NotRequired[list[str]]
    # All of them, each as name=value.
    account: NotRequired[str | None]
    # Of the provider that its task calls.
    error_class: NotRequired[str | None]
    # Of the last error.
    created_after: NotRequired[str | None]
    # Accepted at this time or later.
    created_before: NotRequired[str | None]
    # Accepted before this time.
    text: NotRequired[str | None]
    # Somewhere in payload, result or error; ASCII letters in upper or lower case.


class Fixed(TypedDict):
    """The same wait each time."""

    kind: NotRequired[Literal["fixed"]]
    delay: NotRequired[str | float]
    # A span of time: "500ms", "30s", "1h30m", "7d", ISO 8601 ("PT30S") or a number of seconds.


class FixedTold(TypedDict):
    """The same wait each time."""

    kind: NotRequired[Literal["fixed"]]
    delay: NotRequired[str | float]
    # A span of time: "500ms", "30s", "1h30m", "7d", ISO 8601 ("PT30S") or a number of seconds.


class JobDetail(TypedDict):
    """A job whole: payload, policy, every attempt, and the last lines of its log."""

    id: str
    task: str
    queue: str
    priority: Literal["low", "normal", "high", "critical"]
    state: State
    reason: Reason | None
    attempt: int
    max_attempts: int
    cancel_requested: bool
    waits_for: str | None
    created_at: str
    run_at: str
    started_at: str | None
    finished_at: str | None
    expires_at: str | None
    progress: dict[str, Any] | None
    result: Any | None
    error: dict[str, Any] | None
    schedule_id: str | None
    account: str | None
    replay_of: str | None
    tags: list[str]
    metadata: dict[str, str]
    payload: Any
    retry: RetryPolicyTold
    timeout: str | float
    # A span of time: "500ms", "30s", "1h30m", "7d", ISO 8601 ("PT30S") or a number of seconds.
    request_id: str | None
    attempts: list[AttemptOut]
    log: list[LineOut]


class JobIn(TypedDict):
    """A job to be done."""

    task: str
    payload: NotRequired[Any]
    # What the task's own schema asks for.
    queue: NotRequired[str | None]
    # By default the task's own.
    priority: NotRequired[Literal["low", "normal", "high", "critical"]]
    delay: NotRequired[str | float | None]
    # Wait this long; or give run_at.
    run_at: NotRequired[str | None]
    # Not before this time; or give delay.
    ttl: NotRequired[str | float | None]
    # Not started so long after it may run: expired, never run; or give expires_at.
    expires_at: NotRequired[str | None]
    # Not started by then: expired, never run.
    timeout: NotRequired[str | float | None]
    # The longest that one attempt may take; by default the task's own.
    retry: NotRequired[RetryPolicy | None]
    # What it leaves out is the task's own.
    unique: NotRequired[UniqueIn | None]
    # Keep a second job like this one out.
    tags: NotRequired[list[str]]
    metadata: NotRequired[dict[str, Any]]
    callback: NotRequired[str | None]
    # Told of the job's end by a webhook, signed with TREADLE_WEBHOOK_SECRET.


class JobOut(TypedDict):
    """A job, its payload left out."""

    id: str
    task: str
    queue: str
    priority: Literal["low", "normal", "high", "critical"]
    state: State
    reason: Reason | None
    attempt: int
    max_attempts: int
    cancel_requested: bool
    waits_for: str | None
    created_at: str
    run_at: str
    started_at: str | None
    finished_at: str | None
    expires_at: str | None
    progress: dict[str, Any] | None
    result: Any | None
    error: dict[str, Any] | None
    schedule_id: str | None
    account: str | None
    replay_of: str | None
    tags: list[str]
    metadata: dict[str, str]


class JobPage(TypedDict):
    """Newest first."""

    jobs: list[JobOut]
    next_cursor: str | None


class KeyIn(TypedDict):
    """A key to make."""

    name: str
    scope: NotRequired[Literal["read", "operate", "write", "admin"]]
    lifetime: NotRequired[str | float | None]
    # Ends after this long; never, if not given.
    tasks: NotRequired[list[str]]
    # The tasks whose jobs it reaches.
    queues: NotRequired[list[str]]
    # And the queues. Of none at all: any.
    blind: NotRequired[bool]
    # Hide payloads, results and errors from it; only with the scope read.
    quota: NotRequired[int | None]
    # Requests a minute; TREADLE_QUOTA, if null.


class KeyList(TypedDict):
    """The keys, oldest first."""

    keys: list[KeyOut]


class KeyMade(TypedDict):
    """A key, with its secret: the only time that it is shown."""

    id: str
    name: str
    scope: Literal["read", "operate", "write", "admin"]
    tasks: list[str]
    queues: list[str]
    blind: bool
    quota: int | None
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    before_until: str | None
    # Until then the secret before the last rotation is taken.
    key: str


class KeyOut(TypedDict):
    """A key, without its secret."""

    id: str
    name: str
    scope: Literal["read", "operate", "write", "admin"]
    tasks: list[str]
    queues: list[str]
    blind: bool
    quota: int | None
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    before_until: str | None
    # Until then the secret before the last rotation is taken.


class KindList(TypedDict):
    """All kinds, by name."""

    kinds: list[KindOut]


class KindOut(TypedDict):
    """A kind of source."""

    name: str
    secret: str
    needs: list[str]
    takes: list[str]


class LimitsIn(TypedDict):
    """The limits to change; null takes one away, and what is left out stays."""

    max_running: NotRequired[int | None]
    # Jobs at once, over all workers.
    rate: NotRequired[float | None]
    # Starts a second, over all workers.


class LineOut(TypedDict):
    """A line that the task wrote."""

    at: str
    level: str
    message: str


class Listed(TypedDict):
    """One wait after each attempt, as written; the last repeats."""

    kind: NotRequired[Literal["schedule"]]
    delays: list[str | float]


class MomentOut(TypedDict):
    """Something that happened to a job; `waits` is to come."""

    at: str
    what: Literal["accepted", "started", "ended", "line", "deed", "finished", "waits"]
    attempt: int | None
    detail: dict[str, Any]


OnConflict = Literal["return", "reject", "replace", "extend", "debounce"]


class Preview(TypedDict):
    """The next due times, in UTC."""

    times: list[str]


class Problem(TypedDict):
    """RFC 9457 problem details."""

    type: str
    title: str
    status: int
    detail: str
    request_id: NotRequired[str | None]
    errors: NotRequired[list[WrongValue] | None]


class QueueList(TypedDict):
    """All queues."""

    queues: list[QueueOut]


class QueueOut(TypedDict):
    """How a queue stands."""

    name: str
    paused: bool
    paused_at: str | None
    max_running: int | None
    # Jobs at once, over all workers.
    rate: float | None
    # Starts a second, over all workers.
    scheduled: int
    # As the other counts, 100000 of a kind: at least so many.
    queued: int
    running: int
    oldest_ready_seconds: float | None
    finished_per_minute: float
    # By the last minute.
    workers: int
    # That are alive and serve it.
    slots: int
    # Jobs that these run at once.


class RangeIn(TypedDict):
    """Which events to replay, oldest last."""

    rules: NotRequired[list[str] | None]
    # Names of subscriptions, ids of endpoints; by default all that match.
    since: str
    until: str
    type: NotRequired[str | None]
    dead: NotRequired[bool]
    # Only those that nobody listened to.
    cursor: NotRequired[str | None]


class Readiness(TypedDict):
    """Whether jobs are accepted here, and how what is behind the door stands."""

    status: str
    database: str
    broker: str
    workers: int
    doubts: NotRequired[list[str]]
    # settings by which the database may lose what it has confirmed


Reason = Literal["exhausted", "rejected", "unauthorized", "timeout", "poison", "unknown_outcome"]


class ReplayIn(TypedDict):
    """Which rules to set off again."""

    rules: NotRequired[list[str] | None]
    # Names of subscriptions, ids of endpoints; by default all that match.


class Replayed(TypedDict):
    """What was set off; with a cursor, ask again with it for the rest."""

    events: int
    jobs: list[str]
    next_cursor: NotRequired[str | None]


class Result(TypedDict):
    """What became of one job of the request."""

    status: Literal[200, 202, 400, 403, 409, 413, 422, 503]
    # As if it had been asked for alone.
    id: NotRequired[str | None]
    problem: NotRequired[Problem | None]


class RetryPolicy(TypedDict):
    """How often, how long apart, and until when a failed attempt is tried again."""

    max_attempts: NotRequired[int]
    backoff: NotRequired[Exponential | Fixed | Listed]
    deadline: NotRequired[str | float | None]
    # Total time from acceptance; no attempt starts after it.
    retry_after_max: NotRequired[str | float]
    # The longest Retry-After that is honoured.
    on_unknown: NotRequired[Literal["retry", "fail", "confirm"]]
    # After an attempt that may have taken effect: try again (at least once); fail, so that a person looks; or, if
    # the task keeps receipts, let those and the other side say what happened, and fail if they cannot.


class RetryPolicyTold(TypedDict):
    """How often, how long apart, and until when a failed attempt is tried again."""

    max_attempts: NotRequired[int]
    backoff: NotRequired[ExponentialTold | FixedTold | Listed]
    deadline: NotRequired[str | float | None]
    # Total time from acceptance; no attempt starts after it.
    retry_after_max: NotRequired[str | float]
    # The longest Retry-After that is honoured.
    on_unknown: NotRequired[Literal["retry", "fail", "confirm"]]
    # After an attempt that may have taken effect: try again (at least once); fail, so that a person looks; or, if
    # the task keeps receipts, let those and the other side say what happened, and fail if they cannot.


class Rotation(TypedDict):
    """The next secret."""

    secret: NotRequired[str | None]
    # By default a new one.
    overlap: NotRequired[str | float]
    # How long the one before signs beside it.


class RotationIn(TypedDict):
    """How long the secret before is still taken."""

    overlap: NotRequired[str | float]
    # A span of time: "500ms", "30s", "1h30m", "7d", ISO 8601 ("PT30S") or a number of seconds.


class ScheduleChange(TypedDict):
    """What to change; what is left out stays."""

    payload: NotRequired[Any]
    cron: NotRequired[str | None]
    every: NotRequired[str | float | None]
    zone: NotRequired[str | None]
    queue: NotRequired[str | None]
    priority: NotRequired[Literal["low", "normal", "high", "critical"] | None]
    timeout: NotRequired[str | float | None]
    retry: NotRequired[RetryPolicy | None]
    tags: NotRequired[list[str] | None]
    catch_up: NotRequired[str | float | None]
    paused: NotRequired[bool | None]


class ScheduleIn(TypedDict):
    """When to make a job, and which."""

    name: str
    task: str
    payload: NotRequired[Any]
    # Texts may hold {{tick_at}}, {{tick_date}} and {{schedule}}.
    cron: NotRequired[str | None]
    # Five fields, read in `zone`; or give every.
    every: NotRequired[str | float | None]
    # An interval, counted from now; or give cron.
    zone: NotRequired[str]
    # An IANA time zone.
    queue: NotRequired[str | None]
    priority: NotRequired[Literal["low", "normal", "high", "critical"]]
    timeout: NotRequired[str | float | None]
    retry: NotRequired[RetryPolicy | None]
    tags: NotRequired[list[str]]
    catch_up: NotRequired[str | float]
    # Due times missed by less are made up for; of older ones only the last.
    paused: NotRequired[bool]


class ScheduleList(TypedDict):
    """All schedules, by name."""

    schedules: list[ScheduleOut]


class ScheduleOut(TypedDict):
    """A schedule, as stored."""

    id: str
    name: str
    task: str
    payload: Any
    cron: str | None
    every: str | float | None
    zone: str
    queue: str
    priority: Literal["low", "normal", "high", "critical"]
    timeout: str | float
    # A span of time: "500ms", "30s", "1h30m", "7d", ISO 8601 ("PT30S") or a number of seconds.
    retry: RetryPolicyTold
    tags: list[str]
    catch_up: str | float
    # A span of time: "500ms", "30s", "1h30m", "7d", ISO 8601 ("PT30S") or a number of seconds.
    paused: bool
    next_at: str | None
    last_at: str | None
    created_at: str
    revision: int


Scope = Literal["waiting", "open", "window"]


class Secrets(TypedDict):
    """What signs now, newest first."""

    secrets: list[str]


class SendEventIn(TypedDict):
    """An event in its shortest form. With an `id` it can be sent again and is still one event."""

    type: str
    data: NotRequired[Any]
    id: NotRequired[str | None]
    # By default the Idempotency-Key, else a new one.
    source: NotRequired[str]
    # Who says so. Source and id together make an event once.
    subject: NotRequired[str | None]
    time: NotRequired[str | None]


class SourceChange(TypedDict):
    """What to change; what is left out stays."""

    secrets: NotRequired[list[str] | None]
    options: NotRequired[dict[str, Any] | None]


class SourceIn(TypedDict):
    """Who posts, and how it signs."""

    name: str
    # The last part of the path that it posts to.
    kind: str
    secrets: NotRequired[list[str]]
    # Any may have signed: two during a rotation.
    options: NotRequired[dict[str, Any]]
    # See /v1/sources/kinds.


class SourceList(TypedDict):
    """All sources, by name."""

    sources: list[SourceOut]


class SourceOut(TypedDict):
    """A source, without its secrets."""

    name: str
    kind: str
    path: str
    # Where it posts to.
    secrets: int
    # How many it has.
    options: dict[str, str]
    created_at: str
    revision: int


class SparseJob(TypedDict):
    """Of a job, what was asked for."""

    id: NotRequired[str | None]
    task: NotRequired[str | None]
    queue: NotRequired[str | None]
    priority: NotRequired[Literal["low", "normal", "high", "critical"] | None]
    state: NotRequired[State | None]
    reason: NotRequired[Reason | None]
    attempt: NotRequired[int | None]
    max_attempts: NotRequired[int | None]
    cancel_requested: NotRequired[bool | None]
    waits_for: NotRequired[str | None]
    created_at: NotRequired[str | None]
    run_at: NotRequired[str | None]
    started_at: NotRequired[str | None]
    finished_at: NotRequired[str | None]
    expires_at: NotRequired[str | None]
    progress: NotRequired[dict[str, Any] | None]
    payload: NotRequired[Any | None]
    result: NotRequired[Any | None]
    error: NotRequired[dict[str, Any] | None]
    schedule_id: NotRequired[str | None]
    account: NotRequired[str | None]
    replay_of: NotRequired[str | None]
    tags: NotRequired[list[str] | None]
    metadata: NotRequired[dict[str, str] | None]


class SparsePage(TypedDict):
    """Newest first, of each job what was asked for."""

    jobs: list[SparseJob]
    next_cursor: str | None


State = Literal["scheduled", "queued", "running", "succeeded", "failed", "cancelled", "expired"]


class SubscriptionChange(TypedDict):
    """What to change; what is left out stays."""

    types: NotRequired[list[str] | None]
    filter: NotRequired[dict[str, Any] | None]
    payload: NotRequired[Any]
    # Texts may hold {{data.…}}, {{type}}, {{subject}} and so on.
    queue: NotRequired[str | None]
    priority: NotRequired[Literal["low", "normal", "high", "critical"] | None]
    delay: NotRequired[str | float | None]
    timeout: NotRequired[str | float | None]
    retry: NotRequired[RetryPolicy | None]
    tags: NotRequired[list[str] | None]
    paused: NotRequired[bool | None]


class SubscriptionIn(TypedDict):
    """Which events make a job, and which job."""

    name: str
    types: list[str]
    # `*` is one word between dots, `**` at the end is the rest.
    filter: NotRequired[dict[str, Any]]
    # The shape of the event, with lists of what is allowed.
    task: str
    payload: NotRequired[Any]
    # Texts may hold {{data.…}}, {{type}}, {{subject}} and so on.
    queue: NotRequired[str | None]
    priority: NotRequired[Literal["low", "normal", "high", "critical"]]
    delay: NotRequired[str | float]
    # A span of time: "500ms", "30s", "1h30m", "7d", ISO 8601 ("PT30S") or a number of seconds.
    timeout: NotRequired[str | float | None]
    retry: NotRequired[RetryPolicy | None]
    tags: NotRequired[list[str]]
    paused: NotRequired[bool]


class SubscriptionList(TypedDict):
    """All subscriptions, by name; those in code first."""

    subscriptions: list[SubscriptionOut]


class SubscriptionOut(TypedDict):
    """A subscription, as stored or as declared in code."""

    name: str
    declared: bool
    # It stands in code: change it there.
    types: list[str]
    filter: dict[str, Any]
    task: str
    payload: Any
    queue: str
    priority: Literal["low", "normal", "high", "critical"]
    delay: str | float
    # A span of time: "500ms", "30s", "1h30m", "7d", ISO 8601 ("PT30S") or a number of seconds.
    timeout: str | float
    # A span of time: "500ms", "30s", "1h30m", "7d", ISO 8601 ("PT30S") or a number of seconds.
    retry: RetryPolicyTold
    tags: list[str]
    paused: bool
    created_at: str | None
    revision: int


class TaskList(TypedDict):
    """The catalogue."""

    tasks: list[TaskOut]


class TaskOut(TypedDict):
    """A task, and the JSON Schema of its payload."""

    name: str
    summary: str
    queue: str
    timeout: str | float
    # A span of time: "500ms", "30s", "1h30m", "7d", ISO 8601 ("PT30S") or a number of seconds.
    retry: RetryPolicyTold
    payload_schema: dict[str, Any]
    example: dict[str, Any]
    available: bool
    # Whether jobs are taken here; if not, `missing` says what mends it.
    missing: str | None


class Timeline(TypedDict):
    """What happened to a job, oldest first."""

    moments: list[MomentOut]


class Trial(TypedDict):
    """What would happen; nothing was stored."""

    matched: int
    would: list[WouldFire]


class TryEventIn(TypedDict):
    """An event in its shortest form. With an `id` it can be sent again and is still one event."""

    type: str
    data: NotRequired[Any]
    id: NotRequired[str | None]
    # By default the Idempotency-Key, else a new one.
    source: NotRequired[str]
    # Who says so. Source and id together make an event once.
    subject: NotRequired[str | None]
    time: NotRequired[str | None]


class UniqueIn(TypedDict):
    """At most one job of this task with this key at a time."""

    key: NotRequired[str | None]
    # By default the payload.
    scope: NotRequired[Scope]
    # How long a job keeps others out: until it starts, until it is final, or for a window of time.
    window: NotRequired[str | float | None]
    # Counted from acceptance; only with scope window.
    on_conflict: NotRequired[OnConflict]
    # Of this one: return the job that is there, reject (409), or give that job the payload of this one (replace),
    # its time (extend) or both (debounce); 409 if that job has started.


class Why(TypedDict):
    """Everything that a job waits for."""

    causes: list[CauseOut]


class WouldFire(TypedDict):
    """What an event would set off."""

    rule: str
    task: str
    payload: Any
    run_at: str | None
    errors: list[dict[str, str]]
    # What the task would find wrong with the payload.


class WrongValue(TypedDict):
    """One wrong value of a request."""

    pointer: str
    detail: str
