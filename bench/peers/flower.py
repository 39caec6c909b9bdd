"""Flower as a way in to plain Celery."""

DOES = {"enqueue"}
LISTED = True  # it takes a task's arguments as a list


def door(port: int) -> tuple[list[str], str]:
    """Its route for a task by name."""
    celery = ["celery", "-A", "bench.peers.celery", "flower"]
    return [*celery, f"--port={port}", "--address=127.0.0.1", "--logging=warning"], "/api/task/async-apply/bench.noop"
