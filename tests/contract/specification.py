"""Providers' published specifications, and our requests held against them. `specs/README.md` says where they come from."""

import gzip
import json
from functools import cache
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from openapi_core import Config, OpenAPI
from openapi_core.testing import MockRequest, MockResponse

from tests.contract.integrations.fake import Answer, Request

SPECS = Path(__file__).parent / "specs"


class Specification:
    """An OpenAPI description: `name` is its file below `specs`, without .json.gz."""

    def __init__(self, name: str) -> None:
        text = gzip.decompress((SPECS / f"{name}.json.gz").read_bytes())
        # Published alternatives overlap: a phone of Vonage's is also a SIP address whose address is not said.
        document = json.loads(text.replace(b'"oneOf":', b'"anyOf":'))
        for scheme in document.get("components", {}).get("securitySchemes", {}).values():
            if scheme["type"] == "oauth2":  # which openapi-core cannot check; on the wire it is a bearer token
                scheme.update(type="http", scheme="bearer")
        server = urlsplit(document["servers"][0]["url"])
        self.server = f"{server.scheme}://{server.netloc}"
        document["servers"] = [{"url": self.server}]
        document["paths"] = {(server.path + path).rstrip("/"): item for path, item in document["paths"].items()}
        for item in document["paths"].values():
            for operation in (item, *item.values()):
                if isinstance(operation, dict):
                    operation.pop("servers", None)  # where a call goes is the account's affair, not what is compared
        self._api = OpenAPI.from_dict(document, config=Config(spec_validator_cls=None))

    def check_request(self, request: Request) -> None:
        """Raises OpenAPIError if the provider would not take the request."""
        self._api.validate_request(self._as_sent(request))

    def check_response(self, request: Request, answer: Answer) -> None:
        """Raises OpenAPIError if the provider would not answer so."""
        kind = {"content-type": "application/json", **answer.headers}
        response = MockResponse(answer.content(), answer.status, kind, kind["content-type"].partition(";")[0])
        self._api.validate_response(self._as_sent(request), response)

    def _as_sent(self, request: Request) -> MockRequest:
        return MockRequest(
            self.server,
            request.method.lower(),
            request.path,
            args=dict(parse_qsl(request.query)),
            headers=dict(request.headers),
            data=request.body,
            content_type=request.headers.get("content-type", ""),
        )


@cache
def specification(name: str) -> Specification:
    """The specification, read once."""
    return Specification(name)
