"""What was announced and done outside for a job, step by step."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from runtime.database import Base


class Receipt(Base):
    """A call to the outside that must not be made twice: an intent until `done_at` is set, a receipt from then on."""

    __tablename__ = "receipts"

    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    step: Mapped[str] = mapped_column(sa.String(128), primary_key=True)
    epoch: Mapped[int]  # of the claim that announced it: the fencing number of what is written here
    account: Mapped[str | None] = mapped_column(sa.String(64))  # whom it was announced to
    intended_at: Mapped[datetime]
    done_at: Mapped[datetime | None]
    result: Mapped[Any | None] = mapped_column(sa.JSON(none_as_null=True))
