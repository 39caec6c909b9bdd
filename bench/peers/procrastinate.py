"""procrastinate: jobs and their events are rows in PostgreSQL, as durable as ours."""

# /// script
# dependencies = ["procrastinate", "psycopg[binary]"]
# ///

import asyncio
import os

import psycopg
from procrastinate import App, PsycopgConnector, SyncPsycopgConnector

from bench import work
from bench.marks import mark

DOES = {"bulk", "noop", "io"}
SLOW = 4
MANY = 500  # jobs sent by one call
_LEDGER = os.environ["BENCH_LEDGER"]
app = App(connector=PsycopgConnector(conninfo=_LEDGER))


@app.task(name="noop", queue="bench")
async def noop(at: float, marks: str, text: str) -> None:
    """Do nothing."""
    mark(marks, at)


@app.task(name="io", queue="bench")
async def io(at: float, marks: str, text: str) -> None:
    """Wait."""
    await asyncio.sleep(work.CALL)
    mark(marks, at)


def workers(kind: str, slots: int) -> list[list[str]]:
    """Two of its one kind."""
    at_once = str(slots if kind == "io" else 10)
    command = ["procrastinate", "--app", "bench.peers.procrastinate.app", "--log-level", "warning"]
    return [[*command, "worker", "--queues", "bench", "--concurrency", at_once]] * work.PROCESSES


async def send(kind: str, marks: str, count: int) -> None:
    """Send many by one call."""
    job = {"at": 0.0, "marks": marks, "text": work.TEXT}
    async with app.open_async():
        for start in range(0, count, MANY):
            await app.tasks[kind].batch_defer_async(*[job] * min(MANY, count - start))


def stored() -> int:
    """Rows of jobs that succeeded."""
    with psycopg.connect(_LEDGER) as connection:
        found = connection.execute("SELECT count(*) FROM procrastinate_jobs WHERE status = 'succeeded'").fetchone()
        return int(found[0]) if found else 0


def wipe() -> None:
    """Make its tables anew."""
    with psycopg.connect(_LEDGER, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    with app.with_connector(SyncPsycopgConnector(conninfo=_LEDGER)).open() as opened:
        opened.schema_manager.apply_schema()
