"""When it is done: what is due is released, what is lost is found, what is old is forgotten."""

from runtime import lean  # noqa: F401 - before all that it spares us
