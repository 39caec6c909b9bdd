"""The door: jobs and schedules over HTTP."""
