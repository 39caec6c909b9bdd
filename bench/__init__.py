"""Treadle beside plain Celery and other queues, on one machine, one Valkey, in the same minutes: `python -m bench`."""
