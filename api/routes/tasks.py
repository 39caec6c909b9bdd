"""/v1/tasks: what can be done."""

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.auth import JobReader
from api.problems import Refused
from jobs.errors import Invalid
from jobs.policy import RetryPolicy
from runtime.duration import Duration
from tasks import Task, catalogue

router = APIRouter(prefix="/v1/tasks", tags=["tasks"])


class TaskOut(BaseModel):
    """A task, and the JSON Schema of its payload."""

    name: str
    summary: str
    queue: str
    timeout: Duration
    retry: RetryPolicy
    payload_schema: dict[str, Any]
    example: dict[str, Any]
    available: bool = Field(description="Whether jobs are taken here; if not, `missing` says what mends it.")
    missing: str | None

    @classmethod
    def of(cls, task: Task) -> "TaskOut":
        """A task as the door shows it."""
        missing = task.missing()
        return cls(
            name=task.name,
            summary=task.summary,
            queue=task.queue,
            timeout=task.timeout,
            retry=task.retry,
            payload_schema=task.schema(),
            example=task.example,
            available=missing is None,
            missing=missing,
        )


class TaskList(BaseModel):
    """The catalogue."""

    tasks: list[TaskOut]


@router.get("")
async def list_tasks(caller: JobReader) -> TaskList:
    """Every task that a job can name."""
    return TaskList(tasks=[TaskOut.of(task) for task in catalogue.all()])


@router.get("/{name}")
async def get_task(name: str, caller: JobReader) -> TaskOut:
    """One task."""
    try:
        return TaskOut.of(catalogue.find(name))
    except Invalid as unknown:
        raise Refused("not-found", unknown.errors[0]["detail"]) from None
