"""What the operating system can do for a family of processes."""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int, signum: signal.Signals = signal.SIGTERM) -> None:
    """Have the kernel send this process `signum` when its parent dies, so that no orphan goes on (Linux; elsewhere nothing).

    Args:
        parent: the pid that started us; if it is gone already, we leave at once.
        signum: what to be sent.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signum))
        if os.getppid() != parent:
            os._exit(1)
