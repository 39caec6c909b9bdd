"""Every Prometheus metric, by name, in one place. Labels are closed sets (task, queue, route, outcome), never ids."""

from functools import lru_cache

from prometheus_client import Counter, Gauge, Histogram

_RUN = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200)
_WAIT = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 43200)
_HTTP = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)

submitted = Counter("treadle_jobs_submitted_total", "Jobs accepted", ["task", "queue"])
replayed = Counter("treadle_jobs_replayed_total", "Submissions answered with the job that their key had made")
finished = Counter("treadle_jobs_finished_total", "Jobs that reached a final state", ["task", "queue", "state"])
attempts = Counter("treadle_attempts_total", "Attempts, by how they ended", ["task", "outcome"])
retries = Counter("treadle_retries_total", "Attempts that will be followed by another", ["task"])
run_seconds = Histogram("treadle_run_seconds", "Time an attempt ran", ["task"], buckets=_RUN)
wait_seconds = Histogram("treadle_wait_seconds", "Time from due to claimed", ["queue"], buckets=_WAIT)

hints_sent = Counter("treadle_hints_sent_total", "Hints published to the broker", ["queue"])
hints_dropped = Counter("treadle_hints_dropped_total", "Hints not published: the broker was away, or too many waited")
hints_lost = Counter("treadle_hints_lost_total", "Hints offered again because the broker had lost them", ["queue"])
hints_stale = Counter("treadle_hints_stale_total", "Hints for a job that was taken, finished, held back or unknown")
rubbish = Counter("treadle_rubbish_total", "Messages in the broker that were no hint of ours, dropped", ["why"])

lease_losses = Counter("treadle_lease_losses_total", "Writes refused because the job had been given to another worker")
rescued = Counter("treadle_rescued_total", "Jobs taken back from dead workers")
overruns = Counter("treadle_overruns_total", "Attempts fenced off at their time limit", ["task"])

account_calls = Counter("treadle_account_calls_total", "Calls to third parties", ["account", "outcome"])
account_seconds = Histogram("treadle_account_seconds", "Time a call took", ["account"], buckets=_RUN)
account_open = Gauge("treadle_account_open", "1 while the account's circuit is open", ["account"])
account_held = Gauge("treadle_account_held_jobs", "Jobs that wait because their account is held", ["account"])
account_limit = Gauge(
    "treadle_account_limit", "Calls a second that the account allows", ["account"], multiprocess_mode="max"
)

queue_jobs = Gauge("treadle_queue_jobs", "Open jobs in the ledger", ["queue", "state"])
oldest_ready = Gauge("treadle_queue_oldest_ready_seconds", "Age of the oldest job that could run now", ["queue"])
dead_jobs = Gauge("treadle_dead_jobs", "Jobs in the dead letter", ["queue"])
live_workers = Gauge("treadle_workers", "Workers with a live lease")
heartbeat_age = Gauge("treadle_heartbeat_age_seconds", "Age of the oldest heartbeat among live workers")
scheduler_lag = Gauge("treadle_scheduler_lag_seconds", "How late the scheduler's last round of chores began")
chore_failures = Counter("treadle_chore_failures_total", "Chores of the scheduler that raised", ["chore"])
ticks = Counter("treadle_schedule_ticks_total", "Due times of schedules", ["outcome"])
hooks = Counter("treadle_hooks_total", "Webhooks of providers: taken, forged or malformed", ["kind", "outcome"])
events = Counter("treadle_events_total", "Events that came in: matched by a rule, dead, or known already", ["outcome"])

http_requests = Counter("treadle_http_requests_total", "HTTP requests", ["method", "route", "status"])
http_seconds = Histogram("treadle_http_seconds", "Time to answer", ["method", "route"], buckets=_HTTP)

slots_busy = Gauge("treadle_slots_busy", "Attempts running in this process", multiprocess_mode="livesum")


def answered(method: str, route: str, status: int, seconds: float) -> None:
    """Count an HTTP request."""
    _requests(method, route, status).inc()
    _seconds(method, route).observe(seconds)


@lru_cache
def _requests(method: str, route: str, status: int) -> Counter:
    return http_requests.labels(method, route, status)  # finding it takes longer than counting


@lru_cache
def _seconds(method: str, route: str) -> Histogram:
    return http_seconds.labels(method, route)
