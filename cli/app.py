"""The command `treadle`: what it can do, and how it says that something went wrong."""

import sys

import typer

from cli import (
    actions,
    audit,
    backup,
    change,
    dead,
    endpoints,
    events,
    hooks,
    jobs,
    keys,
    look,
    migrate,
    providers,
    queues,
    schedules,
    serve,
    stream,
    subscriptions,
    tasks,
    watch,
)
from cli.complaint import Complaint
from cli.up.command import up

app = typer.Typer(
    name="treadle",
    help="Durable background jobs over HTTP, on Celery.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # its frames would show local variables: keys and payloads
)
app.command("up")(up)
app.command("api")(serve.api)
app.command("worker")(serve.worker)
app.command("beat")(serve.beat)
app.command("migrate")(migrate.migrate)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.add_typer(keys.app, name="keys")
app.add_typer(jobs.app, name="jobs")
for name, command in (
    ("watch", watch.watch), ("tail", look.tail), ("why", look.why), ("timeline", look.timeline),
    ("change", change.change), ("replay", change.replay), ("send-many", change.send_many),
):  # fmt: skip
    jobs.app.command(name)(command)
app.add_typer(dead.app, name="dead")
app.add_typer(actions.app, name="actions")
app.command("tasks")(tasks.tasks)
app.add_typer(providers.app, name="providers")
app.add_typer(queues.app, name="queues")
app.add_typer(schedules.app, name="schedules")
app.add_typer(events.app, name="events")
app.add_typer(subscriptions.app, name="subscriptions")
app.add_typer(endpoints.app, name="endpoints")
app.add_typer(hooks.app, name="hooks")
app.command("audit")(audit.audit)
app.command("stream")(stream.stream)


def main() -> None:
    """Run the command; a complaint goes to stderr in plain words, with exit code 1."""
    try:
        app()
    except Complaint as complaint:
        print(f"treadle: {complaint.sentence}", file=sys.stderr)
        for detail in complaint.details:
            print(f"  {detail}", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:  # `treadle jobs list | head` has read enough
        sys.stderr.close()
        sys.exit(1)
