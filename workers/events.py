"""What Flower is told of jobs, a few times a second together: Celery would tell it on every turn of its loop."""

import threading
from collections.abc import Callable
from typing import Any

from celery.app import events as celerys
from celery.events.dispatcher import EventDispatcher

PERIOD = 0.2  # seconds for which events gather
MOST = 1000  # in one message


class Dispatcher(EventDispatcher):
    """Celery's, patient."""

    def __init__(self, *args: Any, **options: Any) -> None:
        flush_soon = options.pop("on_send_buffered", None)
        some = threading.Event() if flush_soon else None
        super().__init__(*args, **options, buffer_limit=MOST, on_send_buffered=some and some.set)
        if some:
            threading.Thread(target=self._run, args=(some, flush_soon), name="events", daemon=True).start()

    def _run(self, some: threading.Event, flush_soon: Callable[[], object]) -> None:
        rest = threading.Event()
        while not self._closed:
            some.wait()
            rest.wait(PERIOD)
            some.clear()
            flush_soon()


class Events(celerys.Events):
    """Celery's way to its dispatcher."""

    dispatcher_cls = f"{__name__}:Dispatcher"
