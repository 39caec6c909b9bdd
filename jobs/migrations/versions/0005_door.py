"""what the door asks for: places"""

import sqlalchemy as sa
from alembic import op

from runtime.database import Instant

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "places",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("task", sa.String(length=128), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("scope", sa.String(length=10), nullable=False),
        sa.Column("until", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], ondelete="CASCADE", initially="DEFERRED", deferrable=True),
        sa.PrimaryKeyConstraint("tenant", "task", "key"),
    )
    op.create_index(op.f("ix_places_job_id"), "places", ["job_id"])


def downgrade():
    op.drop_index(op.f("ix_places_job_id"), table_name="places")
    op.drop_table("places")
