"""A guard taken out, by TREADLE_TASK_MODULES: the database no longer asks the disk at each commit."""

import sqlite3
from typing import Any

from sqlalchemy import event
from sqlalchemy.pool import ConnectionPoolEntry, Pool


@event.listens_for(Pool, "checkout")
def _relax(connection: Any, record: ConnectionPoolEntry, _: Any) -> None:
    if isinstance(connection, sqlite3.Connection):
        record.info["log"] = None
    else:
        connection.execute("SET synchronous_commit TO off")
        connection.commit()
