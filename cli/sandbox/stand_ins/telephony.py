"""Providers of text messages and calls."""

from collections.abc import Mapping
from email.utils import format_datetime
from typing import Any

from cli.sandbox.keys import private_key
from cli.sandbox.stand_in import Call, Earlier, Said, StandIn

SID = "AC" + "0" * 32


def _made(call: Call) -> dict[str, Any]:
    form = call.form
    kind = "SM" if call.path.endswith("/Messages.json") else "CA"
    ends = {"to": form["To"], "from": form["From"], "body": form.get("Body", "")}
    return {"sid": call.id(kind, 32), "status": "queued", "date_created": format_datetime(call.at), **ends}


def _listed(kind: str) -> Any:
    def answer(call: Call, earlier: Earlier) -> Said:
        posted = [each for each in earlier if each.method == "POST" and each.path == call.path]
        return Said(json={kind: [_made(each) for each in reversed(posted)]})

    return answer


def _texted(call: Call, _: Earlier) -> Said:
    sent = {"to": call.form["to"], "message-id": call.id(size=17), "status": "0", "remaining-balance": "3.14"}
    return Said(json={"message-count": "1", "messages": [sent]})


def _called(call: Call) -> dict[str, Any]:
    body = call.json()
    return {"uuid": call.id("sandbox-"), "status": "started", "to": body["to"][0], "from": body["from"]}


def _calls(_: Call, earlier: Earlier) -> Said:
    made = [_called(call) for call in reversed(earlier) if call.method == "POST" and call.path == "/v1/calls"]
    return Said(json={"count": len(made), "_embedded": {"calls": made}})


def _vonage() -> Mapping[str, Any]:
    return {
        "api_key": "sandbox1",
        "api_secret": "sandboxSecret",
        "application_id": "aaaaaaaa-bbbb-cccc-dddd-0123456789ab",
        "private_key": private_key(),
    }


STAND_INS = {
    "twilio": StandIn(
        {"account_sid": SID, "auth_token": "sandbox"},
        {
            "POST /2010-04-01/Accounts/*.json": lambda call, _: Said(201, _made(call)),
            "GET /2010-04-01/Accounts/*/Messages.json": _listed("messages"),
            "GET /2010-04-01/Accounts/*/Calls.json": _listed("calls"),
            "GET /2010-04-01/Accounts/*.json": Said(json={"sid": SID, "status": "active"}),
        },
    ),
    "vonage": StandIn(
        _vonage,
        {
            "POST /sms/json": _texted,
            "POST /v1/calls": lambda call, _: Said(201, _called(call)),
            "GET /v1/calls": _calls,
            "GET /account/get-balance": Said(json={"value": 3.14, "autoReload": False}),
        },
        address=lambda url: {"base_url": url, "voice_url": url},
    ),
}
