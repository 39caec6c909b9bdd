"""what the door asks for: places, labels, errors by class, bulk actions, the audit log"""

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
    op.add_column("jobs", sa.Column("replay_of", sa.Uuid(), nullable=True))
    op.add_column("jobs", sa.Column("error_class", sa.String(length=64), nullable=True))
    found = sa.text("error_class IS NOT NULL")
    op.create_index(
        "jobs_by_error", "jobs", ["tenant", "error_class", "id"], sqlite_where=found, postgresql_where=found
    )
    op.create_table(
        "bulk_actions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("verb", sa.String(length=16), nullable=False),
        sa.Column("given", sa.JSON(), nullable=False),
        sa.Column("wanted", sa.JSON(), nullable=False),
        sa.Column("rate", sa.Double(), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("expected", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("skipped", sa.Integer(), nullable=False),
        sa.Column("cursor", sa.Uuid(), nullable=False),
        sa.Column("next_at", Instant(), nullable=False),
        sa.Column("made_by", sa.String(length=16), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("finished_at", Instant(), nullable=True),
        sa.CheckConstraint("state IN ('running', 'aborted', 'finished')", name="state_known"),
        sa.CheckConstraint("(finished_at IS NULL) = (state = 'running')", name="finished_unless_running"),
        sa.PrimaryKeyConstraint("id"),
    )
    runs = sa.text("state = 'running'")
    op.create_index("bulk_actions_due", "bulk_actions", ["next_at"], sqlite_where=runs, postgresql_where=runs)
    op.create_index("bulk_actions_by_tenant", "bulk_actions", ["tenant", "id"])
    op.create_table(
        "deeds",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("who", sa.String(length=16), nullable=False),
        sa.Column("what", sa.String(length=32), nullable=False),
        sa.Column("about", sa.String(length=255), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("request_id", sa.String(length=128), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("deeds_by_tenant", "deeds", ["tenant", "id"])
    op.create_index("deeds_by_subject", "deeds", ["tenant", "about", "id"])


def downgrade():
    op.drop_table("deeds")
    op.drop_table("bulk_actions")
    op.drop_index("jobs_by_error", table_name="jobs")
    op.drop_column("jobs", "error_class")
    op.drop_column("jobs", "replay_of")
    op.drop_index(op.f("ix_labels_job_id"), table_name="labels")
    op.drop_table("labels")
    op.drop_index(op.f("ix_places_job_id"), table_name="places")
    op.drop_table("places")
