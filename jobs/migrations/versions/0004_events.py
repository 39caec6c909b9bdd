"""events: the in-box, the outbox, subscriptions, endpoints, sources"""

import sqlalchemy as sa
from alembic import op

from runtime.database import Instant, Span

revision = "0004"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "events",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=512), nullable=False),
        sa.Column("source_id", sa.String(length=255), nullable=False),
        sa.Column("type", sa.String(length=255), nullable=False),
        sa.Column("subject", sa.String(length=512), nullable=True),
        sa.Column("at", Instant(), nullable=True),
        sa.Column("data", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("attributes", sa.JSON(), nullable=False),
        sa.Column("received_at", Instant(), nullable=False),
        sa.Column("matched", sa.Integer(), nullable=False),
        sa.Column("depth", sa.SmallInteger(), nullable=False),
        sa.Column("about", sa.Uuid(), nullable=True),
        sa.Column("nonce", sa.String(length=128), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("tenant", "source", "source_id", name="event_once"),
        sa.UniqueConstraint("tenant", "source", "nonce", name="event_nonce_once"),
    )
    op.create_index("events_by_tenant", "events", ["tenant", "id"])
    op.create_index("events_by_type", "events", ["tenant", "type", "id"])
    _partial("events_dead", "events", ["tenant", "id"], "matched = 0")
    _partial("events_about", "events", ["about", "id"], "about IS NOT NULL")
    op.create_table(
        "outbox",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("type", sa.String(length=255), nullable=False),
        sa.Column("subject", sa.String(length=512), nullable=True),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("callback", sa.String(length=2048), nullable=True),
        sa.Column("heard", sa.Boolean(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "rulebooks",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("edition", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("tenant"),
    )
    op.create_table(
        "subscriptions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("types", sa.JSON(), nullable=False),
        sa.Column("filter", sa.JSON(), nullable=False),
        sa.Column("task", sa.String(length=128), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("queue", sa.String(length=64), nullable=False),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("delay", Span(), nullable=False),
        sa.Column("timeout", Span(), nullable=False),
        sa.Column("retry", sa.JSON(), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("paused_at", Instant(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("tenant", "name", name="subscription_name"),
    )
    op.create_table(
        "endpoints",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("url", sa.String(length=2048), nullable=False),
        sa.Column("description", sa.String(length=500), nullable=False),
        sa.Column("types", sa.JSON(), nullable=False),
        sa.Column("filter", sa.JSON(), nullable=False),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("secrets", sa.JSON(), nullable=False),
        sa.Column("failing_since", Instant(), nullable=True),
        sa.Column("disabled_at", Instant(), nullable=True),
        sa.Column("disabled_why", sa.String(length=200), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.CheckConstraint("(disabled_at IS NULL) = (disabled_why IS NULL)", name="why_when_disabled"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("endpoints_by_tenant", "endpoints", ["tenant", "id"])
    op.create_table(
        "sources",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("secrets", sa.JSON(), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.add_column("jobs", sa.Column("event_id", sa.Uuid(), nullable=True))
    op.add_column("jobs", sa.Column("endpoint_id", sa.Uuid(), nullable=True))
    op.add_column("jobs", sa.Column("callback", sa.String(length=2048), nullable=True))
    _partial("jobs_by_event", "jobs", ["event_id", "id"], "event_id IS NOT NULL")
    _partial("jobs_by_endpoint", "jobs", ["endpoint_id", "id"], "endpoint_id IS NOT NULL")


def downgrade():
    op.drop_index("jobs_by_endpoint", "jobs")
    op.drop_index("jobs_by_event", "jobs")
    for column in ("callback", "endpoint_id", "event_id"):
        op.drop_column("jobs", column)
    for table in ("sources", "endpoints", "subscriptions", "rulebooks", "outbox", "events"):
        op.drop_table(table)


def _partial(name, table, columns, where):
    op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
