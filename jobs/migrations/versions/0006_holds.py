"""held accounts, and the jobs that wait for them"""

import sqlalchemy as sa
from alembic import op

from runtime.database import Instant

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

DUE = {"jobs_due": ["queue", "priority", "run_at", "id"], "jobs_due_at": ["run_at"]}


def _partial(name, columns, where):
    op.create_index(name, "jobs", columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def upgrade():
    op.create_table(
        "holds",
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column(
            "cause",
            sa.Enum("circuit", "asked", "rate", "ramp", name="cause", native_enum=False, create_constraint=True, length=16),
            nullable=False,
        ),
        sa.Column("why", sa.String(length=200), nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.Column("until", Instant(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("rate", sa.Double(), nullable=True),
        sa.Column("released", sa.BigInteger(), nullable=False),
        sa.Column("probe", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("account"),
    )
    op.add_column("jobs", sa.Column("account", sa.String(length=64), nullable=True))
    op.add_column("jobs", sa.Column("parked_at", Instant(), nullable=True))
    _partial("jobs_parked", ["account", "queue", "priority", "run_at", "id"], "parked_at IS NOT NULL")
    for name, columns in DUE.items():
        op.drop_index(name, "jobs")
        _partial(name, columns, "state = 'scheduled' AND parked_at IS NULL")


def downgrade():
    for name, columns in DUE.items():
        op.drop_index(name, "jobs")
        _partial(name, columns, "state = 'scheduled'")
    op.drop_index("jobs_parked", "jobs")
    op.drop_column("jobs", "parked_at")
    op.drop_column("jobs", "account")
    op.drop_table("holds")
