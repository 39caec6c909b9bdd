"""Amazon S3, as the conformance suite needs it."""

from xml.sax.saxutils import escape

from jobs.errors import Duplicate, RateLimited, Rejected, Transient, Unauthorized
from tests.contract.integrations.entry import Entry, Special
from tests.contract.integrations.fake import Answer

XML = {"content-type": "application/xml", "x-amz-request-id": "tx1"}


def _error(status: int, words: str, code: str = "SomeError") -> Answer:
    text = f"<Error><Code>{code}</Code><Message>{escape(words)}</Message><RequestId>tx1</RequestId></Error>"
    return Answer(status, body=text.encode("ascii", "xmlcharrefreplace"), headers=XML)


COPIED = b'<CopyObjectResult><ETag>"e1"</ETag><LastModified>2026-11-22T10:00:00Z</LastModified></CopyObjectResult>'

ENTRY = Entry(
    account={
        "region": "eu-central-1",
        "access_key_id": "AKIACONFORMANCE",
        "secret_access_key": "conformance/secret+wJalrXUtnFEMI",
        "bucket": "conformance",
    },
    success={
        "s3.put": Answer(headers={"ETag": '"e1"'}, body=b""),
        "s3.copy": Answer(body=COPIED, headers=XML),
        "s3.delete": Answer(204),
    },
    error=_error,
    expects={"garbage": Transient},  # botocore takes for an error what is no XML
    special=[
        Special("too fast", _error(503, "Please reduce your request rate.", "SlowDown"), RateLimited),
        Special("an upload that dried up", _error(400, "idle", "RequestTimeout"), Transient),
        Special("another write at this moment", _error(409, "conflict", "ConditionalRequestConflict"), Transient),
        Special("something is there", _error(412, "no", "PreconditionFailed"), Duplicate, task="s3.put"),
        Special("no bucket", _error(404, "The specified bucket does not exist", "NoSuchBucket"), Rejected),
        Special("an old token", _error(400, "The provided token has expired.", "ExpiredToken"), Unauthorized),
        Special("a wrong secret", _error(403, "no", "SignatureDoesNotMatch"), Unauthorized),
        Special("another region", _error(301, "must be addressed using", "PermanentRedirect"), Rejected),
        Special("a wrong region", _error(400, "region is wrong", "AuthorizationHeaderMalformed"), Unauthorized),
        Special("an error in a 200", _error(200, "We encountered an error", "InternalError"), Transient, task="s3.copy"),
    ],
)
