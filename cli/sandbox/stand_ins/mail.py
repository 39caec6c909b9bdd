"""Providers of mail."""

from cli.sandbox.stand_in import Call, Earlier, Said, StandIn


def _queued(call: Call, _: Earlier) -> Said:
    return Said(json={"id": call.form.get("h:Message-Id", call.id()), "message": "Queued. Thank you."})


def _events(_: Call, earlier: Earlier) -> Said:
    sent = [call.form for call in earlier if call.path.endswith("/messages")]
    items = [
        {
            "event": "accepted",
            "message": {"headers": {"message-id": form["h:Message-Id"].strip("<>")}},
            "user-variables": {"job_id": form["v:job_id"]},
        }
        for form in sent
    ]
    return Said(json={"items": items})


STAND_INS = {
    "sendgrid": StandIn(
        {"api_key": "SG.sandbox"},
        {
            "POST /v3/mail/send": lambda call, _: Said(202, headers={"x-message-id": call.id("sandbox-")}),
            "GET /v3/scopes": Said(json={"scopes": ["mail.send"]}),
        },
    ),
    "mailgun": StandIn(
        {"api_key": "key-sandbox", "domain": "mg.example.com"},
        {"POST /v3/*/messages": _queued, "GET /v3/*/events": _events, "GET /v4/domains": Said(json={"items": []})},
    ),
    "ses": StandIn(
        {"region": "eu-central-1", "access_key_id": "AKIASANDBOX", "secret_access_key": "sandbox/secret"},
        {
            "POST /v2/email/outbound-emails": lambda call, _: Said(json={"MessageId": call.id("0107-")}),
            "GET /v2/email/account": Said(json={"SendingEnabled": True}),
        },
    ),
}
