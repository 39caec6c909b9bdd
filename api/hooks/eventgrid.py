"""Azure Event Grid: a secret in the URL, or an Entra token; and its two handshakes.

https://learn.microsoft.com/en-us/azure/event-grid/end-point-validation-event-grid-events-schema
https://learn.microsoft.com/en-us/azure/event-grid/end-point-validation-cloud-events-schema
"""

from datetime import datetime
from typing import Any

from api.hooks.post import Greeting, Post, Setup, Told, dig, kind, text, word
from api.hooks.proof import same
from api.hooks.tokens import bearer
from jobs.errors import Invalid

_LOGIN = "https://login.microsoftonline.com"


def greet(post: Post, setup: Setup) -> Greeting:
    """The handshake of CloudEvents: who knows the secret may send."""
    _prove(post, setup)
    origin = post.header("webhook-request-origin")[:200]
    return Greeting(headers={"WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": "*"})


@kind("eventgrid", "the secret behind the path, or in ?code=", greet=greet, takes=("tenant", "audience"), instead="audience")
def eventgrid(post: Post, setup: Setup) -> list[Told] | Greeting:
    """Events in Azure's own schema or as CloudEvents, or the wish to be validated."""
    _prove(post, setup)
    given = post.json()
    events = given if isinstance(given, list) else [given]
    if not events or not all(isinstance(event, dict) and event.get("id") for event in events):
        raise Invalid.at("", "Events, each with an id, are wanted.")
    code = dig(events[0], "data", "validationCode")
    if post.headers.get("aeg-event-type") == "SubscriptionValidation" and isinstance(code, str):
        return Greeting({"validationResponse": code[:200]})
    return [_told(event) for event in events]


def _prove(post: Post, setup: Setup) -> None:
    if "audience" in setup.options:
        tenant = setup.options.get("tenant", "")
        issuers = (f"https://sts.windows.net/{tenant}/", f"{_LOGIN}/{tenant}/v2.0")
        bearer(post, f"{_LOGIN}/{tenant}/discovery/v2.0/keys", setup.options["audience"], issuers)
    else:
        same(setup.secrets, [given for given in (post.token, post.query.get("code", "")) if given])


def _told(event: dict[str, Any]) -> Told:
    time = event.get("eventTime") or event.get("time")
    try:
        at = datetime.fromisoformat(text(time))
    except ValueError:
        at = None
    name = word(event.get("eventType") or event.get("type"))
    subject = text(event.get("subject")) or None
    return Told(name, text(event["id"]), event, subject, at if at is not None and at.tzinfo else None)
