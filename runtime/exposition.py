"""Serving this process's metrics, where a scraper asks for them."""

import os

import structlog
from prometheus_client import REGISTRY, CollectorRegistry, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector

from runtime.settings import settings

log = structlog.get_logger()


def registry() -> CollectorRegistry:
    """The metrics to show: those of all processes of a prefork pool, whose start-up script named a folder for them."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:  # noqa: TID251 - prometheus-client's own protocol, read as it reads it
        return REGISTRY
    shared = CollectorRegistry()
    MultiProcessCollector(shared)  # type: ignore[no-untyped-call]
    return shared


def serve() -> None:
    """Answer /metrics on TREADLE_METRICS_PORT, if set. A port that is taken is logged, not fatal."""
    if settings().metrics_port:
        try:
            start_http_server(settings().metrics_port, settings().metrics_host, registry())
        except OSError as error:
            log.warning("metrics are not served", port=settings().metrics_port, error=str(error))
