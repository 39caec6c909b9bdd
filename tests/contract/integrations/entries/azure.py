"""Azure Blob Storage, as the conformance suite needs it."""

from xml.sax.saxutils import escape

from jobs.errors import Duplicate, RateLimited, Rejected, Transient, Unauthorized
from tests.contract.integrations.entry import Entry, Special
from tests.contract.integrations.fake import Answer


def _error(status: int, words: str, code: str = "SomeError") -> Answer:
    text = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>{escape(words)}</Message></Error>'
    headers = {"content-type": "application/xml", "x-ms-error-code": code, "x-ms-version": "2025-11-05"}
    return Answer(status, body=text.encode("ascii", "xmlcharrefreplace"), headers=headers)


MADE = {"etag": '"0x1"', "last-modified": "Sun, 22 Nov 2026 10:00:00 GMT", "x-ms-request-server-encrypted": "true"}

ENTRY = Entry(
    account={
        "account_name": "conformance",
        "account_key": "Y29uZm9ybWFuY2UtYXp1cmUtc3RvcmFnZS1hY2NvdW50LWtleQ==",
        "container": "conformance",
    },
    success={
        "azure.put": Answer(201, body=b"", headers=MADE),
        "azure.copy": Answer(202, body=b"", headers={**MADE, "x-ms-copy-id": "c1", "x-ms-copy-status": "success"}),
        "azure.delete": Answer(202, body=b""),
    },
    error=_error,
    special=[
        Special("something is there", _error(409, "exists", "BlobAlreadyExists"), Duplicate, task="azure.put"),
        Special("too fast", _error(503, "The server is busy.", "ServerBusy"), RateLimited),
        Special("late", _error(500, "The operation could not be completed in time", "OperationTimedOut"), Transient),
        Special("another copy at this moment", _error(409, "pending", "PendingCopyOperation"), Transient),
        Special("a lease", _error(412, "There is currently a lease on the blob", "LeaseIdMissing"), Rejected),
        Special("no container", _error(404, "no container", "ContainerNotFound"), Rejected),
        Special("no blob", _error(404, "no blob", "BlobNotFound"), None, task="azure.delete"),
        Special("a wrong key", _error(403, "Server failed to authenticate", "AuthenticationFailed"), Unauthorized),
    ],
)
