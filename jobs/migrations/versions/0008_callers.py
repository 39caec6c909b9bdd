"""who sent a job"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

OPEN = sa.text("caller IS NOT NULL AND finished_at IS NULL")


def upgrade():
    op.add_column("jobs", sa.Column("caller", sa.String(length=64), nullable=True))
    op.create_index(
        "jobs_by_caller", "jobs", ["caller", "queue", "priority", "run_at"], sqlite_where=OPEN, postgresql_where=OPEN
    )


def downgrade():
    op.drop_index("jobs_by_caller", table_name="jobs")
    op.drop_column("jobs", "caller")
