"""limits of queues; what a key may reach and see, how often it may ask, and its secret before the last rotation"""

import sqlalchemy as sa
from alembic import op

from runtime.database import Instant

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

SCOPES = ("read", "operate", "write", "admin")


def _scopes(words):
    with op.batch_alter_table("api_keys") as table:
        table.drop_constraint("scope_known", type_="check")
        table.create_check_constraint("scope_known", f"scope IN ({', '.join(map(repr, words))})")


def upgrade():
    op.add_column("queues", sa.Column("max_running", sa.Integer(), nullable=True))
    op.add_column("queues", sa.Column("rate", sa.Double(), nullable=True))
    op.add_column("queues", sa.Column("paced_to", Instant(), nullable=True))
    op.add_column("api_keys", sa.Column("tasks", sa.JSON(), nullable=True))
    op.add_column("api_keys", sa.Column("queues", sa.JSON(), nullable=True))
    op.add_column("api_keys", sa.Column("blind", sa.Boolean(), nullable=True))
    op.add_column("api_keys", sa.Column("quota", sa.Integer(), nullable=True))
    op.add_column("api_keys", sa.Column("digest_before", sa.String(length=64), nullable=True))
    op.add_column("api_keys", sa.Column("before_until", Instant(), nullable=True))
    _scopes(SCOPES)


def downgrade():
    op.execute("DELETE FROM api_keys WHERE scope = 'operate'")
    _scopes([scope for scope in SCOPES if scope != "operate"])
    for column in ("before_until", "digest_before", "quota", "blind", "queues", "tasks"):
        op.drop_column("api_keys", column)
    for column in ("paced_to", "rate", "max_running"):
        op.drop_column("queues", column)
