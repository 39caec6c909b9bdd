"""A forked child has connections of its own, and does its parent's no harm: prefork pools fork whenever a child has died."""

import subprocess
import sys

import pytest

from tests.servers import Postgres

# The parent has an idle connection when it forks. The child does as a prefork child does at its start, works, and ends.
FORK = """
import os, sys
import sqlalchemy as sa
from runtime import database

def session():
    with database.transaction() as open_session:
        return open_session.scalar(sa.text("SELECT pg_backend_pid()"))

mine = session()
heard, said = os.pipe()
if os.fork() == 0:
    if sys.argv[1] == "told":
        database.use(None)
    os.write(said, str(session()).encode())
    database.use(None)
    os._exit(0)
_, status = os.wait()
print(mine, os.read(heard, 20).decode(), session(), status)
"""


@pytest.mark.parametrize("child", ["told", "not told"])
def test_a_child_opens_a_session_of_its_own_and_its_parent_keeps_the_one_it_had(postgres: Postgres, child: str) -> None:
    url = postgres.create_database()
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", FORK, child],
        env={"TREADLE_DATABASE_URL": url, "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    before, of_child, after, status = done.stdout.split()
    assert before == after, "the child ended its parent's session"
    assert of_child != before, "the child spoke on its parent's connection"
    assert status == "0"
