"""Every operation of the API, as a method that describes it. Made from the API by `make client`: do not edit."""

from typing import Any, Unpack
from uuid import uuid4

from client import models
from client.call import Call, Event, Listing, Stream, iteration, operation


class Operations:
    """What the API can do. A client makes a method of each that does it, sync or async."""

    @operation
    def create_jobs(
        self,
        *,
        atomic: bool | None = None,
        traceparent: str | None = None,
        idempotency_key: str | None = None,
        **body: Unpack[models.CreateJobsIn],
    ) -> Call[models.BulkOut]:
        """Accept up to 10,000 jobs, with a result for each. Sent again with its Idempotency-Key, it makes what was not
        made.
        """
        return Call(
            "POST",
            "/v1/jobs/bulk",
            query={"atomic": atomic},
            headers={"traceparent": traceparent, "Idempotency-Key": idempotency_key or str(uuid4())},
            body=body,
            media_type="application/json",
        )

    @operation
    def create_job(
        self,
        *,
        traceparent: str | None = None,
        wait: float | None = None,
        idempotency_key: str | None = None,
        **body: Unpack[models.JobIn],
    ) -> Call[models.JobOut]:
        """Accept a job. When the answer comes, it is committed; it will run, whatever dies meanwhile."""
        return Call(
            "POST",
            "/v1/jobs",
            headers={"traceparent": traceparent, "Idempotency-Key": idempotency_key or str(uuid4())},
            wait=wait,
            body=body,
            media_type="application/json",
        )

    @operation
    def list_jobs(
        self,
        *,
        state: models.State | None = None,
        task: str | None = None,
        queue: str | None = None,
        schedule_id: str | None = None,
        tags: list[str] | None = None,
        metadata: list[str] | None = None,
        account: str | None = None,
        error_class: str | None = None,
        created_after: str | None = None,
        created_before: str | None = None,
        text: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        fields: str | None = None,
    ) -> Call[models.JobPage]:
        """Jobs, newest first, payloads left out. All criteria must hold; `next_cursor` leads to the next page of the
        same.

        A search by more than one criterion looks at a bounded number of jobs a page: a page may be short, or empty,
        and yet have a `next_cursor`. When it is null, there is no more.
        """
        return Call(
            "GET",
            "/v1/jobs",
            query={
                "state": state,
                "task": task,
                "queue": queue,
                "schedule_id": schedule_id,
                "tags": tags,
                "metadata": metadata,
                "account": account,
                "error_class": error_class,
                "created_after": created_after,
                "created_before": created_before,
                "text": text,
                "limit": limit,
                "cursor": cursor,
                "fields": fields,
            },
        )

    @iteration
    def each_job(
        self,
        *,
        state: models.State | None = None,
        task: str | None = None,
        queue: str | None = None,
        schedule_id: str | None = None,
        tags: list[str] | None = None,
        metadata: list[str] | None = None,
        account: str | None = None,
        error_class: str | None = None,
        created_after: str | None = None,
        created_before: str | None = None,
        text: str | None = None,
        limit: int | None = None,
        fields: str | None = None,
    ) -> Listing[models.JobOut]:
        """All that `list_jobs` finds, page after page."""
        return Listing(
            Call(
                "GET",
                "/v1/jobs",
                query={
                    "state": state,
                    "task": task,
                    "queue": queue,
                    "schedule_id": schedule_id,
                    "tags": tags,
                    "metadata": metadata,
                    "account": account,
                    "error_class": error_class,
                    "created_after": created_after,
                    "created_before": created_before,
                    "text": text,
                    "limit": limit,
                    "fields": fields,
                },
            ),
            "jobs",
            "cursor",
        )

    @operation
    def count_jobs(
        self,
        *,
        state: models.State | None = None,
        task: str | None = None,
        queue: str | None = None,
        schedule_id: str | None = None,
        tags: list[str] | None = None,
        metadata: list[str] | None = None,
        account: str | None = None,
        error_class: str | None = None,
        created_after: str | None = None,
        created_before: str | None = None,
        text: str | None = None,
    ) -> Call[models.CountOut]:
        """How many jobs are meant. Cheap however many there are: past 10,000 looked at, it is said to be at least so
        many.
        """
        return Call(
            "GET",
            "/v1/jobs/count",
            query={
                "state": state,
                "task": task,
                "queue": queue,
                "schedule_id": schedule_id,
                "tags": tags,
                "metadata": metadata,
                "account": account,
                "error_class": error_class,
                "created_after": created_after,
                "created_before": created_before,
                "text": text,
            },
        )

    @operation
    def get_job(self, job_id: str, /, *, wait: float | None = None) -> Call[models.JobDetail]:
        """A job whole: payload, every attempt, and the last lines of its log."""
        return Call("GET", "/v1/jobs/{}", names=(job_id,), wait=wait)

    @operation
    def change_job(self, job_id: str, /, **body: Unpack[models.ChangeIn]) -> Call[models.JobOut]:
        """Change the time or the priority of a job that waits. A running or final job is left as it is: 409."""
        return Call("PATCH", "/v1/jobs/{}", names=(job_id,), body=body, media_type="application/json")

    @operation
    def show_timeline(self, job_id: str, /) -> Call[models.Timeline]:
        """What happened to a job, oldest first: acceptance, attempts, lines of its log, and its end or what it waits
        for.
        """
        return Call("GET", "/v1/jobs/{}/timeline", names=(job_id,))

    @operation
    def explain_job(self, job_id: str, /) -> Call[models.Why]:
        """Why a job is where it is: what it waits for, and until when where that is known."""
        return Call("GET", "/v1/jobs/{}/why", names=(job_id,))

    @operation
    def cancel_job(self, job_id: str, /) -> Call[models.JobOut]:
        """Cancel: at once if it waits; a running job is asked to give way, and `cancel_requested` says so."""
        return Call("POST", "/v1/jobs/{}/cancel", names=(job_id,))

    @operation
    def retry_job(self, job_id: str, /) -> Call[models.JobOut]:
        """Retry by hand a job that failed, was cancelled or expired: its history is kept, its attempts start anew."""
        return Call("POST", "/v1/jobs/{}/retry", names=(job_id,))

    @operation
    def replay_job(self, job_id: str, body: Any, /) -> Call[models.JobOut]:
        """Make a new job from one that is final, its payload edited by a JSON Merge Patch (RFC 7396). The old one is
        kept.

        The new job sends another idempotency key to third parties. To try the same thing again, use retry.
        """
        return Call("POST", "/v1/jobs/{}/replay", names=(job_id,), body=body, media_type="application/merge-patch+json")

    @iteration
    def stream_job(self, job_id: str, /, *, last_event_id: str | None = None) -> Stream[Event]:
        """What happens to a job, live, as server-sent events: `started`, `line`, `progress`, `ended`, `finished`.

        Whoever comes again with `Last-Event-ID` is told everything that happened meanwhile, each event once. Without
        it the stream begins with the job. `job` events have no id: they show how the job stands now.
        """
        return Stream(Call("GET", "/v1/jobs/{}/events", names=(job_id,), headers={"Last-Event-ID": last_event_id}))

    @iteration
    def stream_all(
        self,
        *,
        queue: str | None = None,
        task: str | None = None,
        tag: str | None = None,
        state: models.State | None = None,
        account: str | None = None,
        lines: bool | None = None,
        for_: str | float | None = None,
        last_event_id: str | None = None,
    ) -> Stream[Event]:
        """What happens to all jobs, live, as server-sent events: a `job` event for each move, with the state before and
        after.

        Whoever comes again with `Last-Event-ID` is told everything that happened meanwhile, each event once and in
        order, for as long as TREADLE_STREAM_WINDOW; past that, a `gap` event says so. Payloads and results are left
        out.
        """
        return Stream(
            Call(
                "GET",
                "/v1/stream",
                query={
                    "queue": queue,
                    "task": task,
                    "tag": tag,
                    "state": state,
                    "account": account,
                    "lines": lines,
                    "for": for_,
                },
                headers={"Last-Event-ID": last_event_id},
            )
        )

    @operation
    def begin_action(self, **body: Unpack[models.ActionIn]) -> Call[models.ActionOut]:
        """Do something to all jobs of a filter that were accepted until now, in the background, newest first."""
        return Call("POST", "/v1/bulk-actions", query={"preview": False}, body=body, media_type="application/json")

    @operation
    def preview_action(self, **body: Unpack[models.ActionIn]) -> Call[models.CountOut]:
        """How many jobs `begin_action` would meet."""
        return Call("POST", "/v1/bulk-actions", query={"preview": True}, body=body, media_type="application/json")

    @operation
    def list_actions(self, *, limit: int | None = None) -> Call[models.ActionList]:
        """The last bulk actions, newest first."""
        return Call("GET", "/v1/bulk-actions", query={"limit": limit})

    @operation
    def get_action(self, action_id: str, /) -> Call[models.ActionOut]:
        """One bulk action, and how far it is."""
        return Call("GET", "/v1/bulk-actions/{}", names=(action_id,))

    @operation
    def abort_action(self, action_id: str, /) -> Call[models.ActionOut]:
        """Stop before the next batch. What was done stays done."""
        return Call("POST", "/v1/bulk-actions/{}/abort", names=(action_id,))

    @operation
    def resume_action(self, action_id: str, /) -> Call[models.ActionOut]:
        """Go on where it was aborted. No job is met twice."""
        return Call("POST", "/v1/bulk-actions/{}/resume", names=(action_id,))

    @operation
    def list_deeds(
        self, *, about: str | None = None, before: str | None = None, limit: int | None = None
    ) -> Call[models.DeedList]:
        """What was done by hand, by whom: cancels, retries, changes, bulk actions, pauses, keys."""
        return Call("GET", "/v1/audit", query={"about": about, "before": before, "limit": limit})

    @iteration
    def each_deed(self, *, about: str | None = None, limit: int | None = None) -> Listing[models.DeedOut]:
        """All that `list_deeds` finds, page after page."""
        return Listing(Call("GET", "/v1/audit", query={"about": about, "limit": limit}), "deeds", "before")

    @operation
    def create_key(self, **body: Unpack[models.KeyIn]) -> Call[models.KeyMade]:
        """Make a key. It is shown in this answer, and never again."""
        return Call("POST", "/v1/keys", body=body, media_type="application/json")

    @operation
    def list_keys(self, *, ended: bool | None = None) -> Call[models.KeyList]:
        """The keys: their ids and rights, never their secrets."""
        return Call("GET", "/v1/keys", query={"ended": ended})

    @operation
    def get_key(self, key_id: str, /) -> Call[models.KeyOut]:
        """One key."""
        return Call("GET", "/v1/keys/{}", names=(key_id,))

    @operation
    def revoke_key(self, key_id: str, /) -> Call[None]:
        """End a key at once: within a second, since each process remembers for so long that it was valid."""
        return Call("DELETE", "/v1/keys/{}", names=(key_id,))

    @operation
    def rotate_key(self, key_id: str, /, **body: Unpack[models.RotationIn]) -> Call[models.KeyMade]:
        """Give a key another secret, shown in this answer. The one before is taken for `overlap` longer."""
        return Call("POST", "/v1/keys/{}/rotate", names=(key_id,), body=body, media_type="application/json")

    @operation
    def list_tasks(self) -> Call[models.TaskList]:
        """Every task that a job can name."""
        return Call("GET", "/v1/tasks")

    @operation
    def get_task(self, name: str, /) -> Call[models.TaskOut]:
        """One task."""
        return Call("GET", "/v1/tasks/{}", names=(name,))

    @operation
    def list_queues(self) -> Call[models.QueueList]:
        """All queues: what waits and since when, what runs, how fast, by how many workers, and within which limits."""
        return Call("GET", "/v1/queues")

    @operation
    def get_queue(self, name: str, /) -> Call[models.QueueOut]:
        """One queue."""
        return Call("GET", "/v1/queues/{}", names=(name,))

    @operation
    def limit_queue(self, name: str, /, **body: Unpack[models.LimitsIn]) -> Call[models.QueueOut]:
        """Limit how many jobs of the queue run at once, or start a second. Stored; it holds for the whole backlog at
        once.
        """
        return Call("PATCH", "/v1/queues/{}", names=(name,), body=body, media_type="application/json")

    @operation
    def pause_queue(self, name: str, /) -> Call[models.QueueOut]:
        """Start no more jobs of this queue; running ones go on. Kept over restarts."""
        return Call("POST", "/v1/queues/{}/pause", names=(name,))

    @operation
    def resume_queue(self, name: str, /) -> Call[models.QueueOut]:
        """Start jobs of this queue again."""
        return Call("POST", "/v1/queues/{}/resume", names=(name,))

    @operation
    def purge_queue(
        self, name: str, /, *, preview: bool | None = None, rate: float | None = None
    ) -> Call[models.ActionOut | models.CountOut]:
        """Cancel every job that waits in this queue now, in the background; running ones go on. It is a bulk action."""
        return Call("POST", "/v1/queues/{}/purge", names=(name,), query={"preview": preview, "rate": rate})

    @operation
    def list_schedules(self) -> Call[models.ScheduleList]:
        """All schedules, by name."""
        return Call("GET", "/v1/schedules")

    @operation
    def create_schedule(self, **body: Unpack[models.ScheduleIn]) -> Call[models.ScheduleOut]:
        """Store a schedule. Each of its due times will make exactly one job."""
        return Call("POST", "/v1/schedules", body=body, media_type="application/json")

    @operation
    def get_schedule(self, name: str, /) -> Call[models.ScheduleOut]:
        """One schedule."""
        return Call("GET", "/v1/schedules/{}", names=(name,))

    @operation
    def change_schedule(self, name: str, /, **body: Unpack[models.ScheduleChange]) -> Call[models.ScheduleOut]:
        """Change a schedule, pause it (`"paused": true`) or resume it. A new timetable counts from now."""
        return Call("PATCH", "/v1/schedules/{}", names=(name,), body=body, media_type="application/json")

    @operation
    def delete_schedule(self, name: str, /) -> Call[None]:
        """Delete a schedule. The jobs that it made stay."""
        return Call("DELETE", "/v1/schedules/{}", names=(name,))

    @operation
    def run_schedule(self, name: str, /) -> Call[models.JobOut]:
        """Make its job now, beside the timetable."""
        return Call("POST", "/v1/schedules/{}/run", names=(name,))

    @operation
    def preview_schedule(self, name: str, /, *, count: int | None = None) -> Call[models.Preview]:
        """The next due times, were it not paused."""
        return Call("GET", "/v1/schedules/{}/preview", names=(name,), query={"count": count})

    @operation
    def send_event(self, *, idempotency_key: str | None = None, **body: Unpack[models.SendEventIn]) -> Call[models.Accepted]:
        """Accept an event, or a batch. It and the jobs that it sets off are one transaction."""
        return Call(
            "POST",
            "/v1/events",
            headers={"Idempotency-Key": idempotency_key or str(uuid4())},
            body=body,
            media_type="application/json",
        )

    @operation
    def list_events(
        self,
        *,
        type: str | None = None,
        dead: bool | None = None,
        since: str | None = None,
        until: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Call[models.EventPage]:
        """Events, newest first. `dead=true`: those that nobody listened to."""
        return Call(
            "GET",
            "/v1/events",
            query={"type": type, "dead": dead, "since": since, "until": until, "limit": limit, "cursor": cursor},
        )

    @iteration
    def each_event(
        self,
        *,
        type: str | None = None,
        dead: bool | None = None,
        since: str | None = None,
        until: str | None = None,
        limit: int | None = None,
    ) -> Listing[models.EventOut]:
        """All that `list_events` finds, page after page."""
        return Listing(
            Call("GET", "/v1/events", query={"type": type, "dead": dead, "since": since, "until": until, "limit": limit}),
            "events",
            "cursor",
        )

    @operation
    def try_event(self, **body: Unpack[models.TryEventIn]) -> Call[models.Trial]:
        """Say which rules an event would set off, and with what payload. Nothing is stored."""
        return Call("POST", "/v1/events/test", body=body, media_type="application/json")

    @operation
    def replay_events(self, **body: Unpack[models.RangeIn]) -> Call[models.Replayed]:
        """Set off the rules of a time range's events again, newest first, 200 events a request."""
        return Call("POST", "/v1/events/replay", body=body, media_type="application/json")

    @operation
    def get_event(self, event_id: str, /) -> Call[models.EventDetail]:
        """An event's life: received, matched, the jobs that it made, and where it was delivered."""
        return Call("GET", "/v1/events/{}", names=(event_id,))

    @operation
    def replay_event(self, event_id: str, /, **body: Unpack[models.ReplayIn]) -> Call[models.Replayed]:
        """Set off an event's rules again, as they are now."""
        return Call("POST", "/v1/events/{}/replay", names=(event_id,), body=body, media_type="application/json")

    @operation
    def list_subscriptions(self) -> Call[models.SubscriptionList]:
        """All subscriptions, those that stand in code (`@task(on=…)`) among them."""
        return Call("GET", "/v1/subscriptions")

    @operation
    def create_subscription(self, **body: Unpack[models.SubscriptionIn]) -> Call[models.SubscriptionOut]:
        """Store a subscription. Each event that is accepted from now on and fits makes its job."""
        return Call("POST", "/v1/subscriptions", body=body, media_type="application/json")

    @operation
    def get_subscription(self, name: str, /) -> Call[models.SubscriptionOut]:
        """One stored subscription."""
        return Call("GET", "/v1/subscriptions/{}", names=(name,))

    @operation
    def change_subscription(self, name: str, /, **body: Unpack[models.SubscriptionChange]) -> Call[models.SubscriptionOut]:
        """Change a subscription, pause it (`"paused": true`) or resume it."""
        return Call("PATCH", "/v1/subscriptions/{}", names=(name,), body=body, media_type="application/json")

    @operation
    def delete_subscription(self, name: str, /) -> Call[None]:
        """Delete a subscription. The jobs that it made stay."""
        return Call("DELETE", "/v1/subscriptions/{}", names=(name,))

    @operation
    def list_endpoints(self) -> Call[models.EndpointList]:
        """All endpoints."""
        return Call("GET", "/v1/endpoints")

    @operation
    def create_endpoint(self, **body: Unpack[models.EndpointIn]) -> Call[models.EndpointOut]:
        """Store an endpoint. It is told of each event that is accepted from now on and fits."""
        return Call("POST", "/v1/endpoints", body=body, media_type="application/json")

    @operation
    def get_endpoint(self, endpoint_id: str, /) -> Call[models.EndpointOut]:
        """One endpoint, and how it fares."""
        return Call("GET", "/v1/endpoints/{}", names=(endpoint_id,))

    @operation
    def change_endpoint(self, endpoint_id: str, /, **body: Unpack[models.EndpointChange]) -> Call[models.EndpointOut]:
        """Change an endpoint. Deliveries that wait follow it."""
        return Call("PATCH", "/v1/endpoints/{}", names=(endpoint_id,), body=body, media_type="application/json")

    @operation
    def delete_endpoint(self, endpoint_id: str, /) -> Call[None]:
        """Delete an endpoint. Deliveries that wait fail."""
        return Call("DELETE", "/v1/endpoints/{}", names=(endpoint_id,))

    @operation
    def get_secret(self, endpoint_id: str, /) -> Call[models.Secrets]:
        """What signs its webhooks now."""
        return Call("GET", "/v1/endpoints/{}/secret", names=(endpoint_id,))

    @operation
    def rotate_secret(self, endpoint_id: str, /, **body: Unpack[models.Rotation]) -> Call[models.Secrets]:
        """Sign with a new secret, and with the one before until the overlap is over."""
        return Call("POST", "/v1/endpoints/{}/rotate", names=(endpoint_id,), body=body, media_type="application/json")

    @operation
    def ping_endpoint(self, endpoint_id: str, /) -> Call[models.JobOut]:
        """Deliver a test event, `endpoint.ping`, to this endpoint alone."""
        return Call("POST", "/v1/endpoints/{}/ping", names=(endpoint_id,))

    @operation
    def disable_endpoint(self, endpoint_id: str, /) -> Call[models.EndpointOut]:
        """Tell it nothing until it is enabled. Deliveries are made all the same, and wait."""
        return Call("POST", "/v1/endpoints/{}/disable", names=(endpoint_id,))

    @operation
    def enable_endpoint(self, endpoint_id: str, /) -> Call[models.Enabled]:
        """Take it up again: what waits goes at once, and what failed since it began to fail is revived."""
        return Call("POST", "/v1/endpoints/{}/enable", names=(endpoint_id,))

    @operation
    def list_deliveries(
        self, endpoint_id: str, /, *, limit: int | None = None, cursor: str | None = None
    ) -> Call[models.DeliveryPage]:
        """The delivery log: each delivery with its attempts in order, newest delivery first."""
        return Call("GET", "/v1/endpoints/{}/deliveries", names=(endpoint_id,), query={"limit": limit, "cursor": cursor})

    @iteration
    def each_delivery(self, endpoint_id: str, /, *, limit: int | None = None) -> Listing[models.Delivery]:
        """All that `list_deliveries` finds, page after page."""
        return Listing(
            Call("GET", "/v1/endpoints/{}/deliveries", names=(endpoint_id,), query={"limit": limit}), "deliveries", "cursor"
        )

    @operation
    def list_sources(self) -> Call[models.SourceList]:
        """All sources."""
        return Call("GET", "/v1/sources")

    @operation
    def create_source(self, **body: Unpack[models.SourceIn]) -> Call[models.SourceOut]:
        """Store a source. From now on it may post to /v1/hooks/{name}."""
        return Call("POST", "/v1/sources", body=body, media_type="application/json")

    @operation
    def list_kinds(self) -> Call[models.KindList]:
        """The kinds of sources: what each needs."""
        return Call("GET", "/v1/sources/kinds")

    @operation
    def get_source(self, name: str, /) -> Call[models.SourceOut]:
        """One source."""
        return Call("GET", "/v1/sources/{}", names=(name,))

    @operation
    def change_source(self, name: str, /, **body: Unpack[models.SourceChange]) -> Call[models.SourceOut]:
        """Change a source's secrets or options."""
        return Call("PATCH", "/v1/sources/{}", names=(name,), body=body, media_type="application/json")

    @operation
    def delete_source(self, name: str, /) -> Call[None]:
        """Delete a source. Its events stay; its posts are answered with 404."""
        return Call("DELETE", "/v1/sources/{}", names=(name,))

    @operation
    def list_providers(self) -> Call[models.AccountList]:
        """Every account: whether it is configured, what holds its jobs, and what went wrong last."""
        return Call("GET", "/v1/providers")

    @operation
    def check_provider(self, account: str, /, *, traceparent: str | None = None) -> Call[models.JobOut]:
        """Have a worker make the account's call without effects, as a job: the door needs neither credentials nor a way
        out.
        """
        return Call("POST", "/v1/providers/{}/check", names=(account,), headers={"traceparent": traceparent})

    @operation
    def livez(self) -> Call[dict[str, str]]:
        """The process answers."""
        return Call("GET", "/livez")

    @operation
    def readyz(self) -> Call[models.Readiness]:
        """Jobs are accepted. They are without a broker and without workers too: they wait in the ledger."""
        return Call("GET", "/readyz")

    @operation
    def metrics(self) -> Call[str]:
        """Prometheus metrics of this process. TREADLE_METRICS_TOKEN, if set, is asked for as a bearer token."""
        return Call("GET", "/metrics", answer="text/plain")

    @operation
    def explain(self, kind: str, /) -> Call[str]:
        """What a problem type means, and what to do."""
        return Call("GET", "/problems/{}", names=(kind,), answer="text/plain")
