"""Facebook, as the conformance suite needs it."""

import json
from typing import Any

from jobs.errors import Ambiguous, Duplicate, RateLimited, Rejected, Unauthorized
from tasks.social import POST
from tests.contract.integrations.entry import Entry, Special
from tests.contract.integrations.fake import Answer


def _error(status: int, words: str, code: int | None = None) -> Any:
    said = {"message": words, "type": "OAuthException", "fbtrace_id": "AbC"}
    return {"error": said if code is None else {**said, "code": code}}


def _no(code: int, **headers: str) -> Answer:
    return Answer(400, _error(400, "no", code), headers=headers)


USAGE = json.dumps({"1815": [{"type": "pages", "call_count": 100, "estimated_time_to_regain_access": 19}]})

ENTRY = Entry(
    account={"page": "1815", "access_token": "conformance0token", "app_secret": "conformance0secret"},
    success={
        "facebook.page.post": Answer(json={"id": "1815_1"}),
        "facebook.page.photo": Answer(json={"id": "2", "post_id": "1815_2"}),
    },
    found={"facebook.page.post": Answer(json={"data": [{"id": "1815_1", "message": POST["text"]}]})},
    absent={"facebook.page.post": Answer(json={"data": []})},
    error=_error,
    special=[
        Special("an expired token", _no(190), Unauthorized),
        Special("no permission", _no(200), Unauthorized),
        Special("too many calls", _no(32, **{"x-business-use-case-usage": USAGE}), RateLimited),
        Special("an unknown error", _no(1), Ambiguous),
        Special("a passing error", Answer(400, {"error": {"code": 341, "is_transient": True}}), Ambiguous),
        Special("a wrong field", _no(100), Rejected),
        Special("the same post again", _no(506), Duplicate),
    ],
)
