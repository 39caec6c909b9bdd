"""`treadle api | worker | beat`: one process of production each. The command becomes the process."""

import os
import tempfile
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cli import processes


class Pool(StrEnum):
    """How a worker runs several jobs at once."""

    THREADS = "threads"
    PREFORK = "prefork"


def api(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8000,
) -> None:
    """Run the API."""
    processes.api(host, port).become()


def worker(
    pool: Annotated[Pool, typer.Option(help="threads for waiting on others, prefork for CPU work.")] = Pool.THREADS,
    concurrency: Annotated[
        int | None, typer.Option(min=1, help="Jobs at once; TREADLE_WORKER_THREADS, or the CPUs for prefork.")
    ] = None,
    queues: Annotated[str | None, typer.Option(help="Queues to serve, by comma; all, or cpu for prefork.")] = None,
    name: Annotated[str | None, typer.Option(help="Its name on this host; the pool's if not given.")] = None,
    scheduler: Annotated[bool, typer.Option("--beat", help="Be the scheduler as well; threads only.")] = False,
) -> None:
    """Run a worker."""
    if pool is Pool.PREFORK:
        if scheduler:
            raise typer.BadParameter("a worker of processes cannot be the scheduler as well", param_hint="--beat")
        processes.worker(
            name or pool.value,
            pool=pool.value,
            concurrency=concurrency or os.cpu_count() or 1,
            queues=queues or "cpu",
            metrics=Path(tempfile.mkdtemp(prefix="treadle-metrics-")),  # must be empty: old files would count again
        ).become()
    processes.worker(name or pool.value, concurrency=concurrency, queues=queues, beat=scheduler).become()


def beat() -> None:
    """Run the scheduler. Any number may run: each due time still makes one job."""
    processes.beat().become()
