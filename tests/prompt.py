"""What providers list, the sandbox lists at once, so nobody waits to ask it. TREADLE_TASK_MODULES=tests.prompt."""

from dataclasses import replace
from datetime import timedelta

from tasks.capability import Capability
from tasks.registry import catalogue

for task in catalogue.all():
    if isinstance(task, Capability):
        for name, way in task.ways.items():
            task.ways[name] = replace(way, task=replace(way.task, settled=timedelta(0)))
