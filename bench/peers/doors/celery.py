"""Plain Celery behind HTTP, as most write it: FastAPI, a pydantic body, `delay()`."""

from fastapi import FastAPI
from pydantic import BaseModel

from bench.peers.celery import noop

web = FastAPI()


class Noop(BaseModel):
    """The same body."""

    at: float
    marks: str
    text: str


@web.post("/jobs", status_code=202)
async def create(job: Noop) -> dict[str, str]:
    """Send it. `async def` though `delay()` blocks: that spares a thread hop and is Celery's faster way here."""
    return {"id": str(noop.delay(job.at, job.marks, job.text).id)}
