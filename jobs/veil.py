"""What a blind key does not see: payloads, results, and what errors and tasks say. The ledger itself does not show it.

A session that is veiled blanks each row as it is loaded, so a route cannot forget to.
"""

import json
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from jobs.model import Attempt, BulkAction, Event, Job, LogLine, Schedule, Subscription
from runtime.stored_json import from_json

HIDDEN = ("payload", "result", "data")
"""Names of what is not shown at all."""


class VeiledSession(Session):
    """A session that reads for a blind key."""


@event.listens_for(VeiledSession, "loaded_as_persistent")
def _blank(_: Session, row: object) -> None:
    match row:
        case Job():
            _set(row, payload=None, result=None, error=error(row.error), progress=_step(row.progress), callback=None)
        case Attempt():
            _set(row, error=error(row.error))
        case LogLine():
            silent = json.dumps(_step(from_json(row.message))) if row.level == "progress" else ""
            _set(row, message=silent)
        case Event():
            _set(row, data=None)
        case Schedule() | Subscription():
            _set(row, payload=None)
        case BulkAction():
            _set(row, wanted={name: value for name, value in row.wanted.items() if name != "text"})


def shown(data: dict[str, Any]) -> dict[str, Any]:
    """What may be shown of something that is told."""
    told = {name: None if name in HIDDEN else value for name, value in data.items()}
    if "error" in told:
        told["error"] = error(told["error"])
    if "progress" in told:
        told["progress"] = _step(told["progress"])
    return told | {name: "" for name in ("message", "note") if name in told}


def error(found: dict[str, Any] | None) -> dict[str, Any] | None:
    """Of an error only its class."""
    return None if found is None else {"class": found.get("class")}


def _step(progress: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if progress is None else progress | {"note": ""}


def _set(row: object, **values: Any) -> None:
    for name, value in values.items():
        set_committed_value(row, name, value)
