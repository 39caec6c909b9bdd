"""`python -m workers`: a worker without what Celery's command line brings along (its plugins, Flower among them: 10 MB).

`celery -A workers.app worker` starts the same worker.
"""

import argparse
import sys

from celery.utils.nodenames import host_format

from runtime.settings import settings
from workers.app import app

parser = argparse.ArgumentParser(prog="workers", description="A worker of the pool that TREADLE_WORKER_POOL names.")
parser.add_argument("--name", default="worker", help="its name on this host")
parser.add_argument("--queues", default=",".join(settings().queues), help="the queues to serve, by comma")
parser.add_argument("--exclude", default="", help="queues to leave to others, by comma")
parser.add_argument("--concurrency", type=int, default=settings().worker_threads, help="jobs at once")
parser.add_argument("--beat", action="store_true", help="be the scheduler as well")
given = parser.parse_args()

served = [queue for queue in given.queues.split(",") if queue not in given.exclude.split(",")]
worker = app.Worker(
    hostname=host_format(f"{given.name}@%h"),
    queues=served,
    concurrency=given.concurrency,
    include=["scheduler.embedded"] if given.beat else [],  # by name, as Celery's own --include: workers know no scheduler
    without_gossip=True,
    without_mingle=True,
)
worker.start()
sys.exit(worker.exitcode)
