"""Objects, as every store of them takes them."""

import base64
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from tasks.capability import Capability
from tasks.fields import Shape, TargetUrl

LIMIT = timedelta(minutes=2)  # of an attempt; half of it may go by until the content is here
LARGEST = 1_048_576  # characters of content in a payload; what is larger is fetched from a URL
FETCHED = 16 * 1024 * 1024  # bytes of what is fetched; each thread of a worker may hold as many


def _check_key(key: str) -> str:
    if len(key.encode(errors="replace")) > 1024:
        raise ValueError("a key has at most 1024 bytes")
    if {".", ".."} & set(key.split("/")):
        raise ValueError("no part of a key is . or .., which someone on the way to the store would resolve")
    return key


def _check_base64(text: str) -> str:
    base64.b64decode(text, validate=True)
    return text


Bucket = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9$][A-Za-z0-9._-]{1,221}$")]
Key = Annotated[
    str,
    StringConstraints(pattern=r"^[^\x00-\x1f\x7f]+$", max_length=1024),
    Field(examples=["reports/1.txt"]),
    AfterValidator(_check_key),
]
"""The name of an object in its bucket."""
ContentType = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e][\x20-\x7e]{0,254}$")]
Base64 = Annotated[str, Field(max_length=LARGEST), AfterValidator(_check_base64)]


class Place(Shape):
    """Where an object is."""

    bucket: Bucket | None = Field(None, description="by default the account's")
    key: Key


class Put(Place):
    """An object: its content as text, as Base64, or fetched from a URL."""

    text: Annotated[str, Field(max_length=LARGEST)] | None = None
    base64: Base64 | None = Field(None, description="the content's bytes in Base64")
    url: TargetUrl | None = Field(None, description=f"from where the content is fetched, {FETCHED >> 20} MiB at most")
    content_type: ContentType | None = Field(None, description="by default what the url says, or what the content is")
    only_if_absent: bool = Field(False, description="leave what is there already; that is a success too, and says so")

    @model_validator(mode="after")
    def _one_content(self) -> Self:
        if sum(given is not None for given in (self.text, self.base64, self.url)) != 1:
            raise ValueError("give one of text, base64 and url")
        return self


class Copy(Place):
    """An object to be copied within an account."""

    to_bucket: Bucket | None = Field(None, description="by default that of the original")
    to_key: Key


class Sign(Place):
    """An address under which whoever has it may read or write an object for a while."""

    method: Literal["GET", "PUT"] = "GET"
    expires: Annotated[int, Field(ge=1, le=604_800, description="in so many seconds, a week at most")] = 3600
    content_type: ContentType | None = Field(None, description="that a PUT must come with")


PUT: dict[str, Any] = {"key": "reports/1.txt", "text": "All is well.", "content_type": "text/plain"}
COPY: dict[str, Any] = {"key": "reports/1.txt", "to_key": "archive/1.txt"}
PLACE: dict[str, Any] = {"key": "reports/1.txt"}

storage_put = Capability.of("storage.put", Put, "Store an object.", alike=False, timeout=LIMIT, example=PUT)
storage_copy = Capability.of(
    "storage.copy", Copy, "Copy an object within an account.", alike=False, timeout=LIMIT, example=COPY
)
storage_delete = Capability.of("storage.delete", Place, "Delete an object.", alike=False, example=PLACE)
storage_sign = Capability.of(
    "storage.sign", Sign, "Make an address under which an object can be read or written.", alike=False, example=PLACE
)
