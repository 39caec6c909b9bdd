"""Celery's own settings, a reason beside each. Values of ours come from runtime.settings."""

from runtime import families, tcp
from runtime.settings import settings

_family = families.of(settings().broker_url)

broker_url = settings().broker_url
broker_connection_retry_on_startup = True  # a worker that starts before its broker waits for it
broker_connection_max_retries = None  # and never gives up; the supervisor need not know
broker_connection_timeout = tcp.CONNECT  # a frozen host must not hold a thread
broker_pool_limit = 20  # we need one; Flower asks in many threads at once, and hangs when none is free
broker_heartbeat = 10  # seconds (AMQP only); the other side of a cut network is gone after two
broker_transport_options = _family.options()
broker_use_ssl = _family.tls if settings().broker_url.startswith(("rediss:", "amqps:")) else False

accept_content = ["json"]  # pickle would let a message run code
task_serializer = "json"
event_serializer = "json"
result_accept_content = ["json"]

task_ignore_result = True  # the ledger holds results; a result backend would double every round trip
result_backend = None
task_acks_late = _family.late_acks  # who holds hints; what is running the ledger knows, not the broker
task_track_started = False
task_default_queue = "default"
task_queues = tuple(_family.queue(name) for name in settings().queues)
task_create_missing_queues = False  # a queue no worker listens to would swallow hints
task_default_delivery_mode = "transient"  # hints are disposable
task_publish_retry = False  # the scheduler offers again what was not sent

worker_prefetch_multiplier = 1
worker_disable_prefetch = not _family.late_acks  # a hint is taken when a slot is free, so that another worker can have it
worker_concurrency = settings().worker_threads
_pools = {"threads": "workers.pool:TaskPool"}
worker_pool = _pools.get(
    settings().worker_pool, settings().worker_pool
)  # it wins over Celery's own -P prefork, so the choice is made here
worker_send_task_events = True  # Flower shows every job
worker_enable_remote_control = True  # Flower's worker pages ask by it
worker_hijack_root_logger = False  # runtime.logs set it up
worker_redirect_stdouts = False
worker_cancel_long_running_tasks_on_connection_loss = False  # a lost broker is no reason to stop a job
worker_deduplicate_successful_tasks = False  # the claim does
worker_proc_alive_timeout = 30.0  # a pool child imports the catalogue first

event_queue_ttl = 10  # seconds; events that no Flower reads must not pile up
event_queue_expires = 60

beat_scheduler = "scheduler.beat:LedgerScheduler"
beat_max_loop_interval = 1
enable_utc = True
timezone = "UTC"
