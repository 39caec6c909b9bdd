"""A provider that is well or not, as it is told; it notes when it was called. `uvicorn tests.moody_server:app`"""

import json
import time
from typing import Any

calls: list[float] = []
looks: list[float] = []
mood: dict[str, Any] = {"status": 200, "headers": {}}


async def app(scope: Any, receive: Any, send: Any) -> None:
    """POST /call and GET /look are answered as POST /mood says; GET /noted tells when they came, in monotonic seconds."""
    if scope["type"] != "http":
        return
    came = time.monotonic()
    body = b""
    while (part := await receive())["type"] == "http.request":
        body += part.get("body", b"")
        if not part.get("more_body"):
            break
    match scope["path"]:
        case "/mood":
            mood.update({"headers": {}} | json.loads(body))
            await _answer(send, 200)
        case "/noted":
            await _answer(send, 200, {"calls": calls, "looks": looks, "now": time.monotonic()})
        case path:
            (looks if path == "/look" else calls).append(came)
            await _answer(send, mood["status"], headers=mood["headers"])


async def _answer(send: Any, status: int, content: Any = None, headers: dict[str, str] | None = None) -> None:
    said = [
        (name.encode(), value.encode()) for name, value in {"content-type": "application/json", **(headers or {})}.items()
    ]
    await send({"type": "http.response.start", "status": status, "headers": said})
    await send({"type": "http.response.body", "body": json.dumps(content).encode()})
