"""Structured logs: one line an event, JSON unless a person watches; request, job and attempt ids bound to the context."""

import logging
import sys
from contextvars import ContextVar
from typing import Any

import structlog

from runtime.redaction import scrub
from runtime.settings import settings

_CLIENTS = (
    "httpx2",
    "httpcore2",
    "httpx",
    "httpcore",
    "stripe",
    "urllib3",
    "botocore",
    "azure",
    "google",
    "elastic_transport",
)

_ids: ContextVar[dict[str, object]] = ContextVar("ids", default={})  # noqa: B039 - never changed, only replaced


class bound:  # noqa: N801 - it reads as the function that it is used as
    """Bind ids for the lines of a block: `with bound(job_id=…):`. Bound once for all of a job, where structlog's own would
    set and reset a variable for each.
    """

    def __init__(self, **ids: object) -> None:
        self._ids = ids

    def __enter__(self) -> None:
        self._before = _ids.set(_ids.get() | self._ids)

    def __exit__(self, *_: object) -> None:
        _ids.reset(self._before)


def _with_ids(_: object, __: str, event: Any) -> Any:
    return {name: id_ if isinstance(id_, int) else str(id_) for name, id_ in _ids.get().items() if id_ is not None} | event


def configure(process: str) -> None:
    """Send this process's logs, those of libraries included, to standard error in one form."""
    shared: list[Any] = [
        _with_ids,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        _name_process(process),
    ]
    as_json = settings().log_format == "json" or (settings().log_format == "auto" and not sys.stderr.isatty())
    renderer: list[Any] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]
        if as_json
        else [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)]
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer, _without_secrets],
        )
    )
    logging.basicConfig(handlers=[handler], level=settings().log_level, force=True)
    for noisy in (*_CLIENTS, "alembic", "celery.app.trace", "celery.worker.strategy"):
        logging.getLogger(noisy).setLevel(logging.WARNING)  # each job has lines of our own
    logging.getLogger("oauthlib").setLevel(logging.INFO)  # below that it tells what it signs, and with which keys
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(settings().log_level),
        cache_logger_on_first_use=True,
    )


def _without_secrets(_: object, __: str, line: Any) -> str:
    return scrub(str(line))


def _name_process(process: str) -> Any:
    def add(_: object, __: str, event: dict[str, Any]) -> dict[str, Any]:
        event["process"] = process
        return event

    return add
