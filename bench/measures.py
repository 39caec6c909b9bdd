"""What is measured, each on one side at a time. All return {name of the work: figure}."""

import socket
import time
from datetime import UTC, datetime, timedelta

import psutil  # type: ignore[import-untyped,unused-ignore]

from bench import marks
from bench.client import load
from bench.sides import IN_FLIGHT, Kind, Side
from bench.treadle import Treadle
from tests.laboratory import Part
from tests.servers import wait_until


def enqueue(side: Side, connections: int, seconds: float) -> dict[str, float]:
    """Jobs a second through HTTP, each answered 202. No worker runs."""
    assert side.door is not None
    request = side.request()
    load(side.door, request, connections, count=10 * connections)  # warm
    spent = cpu([side.api])
    found = load(side.door, request, connections, seconds=seconds)
    spent = cpu([side.api]) - spent
    waits = sorted(found.waits)
    name = f"enqueue, {connections} connection{'s' * (connections > 1)}"
    return {
        f"{name} (1/s)": found.rate,
        f"{name}, p99 (ms)": waits[int(len(waits) * 0.99)] * 1000,
        f"{name}, API's CPU (us a job)": spent / len(waits) * 1e6,
    }


def send(side: Side, kind: Kind, jobs: int) -> dict[str, float]:
    """Jobs a second by the fastest call of each; a process's start is in it, and small beside so many."""
    began = time.monotonic()
    side.send(kind, jobs)
    return {"bulk enqueue (1/s)": jobs / (time.monotonic() - began)}


def drain(side: Side, kind: Kind, jobs: int) -> dict[str, float]:
    """Jobs a second through two worker processes, from 10% to 95% of a full queue; then each outcome must be stored."""
    side.start_working(kind)
    low, high = jobs // 10, jobs * 95 // 100
    wait_until(lambda: marks.count(side.marks) >= low, 60, f"{side.name} to begin")
    first, began, spent = marks.count(side.marks), time.monotonic(), cpu(side.running)
    wait_until(lambda: marks.count(side.marks) >= high, 120, f"{side.name} to drain")
    done, took = marks.count(side.marks) - first, time.monotonic() - began
    spent = cpu(side.running) - spent
    wait_until(lambda: marks.count(side.marks) >= jobs, 60, f"{side.name} to end")
    side.check(jobs)
    side.stop_working()
    name = "drain, no-op" if kind == "noop" else f"drain, 50 ms of waiting, {IN_FLIGHT} at once"
    return {f"{name} (1/s)": done / took, f"{name}, workers' and scheduler's CPU (us a job)": spent / done * 1e6}


def latency(side: Side, rate: float, seconds: float) -> dict[str, float]:
    """From sending a request to the job's first line, at a rate that leaves everything idle in between."""
    assert side.door is not None
    load(side.door, side.request(), 1, count=20)
    wait_until(lambda: marks.count(side.marks) >= 20, 60, f"{side.name} to work")
    side.marks.write_bytes(b"")
    count, began = int(rate * seconds), time.monotonic()
    with socket.create_connection(("127.0.0.1", side.door)) as connection:
        for number in range(count):
            time.sleep(max(0.0, began + number / rate - time.monotonic()))
            connection.sendall(side.request(time.monotonic()))
            answer = connection.recv(65536)
            while not answer.endswith(b"}"):  # head and body may come apart
                answer += connection.recv(65536) or b"}"
            assert answer.startswith(b"HTTP/1.1 202"), answer
    wait_until(lambda: marks.count(side.marks) >= count, 30, "all jobs to begin")
    waits = sorted(marks.waits(side.marks))
    name = f"enqueue to start at {rate:g}/s"
    return {f"{name}, median (ms)": waits[count // 2] * 1000, f"{name}, p99 (ms)": waits[int(count * 0.99)] * 1000}


def due(side: Treadle, jobs: int) -> dict[str, float]:
    """Jobs that are all due in the same second: how long until the last has begun. Ours alone: no peer was asked for it."""
    side.marks.write_bytes(b"")
    moment = datetime.now(UTC) + timedelta(seconds=3 + jobs / 2000)
    side.send("noop", jobs, run_at=moment.isoformat())
    wait_until(lambda: marks.count(side.marks) >= jobs, 120, "all jobs to begin")
    late = max(began for _, began in marks.moments(side.marks)) - time.monotonic() + time.time() - moment.timestamp()
    return {f"{jobs:,} due at once, the last begins after (s)": late}


def idle(sides: list[Side], seconds: float) -> list[dict[str, float]]:
    """CPU and memory of door, workers and scheduler while nothing is to be done: all sides in the same seconds."""
    time.sleep(1)
    parts = [[side.api, *side.running] for side in sides]
    before = [[cpu([part]) for part in those] for those in parts]
    time.sleep(seconds)
    spent = [
        [(cpu([part]) - start) / seconds * 100 for part, start in zip(those, starts, strict=True)]
        for those, starts in zip(parts, before, strict=True)
    ]
    held = [[_memory(part) / 1e6 for part in those] for those in parts]
    return [
        _listed("CPU (% of a core)", used) | _listed("memory as PSS (MB)", kept)
        for used, kept in zip(spent, held, strict=True)
    ]


def _listed(what: str, figures: list[float]) -> dict[str, float]:
    """The sum, and what is in it: door, workers, scheduler, in this order."""
    door, *workers, scheduler = figures
    return {
        f"idle, {what}": sum(figures),
        f"… of the API, {what}": door,
        f"… of the workers, {what}": sum(workers),
        f"… of the scheduler, {what}": scheduler,
    }


def _memory(part: Part) -> int:
    """Bytes, of which those that processes share are counted in part."""
    return sum(process.memory_full_info().pss for process in _processes([part]))


def _processes(parts: list[Part]) -> list[psutil.Process]:
    parents = [psutil.Process(part.pid) for part in parts]
    return [process for parent in parents for process in (parent, *parent.children(recursive=True))]


def cpu(parts: list[Part]) -> float:
    """Seconds of CPU that the processes have used so far."""
    return sum(sum(process.cpu_times()[:2]) for process in _processes(parts))
