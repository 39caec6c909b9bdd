"""Alembic's entry: runs the migrations on the connection it is given, or on this process's engine."""

from alembic import context

from jobs.model import Base
from runtime.database import engine


def run(connection):
    context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True, compare_type=True)
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    with engine().connect() as connection:
        run(connection)
        connection.commit()
