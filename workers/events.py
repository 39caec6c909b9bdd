"""What Flower is told of jobs, a few times a second together, and only while somebody listens."""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from celery.app import events as celerys
from celery.events.dispatcher import EventDispatcher

PERIOD = 0.2  # seconds for which events gather
MOST = 1000  # in one message


class Dispatcher(EventDispatcher):
    """Celery's, patient: it would make and publish events on every turn of its loop, whether anyone hears them or not."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self._kept: deque[tuple[str, float, dict[str, Any]]] = deque()
        self._some = threading.Event()
        self._flush_soon: Callable[[], object] | None = options.pop("on_send_buffered", None)
        super().__init__(*args, **options)
        if self._flush_soon:
            threading.Thread(target=self._run, args=(self._flush_soon,), name="events", daemon=True).start()

    def _run(self, flush_soon: Callable[[], object]) -> None:
        rest = threading.Event()
        while not self._closed:
            self._some.wait()
            rest.wait(PERIOD)
            self._some.clear()
            flush_soon()

    def send(self, type: str, *args: Any, **fields: Any) -> Any:  # noqa: A002 - Celery's name for it
        """Keep an event of a task; send any other."""
        if self._flush_soon is None or not type.startswith("task-"):
            return super().send(type, *args, **fields)
        self._kept.append((type, time.time(), fields))
        if not self._some.is_set():
            self._some.set()
        return None

    def flush(self, errors: bool = True, groups: bool = True) -> None:
        """Publish what was kept: the first event alone, and the others if the broker found it a listener."""
        super().flush(errors, groups)
        if groups and self._kept and self.enabled:
            kept = [self._kept.popleft() for _ in range(len(self._kept))]
            self._publish_all(kept[:1])
            if getattr(self.producer.channel, "heard_by", None) != 0:
                for start in range(1, len(kept), MOST):
                    self._publish_all(kept[start : start + MOST])

    def _publish_all(self, kept: list[tuple[str, float, dict[str, Any]]]) -> None:
        events = [self._prepare_event(type_, {"timestamp": at} | fields) for type_, at, fields in kept]
        with self.mutex:
            if not self._closed:
                self._publish(events, self.producer, "task.multi")


class Events(celerys.Events):
    """Celery's way to its dispatcher."""

    dispatcher_cls = f"{__name__}:Dispatcher"
