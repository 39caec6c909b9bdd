"""`python -m bench.peers NAME`: asks a queue, in its own environment.

Each line of its input is a question, each of its output the answer, both JSON. Each question is answered in a fork, where no
event loop and no connection is left of the one before.
"""

import asyncio
import inspect
import json
import os
import sys
import time
import traceback
from importlib import import_module
from importlib.metadata import version
from typing import Any

peer: Any = import_module(f"bench.peers.{sys.argv[1]}")


def facts(port: int) -> dict[str, Any]:
    """What it is and does; its door would be on this port."""
    return {
        "does": sorted(peer.DOES),
        "slow": getattr(peer, "SLOW", 1),
        "version": version(sys.argv[1]),
        "door": peer.door(port) if hasattr(peer, "door") else None,
        "listed": getattr(peer, "LISTED", False),
        "scheduler": getattr(peer, "SCHEDULER", None),
    }


def workers(kind: str, slots: int) -> list[list[str]]:
    """The commands of its workers."""
    commands: list[list[str]] = peer.workers(kind, slots)
    return commands


def send(kind: str, marks: str, count: int) -> float:
    """Send jobs. Returns the seconds that it took."""
    began = time.perf_counter()
    sent = peer.send(kind, marks, count)
    if inspect.iscoroutine(sent):
        asyncio.run(sent)
    return time.perf_counter() - began


def stored(count: int) -> int:
    """Wait, 30 seconds at most, until so many outcomes are stored. Returns how many are."""
    until = time.monotonic() + 30
    while (found := int(peer.stored())) < count and time.monotonic() < until:
        time.sleep(0.1)
    return found


def wipe() -> None:
    """Forget all jobs, where they lie elsewhere than in Redis."""
    if hasattr(peer, "wipe"):
        peer.wipe()


ASKED: dict[str, Any] = {each.__name__: each for each in (facts, workers, send, stored, wipe)}


def answer(question: list[Any]) -> dict[str, Any]:
    """The answer, or what went wrong."""
    what, *given = question
    try:
        return {"answer": ASKED[what](*given)}
    except Exception:  # noqa: BLE001 - whatever it is, who asked is told
        return {"error": traceback.format_exc()[-1000:]}


def main() -> None:
    """Answer until the input ends."""
    answers, sys.stdout = sys.stdout, sys.stderr  # what a library prints is no answer
    for line in sys.stdin:
        if child := os.fork():
            _, status = os.waitpid(child, 0)
            if status:
                print(json.dumps({"error": f"died: {status}"}), file=answers, flush=True)
        else:
            print(json.dumps(answer(json.loads(line))), file=answers, flush=True)
            os._exit(0)


main()
