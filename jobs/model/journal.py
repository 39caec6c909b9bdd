"""What happened to jobs, in the order in which it was committed; kept while anybody listens."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import CheckConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from runtime.database import Base


class Entry(Base):
    """A job was accepted, moved or changed, or its task said something (`line`). Triggers write it: no move can forget."""

    __tablename__ = "journal"

    id: Mapped[int] = mapped_column(sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True)
    xact: Mapped[int] = mapped_column(sa.BigInteger)  # PostgreSQL's number of the transaction; SQLite: 0, it has one writer
    at: Mapped[datetime]  # by the database's clock
    job_id: Mapped[UUID]
    epoch: Mapped[int]
    was: Mapped[str | None] = mapped_column(sa.String(16))  # the state before
    state: Mapped[str | None] = mapped_column(sa.String(16))
    line: Mapped[int | None] = mapped_column(sa.BigInteger)

    __table_args__ = (Index("journal_in_order", "xact", "id"),)


class Audience(Base):
    """While this row is there, the journal is written. Another `since` is another journal."""

    __tablename__ = "audience"

    one: Mapped[int] = mapped_column(sa.SmallInteger, primary_key=True, autoincrement=False, default=1)
    since: Mapped[datetime]
    until: Mapped[datetime]
    gone_xact: Mapped[int] = mapped_column(sa.BigInteger, default=0)  # the last entry that was forgotten
    gone_id: Mapped[int] = mapped_column(sa.BigInteger, default=0)

    __table_args__ = (CheckConstraint("one = 1", name="one_audience"),)
