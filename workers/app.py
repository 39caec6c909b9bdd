"""The worker's Celery app: `celery -A workers.app worker`. Every task of the catalogue is registered under its own name."""

import tasks
from runtime.broker import app
from runtime.settings import settings
from workers import signals
from workers.execute import JobFailed, execute

__all__ = ["app", "signals"]

app.events_cls = "workers.events:Events"
tasks.load()
app.tasks.clear()  # Celery's own too: a message could name celery.map; a plain Celery task lives on in the catalogue
_way = {"Strategy": "workers.hints:from_message"} if "hints" in settings().shortcuts else {}
for declared in tasks.catalogue.all():
    app.task(execute, name=declared.name, bind=True, throws=(JobFailed,), shared=False, **_way)
