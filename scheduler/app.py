"""The scheduler's Celery app: `celery -A scheduler.app beat`. celeryconfig names our beat class."""

from typing import Any

from celery import signals

from jobs import schema
from runtime import exposition, logs
from runtime.broker import app
from runtime.settle import settle

__all__ = ["app"]


@signals.setup_logging.connect
def _logs(**_: Any) -> None:
    logs.configure("scheduler")


@signals.beat_init.connect
def _begin(**_: Any) -> None:
    schema.require()
    exposition.serve()
    settle()
