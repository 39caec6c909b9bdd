"""`treadle endpoints`: who is told of events."""

from typing import Annotated, Any

import typer

from cli import given, show, whole
from cli.remote import Door, remote

app = typer.Typer(help="Tell others of events, by signed webhooks.", no_args_is_help=True)
EndpointId = Annotated[str, typer.Argument(metavar="ID", help="The endpoint's id.", show_default=False)]
Text = str | None

whole.can_show(app, "/v1/endpoints/{}")
whole.can_change(app, "/v1/endpoints/{}")


@app.command("list")
@remote
def list_(door: Door) -> None:
    """List the endpoints, and how they fare."""
    door.show(door.ask("GET", "/v1/endpoints"), _show_all)


@app.command()
@remote
def create(
    door: Door,
    target: Annotated[str, typer.Argument(metavar="URL", help="Where it listens.")],
    types: Annotated[list[str], typer.Argument(help='Patterns: order.paid "order.*" job.failed.')],
    filter_: Annotated[Text, typer.Option("--filter", help="What the event must hold, as JSON.")] = None,
    description: Annotated[Text, typer.Option(help="Whose it is.")] = None,
    header: Annotated[list[str] | None, typer.Option(help="name=value, sent along; may be given more than once.")] = None,
) -> None:
    """Make an endpoint. `treadle endpoints secret` shows what signs its webhooks."""
    body = given.without_empty(
        filter=given.json_value(filter_, "filter") if filter_ else None,
        description=description, headers=given.pairs(header or []),
    )  # fmt: skip
    door.show(
        door.ask("POST", "/v1/endpoints", body=body | {"url": target, "types": types}), lambda made: show.line(made["id"])
    )


@app.command()
@remote
def secret(door: Door, endpoint_id: EndpointId) -> None:
    """Show what signs its webhooks now, newest first."""
    door.show(door.ask("GET", "/v1/endpoints/{}/secret", endpoint_id), _show_secrets)


@app.command()
@remote
def rotate(
    door: Door,
    endpoint_id: EndpointId,
    overlap: Annotated[Text, typer.Option(help='How long the old secret signs beside the new: "1d".')] = None,
) -> None:
    """Sign with a new secret."""
    body = given.without_empty(overlap=overlap)
    door.show(door.ask("POST", "/v1/endpoints/{}/rotate", endpoint_id, body=body), _show_secrets)


@app.command()
@remote
def ping(door: Door, endpoint_id: EndpointId) -> None:
    """Deliver a test event to it."""
    door.show(door.ask("POST", "/v1/endpoints/{}/ping", endpoint_id), lambda job: show.line(job["id"]))


@app.command()
@remote
def disable(door: Door, endpoint_id: EndpointId) -> None:
    """Let its deliveries wait until it is enabled."""
    door.show(door.ask("POST", "/v1/endpoints/{}/disable", endpoint_id), lambda _: show.line(f"{endpoint_id} is disabled"))


@app.command()
@remote
def enable(door: Door, endpoint_id: EndpointId) -> None:
    """Deliver what waits, and once more what had been given up since it began to fail."""
    answer = door.ask("POST", "/v1/endpoints/{}/enable", endpoint_id)
    door.show(answer, lambda found: show.line(f"{endpoint_id} is enabled, {found['revived']} deliveries revived"))


@app.command()
@remote
def delete(door: Door, endpoint_id: EndpointId) -> None:
    """Delete an endpoint; what waits for it fails."""
    door.show(door.ask("DELETE", "/v1/endpoints/{}", endpoint_id), lambda _: show.line(f"{endpoint_id} is deleted"))


@app.command()
@remote
def deliveries(
    door: Door, endpoint_id: EndpointId, limit: Annotated[int, typer.Option(min=1, max=100, help="How many.")] = 20
) -> None:
    """Show its deliveries, newest first, with the answers that it gave."""
    door.show(door.ask("GET", "/v1/endpoints/{}/deliveries", endpoint_id, params={"limit": limit}), _show_deliveries)


def _show_all(answer: dict[str, Any]) -> None:
    rows = [(each["id"], each["url"], " ".join(each["types"]), _standing(each)) for each in answer["endpoints"]]
    show.table(("ENDPOINT", "URL", "EVENTS", ""), rows, empty="No endpoints.")


def _standing(endpoint: dict[str, Any]) -> str:
    if endpoint["disabled_at"]:
        return f"disabled {show.when(endpoint['disabled_at'])}: {endpoint['disabled_why']}"
    return f"failing since {show.when(endpoint['failing_since'])}" if endpoint["failing_since"] else "well"


def _show_secrets(answer: dict[str, Any]) -> None:
    for each in answer["secrets"]:
        show.line(each)


def _show_deliveries(answer: dict[str, Any]) -> None:
    rows = [
        (
            each["job"]["id"],
            each["type"],
            show.state(each["job"]["state"]),
            _answers(each),
            show.when(each["job"]["created_at"]),
        )
        for each in answer["deliveries"]
    ]
    show.table(("DELIVERY", "TYPE", "STATE", "ANSWERS", "MADE"), rows, empty="No deliveries.")


def _answers(delivery: dict[str, Any]) -> str:
    """What each attempt was answered, in order."""
    last = (delivery["job"]["result"] or {}).get("status")
    said = [str((attempt["error"] or {}).get("status") or attempt["outcome"] or "…") for attempt in delivery["attempts"]]
    return " ".join([*said[:-1], str(last)] if last and said else said) or "–"
