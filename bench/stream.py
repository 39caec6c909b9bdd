"""What clients of the stream cost the way in: POST /v1/jobs with and without them, two APIs in turns.

python -m bench.stream                     # 500 clients that are told everything
python -m bench.stream --want own          # … of which each wants a tag of its own, that no job has
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.client import load, post
from bench.measures import cpu
from tests.laboratory import Lab
from tests.servers import Valkey

WANTS = {"all": "", "own": "tag=nobody-{}"}
CONNECTIONS = 8  # of those who post


@contextmanager
def listeners(lab: Lab, query: str, count: int, coding: str) -> Iterator[None]:
    """So many clients of its stream. They must have been told of something if they want everything."""
    command = [sys.executable, "-m", "bench.listeners", str(lab.port), query, str(count)]
    environment = {**os.environ, "BENCH_KEY": lab.key, "BENCH_CODING": coding}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "ready\n"
        yield
        process.stdin.close()
        told = int(process.stdout.read())
        assert told or query, "the clients heard nothing"
        print(f"The clients were sent {told / 1e6:.1f} MB.")


def measure(lab: Lab, seconds: float) -> tuple[float, float]:
    """Jobs accepted a second, and the API's CPU for each in microseconds."""
    request = post("/v1/jobs", {"task": "probe.run", "payload": {"text": "x" * 160}, "delay": "1h"}, lab.key)
    before = cpu([lab.api])
    found = load(lab.port, request, CONNECTIONS, seconds=seconds)
    time.sleep(1)  # the last are told
    return found.rate, (cpu([lab.api]) - before) / found.accepted * 1e6


def main() -> None:
    """Measure, and say it."""
    parser = argparse.ArgumentParser(prog="bench.stream", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--clients", type=int, default=500)
    parser.add_argument("--want", choices=WANTS, default="all")
    parser.add_argument(
        "--coding", default="deflate", help="that they take: browsers and our client do, curl by itself takes identity"
    )
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=2, help="of each measurement")
    given = parser.parse_args()
    with ExitStack() as stack:
        broker = Valkey()
        stack.callback(broker.remove)
        labs = []
        for name in ("without", "with"):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=f"treadle-stream-{name}-")))
            labs.append(Lab(f"sqlite:///{folder / 'ledger.db'}", broker, folder, door_patience="20s"))
            stack.callback(labs[-1].close)
            labs[-1].api.start()
            measure(labs[-1], 1)  # warm
        with listeners(labs[1], WANTS[given.want], given.clients, given.coding):
            rounds = []
            for number in range(given.rounds):
                turn = [1, 0] if number % 2 else [0, 1]
                found = dict(zip(turn, [measure(labs[side], given.seconds) for side in turn], strict=True))
                rounds.append((found[0], found[1]))
    print(f"| POST /v1/jobs, medians of {given.rounds} | 0 clients | {given.clients} clients | ratio, range |")
    print("|---|---|---|---|")
    for place, name in enumerate(("jobs a second", "API's CPU a job (us)")):
        alone, beside = ([each[side][place] for each in rounds] for side in (0, 1))
        ratios = sorted(b / a for a, b in zip(alone, beside, strict=True))
        middle = f"{statistics.median(alone):.0f} | {statistics.median(beside):.0f}"
        print(f"| {name} | {middle} | {statistics.median(ratios):.2f}, {ratios[0]:.2f}-{ratios[-1]:.2f} |")
    print(f"\nLoad average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores.")


if __name__ == "__main__":
    main()
