"""Documents, as every search engine takes them."""

import json
from typing import Annotated, Any

from pydantic import AfterValidator, Field, JsonValue, StringConstraints

from tasks.capability import Capability
from tasks.fields import Shape

LARGEST = 1_000_000  # bytes


def _check_size(document: dict[str, Any]) -> dict[str, Any]:
    if len(json.dumps(document, ensure_ascii=False).encode(errors="replace")) > LARGEST:
        raise ValueError(f"as JSON it has at most {LARGEST} bytes")
    return document


Index = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,127}$")]
DocumentId = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]+$", max_length=512)]


class Document(Shape):
    """A document under an id of yours: what had that id is replaced."""

    index: Index
    id: DocumentId
    document: Annotated[dict[str, JsonValue], AfterValidator(_check_size), Field(description="1,000,000 bytes at most")]


DOCUMENT: dict[str, Any] = {"index": "products", "id": "42", "document": {"name": "Loom", "price": 1999}}

search_index = Capability.of("search.index", Document, "Put a document into an index.", alike=False, example=DOCUMENT)
