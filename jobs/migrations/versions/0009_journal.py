"""the journal: what happened, in the order in which it was committed; written by the database itself while anybody listens"""

import sqlalchemy as sa
from alembic import op

from runtime.database import Instant

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

WATCHED = ("state", "epoch", "run_at", "priority", "cancel_requested")
MOVED = " OR ".join(f"NEW.{column} <> OLD.{column}" for column in WATCHED)
NOW = "CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)"  # microseconds since 1970, as Instant keeps them

HEARD = "EXISTS (SELECT 1 FROM audience)"

SQLITE = (
    f"""CREATE TRIGGER journal_accepted AFTER INSERT ON jobs WHEN {HEARD} BEGIN
    INSERT INTO journal (xact, at, job_id, epoch, state) VALUES (0, {NOW}, NEW.id, NEW.epoch, NEW.state); END""",
    f"""CREATE TRIGGER journal_moved AFTER UPDATE OF {', '.join(WATCHED)} ON jobs WHEN ({MOVED}) AND {HEARD} BEGIN
    INSERT INTO journal (xact, at, job_id, epoch, was, state)
    VALUES (0, {NOW}, NEW.id, NEW.epoch, OLD.state, NEW.state); END""",
    f"""CREATE TRIGGER journal_said AFTER INSERT ON job_log WHEN {HEARD} BEGIN
    INSERT INTO journal (xact, at, job_id, epoch, line) VALUES (0, {NOW}, NEW.job_id, NEW.epoch, NEW.id); END""",
)

XACT = "CAST(CAST(pg_current_xact_id() AS text) AS bigint)"


def _function(name, columns, values):
    return f"""CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF {HEARD} THEN
        INSERT INTO journal (xact, at, job_id, epoch, {columns}) VALUES ({XACT}, clock_timestamp(), {values});
    END IF;
    RETURN NULL; END $$"""


POSTGRESQL = (
    _function("journal_accepted", "state", "NEW.id, NEW.epoch, NEW.state"),
    _function("journal_moved", "was, state", "NEW.id, NEW.epoch, OLD.state, NEW.state"),
    _function("journal_said", "line", "NEW.job_id, NEW.epoch, NEW.id"),
    "CREATE TRIGGER journal_accepted AFTER INSERT ON jobs FOR EACH ROW EXECUTE FUNCTION journal_accepted()",
    f"""CREATE TRIGGER journal_moved AFTER UPDATE OF {', '.join(WATCHED)} ON jobs FOR EACH ROW WHEN ({MOVED})
    EXECUTE FUNCTION journal_moved()""",
    "CREATE TRIGGER journal_said AFTER INSERT ON job_log FOR EACH ROW EXECUTE FUNCTION journal_said()",
)
TRIGGERS = {"journal_accepted": "jobs", "journal_moved": "jobs", "journal_said": "job_log"}


def upgrade():
    op.create_table(
        "journal",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), autoincrement=True, nullable=False),
        sa.Column("xact", sa.BigInteger(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("was", sa.String(length=16), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=True),
        sa.Column("line", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("journal_in_order", "journal", ["xact", "id"])
    op.create_table(
        "audience",
        sa.Column("one", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.Column("until", Instant(), nullable=False),
        sa.Column("gone_xact", sa.BigInteger(), nullable=False),
        sa.Column("gone_id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("one = 1", name="one_audience"),
        sa.PrimaryKeyConstraint("one"),
    )
    for statement in SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRESQL:
        op.execute(sa.text(statement))


def downgrade():
    for name, table in TRIGGERS.items():
        if op.get_bind().dialect.name == "sqlite":
            op.execute(f"DROP TRIGGER {name}")
        else:
            op.execute(f"DROP TRIGGER {name} ON {table}")
            op.execute(f"DROP FUNCTION {name}()")
    op.drop_table("audience")
    op.drop_table("journal")
