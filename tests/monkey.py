"""The one who kills: parts of the product at random, again and again, each started anew."""

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

import psutil

Answer = TypeVar("Answer")


class Victim(Protocol):
    """What can be killed, and started again."""

    name: str

    def kill(self) -> None: ...

    def start(self) -> None: ...


class Parent(Protocol):
    """A process with children."""

    @property
    def runs(self) -> bool: ...

    @property
    def pid(self) -> int: ...


class ChildOf:
    """A random child of a prefork pool; the pool itself starts another."""

    name = "child"

    def __init__(self, parent: Parent) -> None:
        self._parent = parent

    def kill(self) -> None:
        """kill -9."""
        children = psutil.Process(self._parent.pid).children() if self._parent.runs else []
        if children:
            random.choice(children).send_signal(signal.SIGKILL)

    def start(self) -> None:
        """Nothing to do."""


class Monkey:
    """Kills a part every so often, and starts it again: all in random order, then all in another."""

    def __init__(self, parts: Sequence[Victim], every: float) -> None:
        self._random, self._parts, self._every = random.Random(random.random()), parts, every
        self._next: list[Victim] = []
        self.kills: Counter[str] = Counter()
        self.last = time.monotonic()  # when it last killed

    def torment(self, work: Callable[[], Answer], kills: int = 0) -> Answer:
        """Kill while `work` is done; if `kills` are given, exactly so often, however long it takes.

        The work is done in a thread: the parts die with the thread that started them, so that is this one.
        """
        with ThreadPoolExecutor(1) as pool:
            doing = pool.submit(work)
            while True:
                try:
                    answer = doing.result(self._every)
                    break
                except TimeoutError:
                    if doing.done():
                        raise
                if not kills or self.kills.total() < kills:
                    self.kill_one()
        while self.kills.total() < kills:
            threading.Event().wait(self._every)
            self.kill_one()
        return answer

    def kill_one(self) -> None:
        """Kill a random part, and start it again."""
        self._next = self._next or self._random.sample(self._parts, len(self._parts))
        part = self._next.pop()
        part.kill()
        self.kills[part.name] += 1
        self.last = time.monotonic()
        part.start()
