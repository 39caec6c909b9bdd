"""The door: jobs and schedules over HTTP."""

from runtime import lean  # noqa: F401 - before all that it spares us
