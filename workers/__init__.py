"""How it is done: a worker claims a job, runs it, judges it and settles it."""
