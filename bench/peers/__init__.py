"""Other queues, each a module that runs in an environment of its own: their clients of Redis exclude each other.

A module says what is installed there (in a `script` block, as PEP 723 has it; Celery and Flower are in our own), and has:

- `DOES`: which works of the bench it takes part in: bulk, noop, io, enqueue, latency, mixed, idle;
- the jobs `noop` and `io`, of which it stores what they return;
- `send(kind, marks, count)`: send so many by its fastest call; it may be a coroutine;
- `workers(kind, slots)`: the commands, after `python -m`, of two worker processes for so many jobs at once in each;
- `stored()`: how many outcomes it has stored;
- if it needs them: `door(port)`, the command and path of an HTTP server, and `LISTED`, if that takes arguments as a list;
  `SCHEDULER`, a command; `wipe()`; and `SLOW`, by what its share of the jobs is divided, so that none makes a run long.

`python -m bench.peers NAME` asks a module for these. BENCH_BROKER, BENCH_LEDGER and BENCH_SLOTS are set for all that runs.
"""
