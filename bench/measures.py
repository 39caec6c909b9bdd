"""What is measured, each on one side at a time. All return {name of the work: figure}."""

import time
from datetime import UTC, datetime, timedelta
from random import Random

from bench import marks
from bench.client import load, pace
from bench.sides import Side, processes
from bench.treadle import Treadle
from bench.work import CALL, PROCESSES, Kind
from tests.laboratory import Part
from tests.servers import wait_until

SLOTS = 64  # jobs at once in one worker, of those that do nothing; queues that are faster with less take less
Figures = dict[str, float]


def enqueue(side: Side, connections: int, seconds: float) -> Figures:
    """Jobs a second through HTTP, each accepted. No worker runs."""
    request = side.request()
    load(side.port, request, connections, count=max(20, 2 * connections))  # warm
    spent = cpu([side.api])
    found = load(side.port, request, connections, seconds=seconds)
    spent = cpu([side.api]) - spent
    name = f"enqueue, {connections} connection{'s' * (connections > 1)}"
    figures = {
        f"{name} (1/s)": found.rate,
        f"{name}, p99 (ms)": _at(found.waits, 0.99) * 1000,
        f"{name}, API's CPU (us a job)": spent / found.accepted * 1e6,
    }
    refused = len(found.waits) - found.accepted
    return figures | ({f"{name}, refused (%)": refused / len(found.waits) * 100} if refused else {})


def drain(side: Side, kind: Kind, jobs: int, at_once: int) -> Figures:
    """Send, then work off.

    Jobs a second into the queue by the fastest call of each; then through two worker processes, from 10% to 95% of a full
    queue; then each outcome must be stored.
    """
    jobs //= side.slow
    took = side.send(kind, jobs)
    found = {"bulk enqueue (1/s)": jobs / took} if "bulk" in side.does and kind == "noop" else {}
    if kind not in side.does:
        return found
    side.start_working(kind, at_once // PROCESSES)
    low, high = jobs // 10, jobs * 95 // 100
    wait_until(lambda: marks.count(side.marks) >= low, 60, f"{side.name} to begin")
    first, began, spent = marks.count(side.marks), time.monotonic(), cpu(side.running)
    wait_until(lambda: marks.count(side.marks) >= high, 90, f"{side.name} to drain")
    done, took = marks.count(side.marks) - first, time.monotonic() - began
    spent = cpu(side.running) - spent
    wait_until(lambda: marks.count(side.marks) >= jobs, 30, f"{side.name} to end")
    side.check(jobs)
    name = "drain, no-op" if kind == "noop" else f"drain, {CALL * 1000:g} ms of waiting, {at_once:,} at once"
    return found | {f"{name} (1/s)": done / took, f"{name}, workers' and scheduler's CPU (us a job)": spent / done * 1e6}


def mixed(side: Side, seconds: float) -> Figures:
    """32 connections enqueue while two workers drain: what is accepted, and from the first request to the last job, done."""
    _work(side)
    began = time.monotonic()
    sent = load(side.port, side.request(), 32, seconds=seconds)
    count = sent.accepted
    wait_until(lambda: marks.count(side.marks) >= count, 60, f"{side.name} to drain")
    last = max(moment for _, moment in marks.moments(side.marks))
    return {"enqueue while draining (1/s)": sent.rate, "drain while enqueueing (1/s)": count / (last - began)}


def latency(side: Side, rate: float, seconds: float) -> Figures:
    """From the moment at which a request is due to the job's first line, at a rate that leaves workers idle in between."""
    _work(side)
    count = int(rate * seconds)
    pace(side.port, side.request, rate, count)
    wait_until(lambda: marks.count(side.marks) >= count, 30, "all jobs to begin")
    waits, name = marks.waits(side.marks), f"enqueue to start at {rate:g}/s"
    return {f"{name}, median (ms)": _at(waits, 0.5) * 1000, f"{name}, p99 (ms)": _at(waits, 0.99) * 1000}


def _work(side: Side) -> None:
    """Start workers, and have them work."""
    side.start_working("noop", SLOTS)
    load(side.port, side.request(), 1, count=20)
    wait_until(lambda: marks.count(side.marks) >= 20, 60, f"{side.name} to work")
    side.marks.write_bytes(b"")


def due(side: Treadle, jobs: int) -> Figures:
    """Jobs that are all due in the same second: how long until the last has begun. Ours alone: no peer was asked for it."""
    _work(side)
    moment = time.monotonic() + 3 + jobs / 2000
    side.post_lines([side.line("noop", moment, run_at=_on_wall(moment))] * jobs)
    wait_until(lambda: marks.count(side.marks) >= jobs, 120, "all jobs to begin")
    return {f"{jobs:,} due at once, the last begins after (s)": max(marks.waits(side.marks))}


def lateness(side: Treadle, jobs: int = 200, seconds: float = 5) -> Figures:
    """Jobs due at any time of some seconds, 40 a second: how late each begins. Ours alone."""
    _work(side)
    start, random = time.monotonic() + 2, Random(7)
    moments = [start + random.random() * seconds for _ in range(jobs)]
    side.post_lines([side.line("noop", moment, run_at=_on_wall(moment)) for moment in moments])
    wait_until(lambda: marks.count(side.marks) >= jobs, 60, "all jobs to begin")
    waits = marks.waits(side.marks)
    name = "delayed, begins late by"
    return {f"{name}, median (ms)": _at(waits, 0.5) * 1000, f"{name}, p99 (ms)": _at(waits, 0.99) * 1000}


def _on_wall(moment: float) -> str:
    """A moment of the monotonic clock, as the door takes times."""
    return (datetime.now(UTC) + timedelta(seconds=moment - time.monotonic())).isoformat()


def _at(figures: list[float], share: float) -> float:
    return sorted(figures)[int(len(figures) * share)]


def idle(side: Side, seconds: float) -> Figures:
    """CPU and memory of door, one worker and scheduler, as they are started by default, while nothing is to be done.

    Then, of ours, of door and a worker that is the scheduler as well.
    """
    side.start_working("noop", 16)
    for worker in side.running[1:-1]:
        worker.stop()
        worker.remove()
    side.running = [side.running[0], side.running[-1]]
    figures = _resting(side, seconds, "idle", "API", "worker", "scheduler")
    if isinstance(side, Treadle):
        side.stop_working()
        side.start_small(16)
        figures |= _resting(side, seconds, "idle, scheduler inside the worker", "API beside it", "worker with it inside")
    return figures


def _resting(side: Side, seconds: float, name: str, *names: str) -> Figures:
    """Work a little, then rest: the sum over door and whatever runs, and what is in it."""
    side.marks.write_bytes(b"")
    load(side.port, side.request(), 1, count=20)
    wait_until(lambda: marks.count(side.marks) >= 20, 60, f"{side.name} to work")
    time.sleep(1)
    parts = [side.api, *side.running]
    before = [cpu([part]) for part in parts]
    time.sleep(seconds)
    spent = [(cpu([part]) - start) / seconds * 100 for part, start in zip(parts, before, strict=True)]
    held = [sum(process.memory_full_info().pss for process in processes([part])) / 1e6 for part in parts]
    figures = {}
    for what, found in (("CPU (% of a core)", spent), ("memory as PSS (MB)", held)):
        figures[f"{name}, {what}"] = sum(found)
        figures |= {f"… of the {part}, {what}": figure for part, figure in zip(names, found, strict=True)}
    return figures


def cpu(parts: list[Part]) -> float:
    """Seconds of CPU that the processes have used so far."""
    return sum(sum(process.cpu_times()[:2]) for process in processes(parts))
