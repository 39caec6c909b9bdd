"""Treadle beside plain Celery on the same machine, the same Valkey, in the same minutes: `python -m bench`."""
