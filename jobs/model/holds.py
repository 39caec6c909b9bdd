"""Accounts that may not be called freely now: few rows, read by every feed."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from jobs.model.columns import Words, words
from runtime.database import Base


class Cause(StrEnum):
    """What holds an account."""

    CIRCUIT = "circuit"  # its calls failed; after `until` one job at a time goes as a probe
    ASKED = "asked"  # the provider asked us to wait until `until`
    RATE = "rate"  # more is wanted than its rate allows; it goes at that rate
    RAMP = "ramp"  # a hold was lifted; its jobs go at a rising rate


class Hold(Base):
    """Why the jobs of an account wait. Jobs that meet it are parked, and go as it allows."""

    __tablename__ = "holds"

    account: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    cause: Mapped[Cause] = mapped_column(words(Cause))
    why: Mapped[str] = mapped_column(Words(200))
    since: Mapped[datetime]
    until: Mapped[datetime]  # nothing goes before
    times: Mapped[int] = mapped_column(default=0)  # how often the circuit has opened in a row
    rate: Mapped[float | None] = mapped_column(sa.Double)  # the account's limit, in calls a second
    released: Mapped[int] = mapped_column(sa.BigInteger, default=0)  # jobs that went since `until`
    probe: Mapped[UUID | None]  # the job whose outcome decides about an open circuit
