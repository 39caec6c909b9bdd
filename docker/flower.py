"""Flower's settings in the container. Flower runs this file; the names are its own options."""

from pathlib import Path

basic_auth = [Path("/run/secrets/flower_basic_auth").read_text().strip()]
read_only = True  # it shows; pausing, cancelling and stopping are for Treadle, which records them
max_tasks = 5000  # kept in memory; the ledger has the full history
