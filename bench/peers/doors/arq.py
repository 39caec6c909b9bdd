"""arq behind HTTP: FastAPI, a pydantic body, its pool."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from arq import ArqRedis, create_pool
from fastapi import FastAPI, Request
from pydantic import BaseModel

from bench.peers.arq import REDIS


@asynccontextmanager
async def _connected(web: FastAPI) -> AsyncIterator[dict[str, Any]]:
    yield {"pool": await create_pool(REDIS)}


web = FastAPI(lifespan=_connected)


class Noop(BaseModel):
    """The same body."""

    at: float
    marks: str
    text: str


@web.post("/jobs", status_code=202)
async def create(job: Noop, request: Request) -> dict[str, str]:
    """Send it."""
    pool: ArqRedis = request.state.pool
    sent = await pool.enqueue_job("noop", job.at, job.marks, job.text)
    assert sent is not None
    return {"id": sent.job_id}
