"""What was tried for a job, and what was said meanwhile."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from jobs.model.columns import Lines, words
from jobs.states import Ending
from runtime.database import Base


class Attempt(Base):
    """One try. Its key is the job and the epoch of the claim, so a claim can be recorded only once."""

    __tablename__ = "attempts"

    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    epoch: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int]
    worker: Mapped[UUID]
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    outcome: Mapped[Ending | None] = mapped_column(words(Ending))
    error: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    retry_at: Mapped[datetime | None]

    __table_args__ = (CheckConstraint("(finished_at IS NULL) = (outcome IS NULL)", name="outcome_when_finished"),)


class LogLine(Base):
    """A line that a task wrote about its job."""

    __tablename__ = "job_log"

    id: Mapped[int] = mapped_column(sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True)
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    epoch: Mapped[int]
    at: Mapped[datetime]
    level: Mapped[str] = mapped_column(sa.String(10))
    message: Mapped[str] = mapped_column(Lines)

    __table_args__ = (Index("job_log_by_job", "job_id", "id"),)
