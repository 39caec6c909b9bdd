"""Google Cloud Storage, as the conformance suite needs it."""

import json

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from jobs.errors import Duplicate, RateLimited, Rejected, Transient, Unauthorized
from tests.contract.integrations.entry import Entry, Special
from tests.contract.integrations.fake import Answer


def service_account() -> str:
    """The JSON key of a service account that nobody knows."""
    pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    key = rsa.generate_private_key(65537, 2048).private_bytes(*pem).decode()
    fields = {"type": "service_account", "project_id": "p", "private_key_id": "k1", "private_key": key}
    who = {"client_email": "treadle@p.iam.gserviceaccount.com", "token_uri": "https://oauth2.googleapis.com/token"}
    return json.dumps({**fields, **who})


def _error(status: int, words: str, reason: str = "someReason") -> Answer:
    first = {"message": words, "domain": "global", "reason": reason}
    return Answer(status, {"error": {"code": status, "message": words, "errors": [first]}})


OBJECT = {"kind": "storage#object", "name": "reports/1.txt", "bucket": "b", "etag": "CAE=", "generation": "1", "size": "12"}

ENTRY = Entry(
    account={"service_account": service_account(), "bucket": "conformance"},
    success={"gcs.put": Answer(json=OBJECT), "gcs.copy": Answer(json=OBJECT), "gcs.delete": Answer(204)},
    error=_error,
    expects={"gcs.delete: 404": None},
    special=[
        Special("something is there", _error(412, "At least one condition", "conditionNotMet"), Duplicate, task="gcs.put"),
        Special("too fast", _error(403, "Rate Limit Exceeded", "rateLimitExceeded"), RateLimited),
        Special("one object too often", _error(429, "The object exceeded the rate limit", "rateLimitExceeded"), RateLimited),
        Special("no bucket", _error(404, "The specified bucket does not exist.", "notFound"), Rejected),
        Special("no object", _error(404, "No such object: my-bucket/1.txt", "notFound"), None, task="gcs.delete"),
        Special("no right to it", _error(403, "does not have storage.objects.create access", "forbidden"), Unauthorized),
        Special("an error behind", _error(500, "Internal Error", "internalError"), Transient),
    ],
)
