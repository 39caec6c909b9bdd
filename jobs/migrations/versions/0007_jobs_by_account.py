"""jobs are found by their account"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade():
    known = sa.text("account IS NOT NULL")
    op.create_index("jobs_by_account", "jobs", ["tenant", "account", "id"], sqlite_where=known, postgresql_where=known)


def downgrade():
    op.drop_index("jobs_by_account", table_name="jobs")
