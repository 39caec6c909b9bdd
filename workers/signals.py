"""A worker process's start and stop, hung on Celery's signals."""

import os
import select
import signal
import threading
from typing import Any

import structlog
from celery import signals
from celery.platforms import EX_FAILURE
from celery.worker import state as celery_state

from jobs import schema
from runtime import database, exposition, logs
from runtime.broker import Lanes
from runtime.settings import settings
from runtime.settle import settle
from runtime.transport import Channel
from workers import claims, hints
from workers.drain import Drain
from workers.member import Member, enlist
from workers.pool import TaskPool
from workers.stuck import Watchdog
from workers.timekeeper import keep_time

log = structlog.get_logger()

_AFTER_GRACE = 5.0  # seconds more for the main process of a prefork pool, whose children hand back first


class _Pipe:
    """How the main process tells its prefork children to drain: they see the pipe's other end close."""

    reading = -1
    writing = -1


@signals.setup_logging.connect
def _logs(**_: Any) -> None:
    logs.configure("worker")


@signals.celeryd_init.connect
def _before_fork(**_: Any) -> None:
    schema.require()
    settle()  # what no collection looks at is not written to, and so stays shared with the children
    _Pipe.reading, _Pipe.writing = os.pipe()


@signals.worker_ready.connect
def _ready(sender: Any, **_: Any) -> None:
    """The main process: with threads it is itself the member; with prefork it only watches over the queues."""
    controller = sender.controller
    queues, slots = list(sender.app.amqp.queues.consume_from), controller.concurrency

    def room() -> int:
        return int(slots) - len(celery_state.reserved_requests)

    exposition.serve()
    if controller.pool_cls is TaskPool:
        drain = Drain(Member("threads", queues, slots))
        keep_time(enlist(drain.member), drain)
        claims.rehearse()
        signals.worker_shutting_down.connect(lambda **_: drain.start("told to stop"), weak=False)
        signals.worker_shutdown.connect(lambda **_: drain.finish(), weak=False)
        watchdog = Watchdog(queues, room, lambda: drain.start("not consuming", code=75))
        if "hints" in settings().shortcuts:
            intake = hints.intake(sender)
            intake.on_turn, watchdog.room = watchdog.note, intake.slots.free
            drain.member.withdraw = intake.withdraw
            room = intake.slots.room
            Channel.hand = staticmethod(intake.take)
        Channel.room = staticmethod(room)
    else:
        signals.worker_shutting_down.connect(_drain_children, weak=False)
        watchdog = Watchdog(queues, room, lambda: os.kill(os.getpid(), signal.SIGTERM))
    signals.task_received.connect(watchdog.note, weak=False)
    watchdog.start()
    settle()


@signals.worker_shutdown.connect
def _last_deed(sender: Any, **_: Any) -> None:
    """A worker that Celery gives up empties its queues: what killed it may be in there, and the ledger has the jobs."""
    if sender.exitcode == EX_FAILURE:
        lanes = Lanes()
        try:
            for queue in sender.app.amqp.queues.consume_from:
                lanes.empty(queue)
            log.error("the worker fails; its queues are emptied, and the scheduler will offer their jobs again")
        except Exception as error:  # noqa: BLE001 - whatever the client raises: the broker is away, and may be why we fail
            log.warning("the worker fails, and its queues could not be emptied", error=repr(error)[:300])


def _drain_children(**_: Any) -> None:
    os.close(_Pipe.writing)
    timer = threading.Timer(settings().drain_grace.total_seconds() + _AFTER_GRACE, os._exit, [0])
    timer.daemon = True
    timer.start()


@signals.worker_process_init.connect
def _child(**_: Any) -> None:
    """A child of a prefork pool: a member of its own, with connections of its own."""
    database.use(None)
    os.close(_Pipe.writing)
    drain = Drain(Member("prefork", settings().queues, 1))
    keep_time(enlist(drain.member), drain)
    claims.rehearse()
    threading.Thread(target=_await_stop, args=(drain,), name="await-stop", daemon=True).start()


def _await_stop(drain: Drain) -> None:
    select.select([_Pipe.reading], [], [])
    drain.start("the worker stops")
