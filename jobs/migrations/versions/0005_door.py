"""what the door asks for: places, labels, errors by class"""

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
    op.create_table(
        "labels",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("label", sa.String(length=600), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant", "label", "job_id"),
    )
    op.create_index(op.f("ix_labels_job_id"), "labels", ["job_id"])
    op.add_column("jobs", sa.Column("error_class", sa.String(length=64), nullable=True))
    found = sa.text("error_class IS NOT NULL")
    op.create_index(
        "jobs_by_error", "jobs", ["tenant", "error_class", "id"], sqlite_where=found, postgresql_where=found
    )


def downgrade():
    op.drop_index("jobs_by_error", table_name="jobs")
    op.drop_column("jobs", "error_class")
    op.drop_index(op.f("ix_labels_job_id"), table_name="labels")
    op.drop_table("labels")
    op.drop_index(op.f("ix_places_job_id"), table_name="places")
    op.drop_table("places")
