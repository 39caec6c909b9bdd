"""Treadle beside plain Celery and other queues on the same machine, the same Valkey, in the same minutes: `python -m bench`."""
