"""`python -m tests.hung_worker`: a worker that is the scheduler as well, whose first round never ends."""

import runpy
import sys
import threading

from scheduler import embedded
from scheduler.rounds import Chore

embedded.HANG = 2.0
embedded.CHORES = (Chore("feed", 0.25, threading.Event().wait),)
sys.argv.append("--beat")
runpy.run_module("workers", run_name="__main__")
