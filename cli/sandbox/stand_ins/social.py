"""Social networks."""

from cli.sandbox.stand_in import Call, Earlier, Said, StandIn


def _feed(call: Call, earlier: Earlier) -> Said:
    posts = [each for each in reversed(earlier) if each.method == "POST" and each.path == call.path]
    return Said(json={"data": [{"id": each.id("1815_"), "message": each.form.get("message")} for each in posts]})


def _tweet(call: Call) -> dict[str, str]:
    return {"id": call.id("1346889", 12), "text": call.json().get("text", "")}


def _tweets(_: Call, earlier: Earlier) -> Said:
    made = [_tweet(each) for each in reversed(earlier) if each.method == "POST"]
    return Said(json={"data": made, "meta": {"result_count": len(made)}})


STAND_INS = {
    "facebook": StandIn(
        {"page": "1815", "access_token": "sandbox"},
        {
            "POST /*/feed": lambda call, _: Said(json={"id": call.id("1815_")}),
            "POST /*/photos": lambda call, _: Said(json={"id": call.id(), "post_id": call.id("1815_")}),
            "GET /*/feed": _feed,
            "GET /*/me": Said(json={"id": "1815"}),
        },
    ),
    "x": StandIn(
        {"api_key": "sandbox", "api_secret": "sandbox", "access_token": "1815-sandbox", "access_secret": "sandbox"},
        {
            "POST /2/tweets": lambda call, _: Said(201, {"data": _tweet(call)}),
            "GET /2/users/*/tweets": _tweets,
            "DELETE /2/tweets/*": Said(json={"data": {"deleted": True}}),
            "GET /2/users/me": Said(json={"data": {"id": "1815"}}),
        },
    ),
    "linkedin": StandIn(
        {"access_token": "sandbox", "author": "urn:li:organization:1815"},
        {
            "POST /rest/posts": lambda call, _: Said(201, headers={"x-restli-id": call.id("urn:li:share:")}),
            "GET /v2/userinfo": Said(json={"sub": "sandbox"}),
        },
    ),
}
