"""`python -m scheduler`: beat without the plugins of Celery's command line. `celery -A scheduler.app beat` is the same."""

from scheduler.app import app

app.Beat(quiet=True).run()
