"""How it is done: a worker claims a job, runs it, judges it and settles it."""

from runtime import lean  # noqa: F401 - before all that it spares us
