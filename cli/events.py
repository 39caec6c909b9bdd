"""`treadle events`: send one, see what it set off, set it off again."""

from typing import Annotated, Any

import typer

from cli import given, show
from cli.complaint import Complaint
from cli.remote import Door, remote

app = typer.Typer(help="Send events and see what they set off.", no_args_is_help=True)

EventId = Annotated[str, typer.Argument(metavar="ID", help="The event's id in the ledger.", show_default=False)]
Text = str | None
Rules = Annotated[
    list[str] | None, typer.Option("--to", help="A subscription's name or an endpoint's id. Else all that match.")
]


@app.command()
@remote
def send(
    door: Door,
    type_: Annotated[str, typer.Argument(metavar="TYPE", help="What happened: order.paid.")],
    data: Annotated[str, typer.Argument(help="JSON, @FILE, or - for standard input.")] = "null",
    source: Annotated[Text, typer.Option(help="Who says so.")] = None,
    id_: Annotated[Text, typer.Option("--id", help="Sent again with the same id and source it is one event.")] = None,
    subject: Annotated[Text, typer.Option(help="What it is about.")] = None,
    dry: Annotated[bool, typer.Option("--dry", help="Only say what it would set off.")] = False,
) -> None:
    """Send an event."""
    body = given.without_empty(source=source, id=id_, subject=subject)
    body |= {"type": type_, "data": given.json_value(data, "data")}
    if dry:
        door.show(door.ask("POST", "/v1/events/test", body=body), _show_trial)
    else:
        door.show(door.ask("POST", "/v1/events", body=body), _say_accepted)


@app.command("list")
@remote
def list_(
    door: Door,
    type_: Annotated[Text, typer.Option("--type", help="Only this type.")] = None,
    dead: Annotated[bool, typer.Option("--dead", help="Only those that nobody listened to.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many.")] = 20,
) -> None:
    """List events, newest first."""
    params = given.without_empty(type=type_, limit=limit) | ({"dead": "true"} if dead else {})
    door.show(door.ask("GET", "/v1/events", params=params), _show_all)


@app.command("show")
@remote
def show_(door: Door, event_id: EventId) -> None:
    """Show an event, the jobs that it made, and where it was delivered."""
    door.show(door.ask("GET", "/v1/events/{}", event_id), _show_one)


@app.command()
@remote
def replay(
    door: Door,
    event_id: Annotated[Text, typer.Argument(metavar="[ID]", help="One event; or give --since and --until.")] = None,
    since: Annotated[Text, typer.Option(help="Events received from this time on (RFC 3339) …")] = None,
    until: Annotated[Text, typer.Option(help="… and before this one.")] = None,
    type_: Annotated[Text, typer.Option("--type", help="Only this type.")] = None,
    dead: Annotated[bool, typer.Option("--dead", help="Only those that nobody listened to.")] = False,
    to: Rules = None,
) -> None:
    """Set an event's rules off again, or those of a time range."""
    body: dict[str, Any] = {"rules": to} if to else {}
    if event_id is not None:
        answer = door.ask("POST", "/v1/events/{}/replay", event_id, body=body)
    elif since is not None and until is not None:
        body |= {"since": since, "until": until, "dead": dead} | given.without_empty(type=type_)
        answer = _replay_range(door, body)
    else:
        raise Complaint("Which events? Give an ID, or --since and --until.")
    door.show(answer, lambda found: show.line(f"{found['events']} events, {len(found['jobs'])} jobs"))


def _replay_range(door: Door, body: dict[str, Any]) -> dict[str, Any]:
    """Ask page by page: a page is one transaction."""
    whole: dict[str, Any] = {"events": 0, "jobs": [], "next_cursor": None}
    while True:
        page = door.ask("POST", "/v1/events/replay", body=body)
        whole["events"] += page["events"]
        whole["jobs"] += page["jobs"]
        if page["next_cursor"] is None:
            return whole
        body["cursor"] = page["next_cursor"]


def _say_accepted(answer: dict[str, Any]) -> None:
    known = "known already, " if answer["duplicate"] else ""
    show.line(f"{answer['id']} ({known}{answer['matched']} rules, {len(answer['jobs'])} jobs)")


def _show_trial(answer: dict[str, Any]) -> None:
    rows = [
        (would["rule"], would["task"], would["payload"], "; ".join(error["detail"] for error in would["errors"]) or "–")
        for would in answer["would"]
    ]
    show.table(("RULE", "TASK", "PAYLOAD", "WRONG"), rows, empty="Nobody listens.")


def _show_all(answer: dict[str, Any]) -> None:
    rows = [
        (each["id"], each["event"]["type"], each["event"]["source"], each["matched"], show.when(each["received_at"]))
        for each in answer["events"]
    ]
    show.table(("EVENT", "TYPE", "SOURCE", "RULES", "RECEIVED"), rows, empty="No events.")


def _show_one(answer: dict[str, Any]) -> None:
    event = answer["event"]
    show.fields(
        [
            ("type", event["type"]),
            ("source", event["source"]),
            ("id", event["id"]),
            ("subject", event.get("subject")),
            ("received", show.when(answer["received_at"])),
            ("about job", answer["about"]),
            ("data", event.get("data")),
        ]
    )
    rows = [
        (job["id"], job["task"], show.state(job["state"]), job["attempt"], job["subscription"] or job["endpoint_id"])
        for job in answer["jobs"]
    ]
    show.table(("JOB", "TASK", "STATE", "ATTEMPTS", "BY"), rows, empty="It set nothing off.")
