"""Stores of objects. They keep nothing but the record of the call."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from cli.sandbox.keys import private_key
from cli.sandbox.stand_in import Call, Earlier, Said, StandIn

XML = {"content-type": "application/xml"}
COPIED = b'<CopyObjectResult><ETag>"sandbox"</ETag><LastModified>2026-11-22T10:00:00Z</LastModified></CopyObjectResult>'
AT = {"etag": '"0x1"', "last-modified": "Sun, 22 Nov 2026 10:00:00 GMT", "x-ms-request-server-encrypted": "true"}
COPY = {"x-ms-copy-id": "sandbox", "x-ms-copy-status": "success"}


def _s3_put(call: Call, _: Earlier) -> Said:
    return Said(body=COPIED, headers=XML) if "x-amz-copy-source" in call.headers else Said(headers={"etag": '"sandbox"'})


def _azure_put(call: Call, _: Earlier) -> Said:
    return Said(202, headers={**AT, **COPY}) if "x-ms-copy-source" in call.headers else Said(201, headers=AT)


def _object(call: Call, _: Earlier) -> Said:
    name = unquote(call.path.rpartition("/o/")[2])
    made = {
        "kind": "storage#object",
        "name": name,
        "bucket": "sandbox",
        "etag": "CAE=",
        "generation": call.id(),
        "size": "1",
    }
    return Said(json={**made, "resource": made, "done": True} if "/rewriteTo/" in call.path else made)


def _google() -> Mapping[str, Any]:
    who = {"client_email": "sandbox@sandbox.iam.gserviceaccount.com", "token_uri": "https://oauth2.googleapis.com/token"}
    key = {"type": "service_account", "project_id": "sandbox", "private_key_id": "sandbox", "private_key": private_key()}
    return {"service_account": json.dumps({**key, **who}), "bucket": "sandbox"}


def _same_place(call: Call) -> str | None:
    """A write names what it writes; the same write again is the same."""
    return None if call.method == "GET" else f"{call.method} {call.path}?{call.query} {call.body.hex()}"


STAND_INS = {
    "s3": StandIn(
        {
            "region": "eu-central-1",
            "access_key_id": "AKIASANDBOX",
            "secret_access_key": "sandbox/secret",
            "bucket": "sandbox",
        },
        {"PUT /*": _s3_put, "DELETE /*": Said(204), "HEAD /*": Said()},
        key=_same_place,
    ),
    "gcs": StandIn(
        _google,
        {
            "POST /upload/storage/v1/b/*/o": _object,
            "POST /storage/v1/b/*": _object,
            "DELETE /storage/v1/b/*": Said(204),
            "GET /storage/v1/b/*": Said(json={"kind": "storage#bucket", "name": "sandbox"}),
        },
    ),
    "azure": StandIn(
        {"account_name": "sandbox", "account_key": "c2FuZGJveA==", "container": "sandbox"},
        {"PUT /*": _azure_put, "DELETE /*": Said(202), "GET /*": Said(headers=AT), "HEAD /*": Said(headers=AT)},
        key=_same_place,
    ),
}
