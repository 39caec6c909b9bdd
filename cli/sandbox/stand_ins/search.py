"""Search engines."""

import json
from collections.abc import Mapping
from typing import Any

from cli.sandbox.stand_in import Call, Earlier, Said, StandIn

ELASTIC = {"x-elastic-product": "Elasticsearch", "content-type": "application/vnd.elasticsearch+json;compatible-with=9"}


def _elastic(status: int, body: Mapping[str, Any]) -> Said:
    return Said(status, dict(body), headers=ELASTIC)


def _indexed(call: Call, _: Earlier) -> Said:
    index, name = call.path.strip("/").split("/", 2)[::2]
    result = "deleted" if call.method == "DELETE" else "created"
    return _elastic(200 if result == "deleted" else 201, {"_index": index, "_id": name, "_version": 1, "result": result})


def _bulk(call: Call, _: Earlier) -> Said:
    lines = [json.loads(line) for line in call.body.splitlines()]
    items = [{"index": {**line["index"], "status": 201}} for line in lines if "index" in line]
    return _elastic(200, {"took": 1, "errors": False, "items": items})


def _batch(call: Call, _: Earlier) -> Said:
    names = [each["body"]["objectID"] for each in call.json()["requests"]]
    return Said(json={"taskID": call.number, "objectIDs": names})


STAND_INS = {
    "elasticsearch": StandIn(
        {"api_key": "sandbox"},
        {
            "POST /_bulk": _bulk,
            "PUT /*/_bulk": _bulk,
            "POST /*/_bulk": _bulk,
            "PUT /*/_*/*": _indexed,
            "DELETE /*/_doc/*": _indexed,
            "GET /": _elastic(200, {"tagline": "You Know, for Search"}),
        },
        key=lambda call: f"{call.path} {call.body!r}" if call.method == "PUT" else None,
    ),
    "algolia": StandIn(
        {"app_id": "SANDBOX1", "api_key": "sandbox"},
        {"POST /1/indexes/*/batch": _batch, "GET /1/keys/*": Said(json={"acl": ["addObject", "deleteObject"]})},
        key=lambda call: f"{call.path} {call.body!r}" if call.method == "POST" else None,
    ),
}
