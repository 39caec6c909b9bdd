"""Keeping processes up until told to stop, then stopping them in order."""

import selectors
import signal
import socket
import time
from collections.abc import Callable, Sequence

from cli.complaint import Complaint
from cli.up.service import Service

FATAL_DEATHS = 3
"""A process that dies so often before all is ready will not come up."""


class Stopped(Exception):
    """A signal asked us to stop."""


class Supervisor:
    """Watches services. It sleeps until a child dies or a signal comes: idle, it costs nothing."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.services: list[Service] = []
        self.stops = 0  # signals that asked us to stop
        self.on_change: Callable[[], None] = lambda: None
        self._say = say
        self._inbox, self._outbox = socket.socketpair()
        self._selector = selectors.DefaultSelector()

    def listen(self) -> None:
        """Take over the signals. Called once, in the main thread."""
        for end in (self._inbox, self._outbox):
            end.setblocking(False)
        self._selector.register(self._inbox, selectors.EVENT_READ)
        signal.set_wakeup_fd(self._outbox.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # a handler must be there for the wake-up to be sent
        for asked in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(asked, self._count)

    def close(self) -> None:
        """Hear no more signals."""
        signal.set_wakeup_fd(-1)
        self._selector.close()
        for end in (self._inbox, self._outbox):
            end.close()

    def _count(self, *_: object) -> None:
        self.stops += 1

    def start(self, *services: Service) -> None:
        """Start services and watch them from now on."""
        for service in services:
            self.services.append(service)
            service.start(time.monotonic())

    def wait_until(self, condition: Callable[[], bool], patience: float, what: str) -> None:
        """Return when `condition` holds; meanwhile the services are tended.

        Raises:
            Stopped: a signal came.
            Complaint: it took too long, or a service does not come up.
        """
        end = time.monotonic() + patience
        while not condition():
            self._tend()
            for service in self.services:
                if service.backoff.deaths >= FATAL_DEATHS:
                    raise Complaint(f"{service.name} does not start. The end of {service.log}:", service.last_words())
            if time.monotonic() >= end:
                raise Complaint(f"{what} is not ready after {patience:g} s. The logs are in {self._logs()}.")
            self._sleep(0.05)
            if self.stops:
                raise Stopped

    def watch(self) -> None:
        """Start again whatever dies, until a signal asks us to stop."""
        while not self.stops:
            self._tend()
            due = [service.due_at for service in self.services if service.due_at is not None]
            self._sleep(max(0.0, min(due) - time.monotonic()) if due else None)

    def drain(self, stages: Sequence[Sequence[Service]]) -> None:
        """Stop the services, stage by stage. A further signal kills what is left."""
        asked = self.stops
        for stage in stages:
            for service in stage:
                service.ask_to_stop()
            end = time.monotonic() + max((service.grace for service in stage), default=0.0)
            while not all([service.has_ended() for service in stage]):  # noqa: C419 - look at each: ended ones are swept
                if self.stops > asked or time.monotonic() >= end:
                    break
                self._sleep(min(0.5, end - time.monotonic()))
            for service in stage:
                if not service.has_ended():
                    self._say(f"{service.name} did not stop and was killed")
                    service.kill()

    def kill(self) -> None:
        """End everything at once: the last resort, and harmless when all has ended."""
        for service in self.services:
            service.kill()

    def _tend(self) -> None:
        changed = False
        for service in self.services:
            pid = service.pid
            if news := service.tend(time.monotonic()):
                self._say(news)
            changed = changed or service.pid not in {pid, None}
        if changed:
            self.on_change()

    def _sleep(self, seconds: float | None) -> None:
        if self._selector.select(None if seconds is None else max(0.0, seconds)):
            self._inbox.recv(4096)

    def _logs(self) -> str:
        return str(self.services[0].log.parent) if self.services else "the home"
