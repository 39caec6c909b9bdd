"""`treadle jobs watch`: jobs as they run, each with its bar, from the stream; and the end of each."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn

from cli import show
from cli.client import in_words
from cli.complaint import Complaint
from cli.remote import Door, remote
from client import FINAL, AsyncTreadle
from client.models import JobDetail

MOST = 20  # each has a connection of its own

JobIds = Annotated[list[str], typer.Argument(metavar="ID…", help="The jobs' ids.", show_default=False)]


@remote
def watch(door: Door, job_ids: JobIds) -> None:
    """Follow jobs to their end; exit code 1 unless all succeeded."""
    follow(door, *job_ids)


def follow(door: Door, *job_ids: str) -> None:
    """Show the jobs until all are final.

    Raises:
        Complaint: one did not succeed.
    """
    if len(job_ids) > MOST:
        raise Complaint(f"At most {MOST} jobs can be watched at once.")
    with in_words():
        jobs = asyncio.run(_follow_all(door, job_ids))
    if door.as_json:
        show.as_json(jobs[0] if len(jobs) == 1 else jobs)
    elif len(jobs) == 1 and jobs[0]["state"] == "succeeded":
        show.fields([("result", jobs[0]["result"])])
    ends = [_end(job) for job in jobs if job["state"] != "succeeded"]
    if ends:
        raise Complaint(ends[0]) if len(jobs) == 1 else Complaint(f"{len(ends)} of {len(jobs)} did not succeed:", ends)


async def _follow_all(door: Door, job_ids: Sequence[str]) -> list[JobDetail]:
    async with door.on_loop() as treadle:
        with _bars(door) as bars:
            return await asyncio.gather(*(_follow(treadle, job_id, _Line(door, bars, job_id)) for job_id in job_ids))


async def _follow(treadle: AsyncTreadle, job_id: str, line: "_Line") -> JobDetail:
    async for event in treadle.stream_job(job_id):
        if event.kind == "progress":
            line.move(event.data)
        elif event.kind == "job":
            line.tell(event.data)
    job = await treadle.get_job(job_id)
    line.tell(job)
    return job


class _Line:
    """A job's bar; where none can be seen, a line whenever the job stands otherwise."""

    def __init__(self, door: Door, bars: Progress, job_id: str) -> None:
        self._job_id, self._bars, self._standing = job_id, bars, ""
        self._bar = bars.add_task(job_id, total=None, note="")
        self._in_lines = bars.disable and not door.as_json

    def move(self, progress: dict[str, Any]) -> None:
        """How far it is."""
        self._bars.update(self._bar, completed=progress["done"], total=progress["total"], note=progress["note"] or "")

    def tell(self, job: Mapping[str, Any]) -> None:
        """How the job stands."""
        standing = _standing(job)
        self._bars.update(self._bar, description=f"{self._job_id}  {standing}")
        if job["state"] in FINAL:
            self._bars.update(self._bar, completed=1, total=1)
        if self._in_lines and standing != self._standing:
            show.line(f"{self._job_id}  {standing}")
        self._standing = standing


def _standing(job: Mapping[str, Any]) -> str:
    later = show.when(job["run_at"]) if job["state"] == "scheduled" else ""
    return f"{job['state']}, attempt {job['attempt']} of {job['max_attempts']}" + (f", runs {later}" if later else "")


def _end(job: Mapping[str, Any]) -> str:
    said = (job.get("error") or {}).get("message")
    return f"The job {job['state']}{f': {said}' if said else '.'}"


def _bars(door: Door) -> Progress:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    return Progress(*columns, console=show.console(), disable=door.as_json or not show.console().is_terminal)
