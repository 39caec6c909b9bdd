"""`python -m tests.hung_scheduler`: a scheduler whose first round never ends, and which is given up after two seconds."""

import threading

from scheduler import beat
from scheduler.app import app
from scheduler.rounds import Chore

beat.HANG = 2.0
beat.CHORES = (Chore("feed", 0.25, threading.Event().wait),)
app.Beat(quiet=True).run()
