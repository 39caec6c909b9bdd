"""Reading events from a request: CloudEvents 1.0 in its binary, structured and batched modes, and our own plain form.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
"""

import base64
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self
from urllib.parse import unquote

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)
from uuid_utils.compat import uuid7

from api import body
from api.problems import Refused, wrong_values
from api.schemas import NO_NUL, no_number
from jobs.arrival import OURS, Arrival
from jobs.errors import Invalid
from jobs.matching.patterns import TYPE
from jobs.model import Event
from runtime.settings import settings

STRUCTURED, BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"
MOST = 1000  # events in one request
HERE = "/v1/events"  # the source of plain events that name none

_KNOWN = ("specversion", "id", "source", "type", "subject", "time", "data")


def _storable(time: datetime) -> datetime:
    if not 1000 <= time.year < 9000:  # else it might have no UTC
        raise ValueError("a time lies between the years 1000 and 9000")
    return time.astimezone(UTC)


def _base64(text: str) -> str:
    base64.b64decode(text, validate=True)  # binascii.Error is a ValueError
    return text


Id = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=NO_NUL)]
SourceUri = Annotated[str, StringConstraints(min_length=1, max_length=512, pattern=NO_NUL)]
Type = Annotated[str, StringConstraints(max_length=255, pattern=TYPE)]
Instant = Annotated[AwareDatetime, BeforeValidator(no_number), AfterValidator(_storable)]


class PlainEvent(BaseModel):
    """An event in its shortest form. With an `id` it can be sent again and is still one event."""

    model_config = ConfigDict(extra="forbid")

    type: Annotated[Type, Field(examples=["order.paid"])]
    data: Any = None
    id: Annotated[Id | None, Field(description="By default the Idempotency-Key, else a new one.")] = None
    source: Annotated[SourceUri, Field(description="Who says so. Source and id together make an event once.")] = HERE
    subject: SourceUri | None = None
    time: Instant | None = None


class CloudEvent(BaseModel):
    """A CloudEvent in JSON; attributes that the specification does not name are extensions."""

    model_config = ConfigDict(extra="allow")

    specversion: Literal["1.0"]
    id: Id
    source: SourceUri
    type: Type
    subject: SourceUri | None = None
    time: Instant | None = None
    datacontenttype: Annotated[str | None, StringConstraints(max_length=255, pattern=NO_NUL)] = None
    dataschema: SourceUri | None = None
    data: Any = None
    data_base64: Annotated[str, AfterValidator(_base64)] | None = None
    __pydantic_extra__: dict[str, Annotated[bool | int | str, Field(union_mode="left_to_right")]] = Field(init=False)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.data is not None and self.data_base64 is not None:
            raise ValueError("give data or data_base64, not both")
        for name, value in (self.model_extra or {}).items():
            if not (name.isascii() and name.isalnum() and name == name.lower() and len(name) <= 40):
                raise ValueError(f"{name[:40]!r} is no name of an attribute: lower-case letters and digits only")
            if len(str(value)) > 1024 or "\0" in str(value):
                raise ValueError(f"the attribute {name} is too long, or holds NUL")
        return self


def read(headers: Mapping[str, str], raw: bytes, key: str | None = None) -> tuple[list[Arrival], bool]:
    """The events of a request, and whether it was a batch.

    Raises:
        Refused: the body cannot be read, or is of a type that is none of ours.
        Invalid: an event is not what the specification asks for.
    """
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in {BATCH, "application/json"}:
        _check_size(len(raw))
    if "ce-specversion" in headers:
        return [_arrival(_binary(headers, raw), headers)], False
    match kind, (body.read(raw) if kind in {STRUCTURED, BATCH, "application/json"} else None):
        case "application/json" | "application/cloudevents-batch+json", list() as items:
            if not 1 <= len(items) <= MOST:
                raise Invalid.at("", f"A batch holds 1 to {MOST} events.")
            if len(raw) > settings().payload_limit:
                _check_size(max(len(json.dumps(item)) for item in items))
            return [_read(item, headers, None, f"/{at}", kind) for at, item in enumerate(items)], True
        case "application/json" | "application/cloudevents+json", dict() as given:
            _check_size(len(raw))
            return [_read(given, headers, key, "", kind)], False
        case (("application/json" | "application/cloudevents+json" | "application/cloudevents-batch+json"), _):
            raise Invalid.at("", "An event is an object; a batch is an array of them.")
    raise Refused(
        "unsupported-media-type", f"Send `application/json`, `{STRUCTURED}`, `{BATCH}`, or any type with the `ce-` headers."
    )


def written(event: Event) -> dict[str, Any]:
    """A recorded event as a CloudEvent in JSON."""
    plain = {"id": event.source_id, "source": event.source, "type": event.type, "subject": event.subject, "data": event.data}
    time = event.at.isoformat().replace("+00:00", "Z") if event.at else None
    said = {"specversion": "1.0", **plain, "time": time, **event.attributes}
    return {name: value for name, value in said.items() if value is not None}


def _read(given: Any, headers: Mapping[str, str], key: str | None, pointer: str, kind: str) -> Arrival:
    plain = kind == "application/json" and isinstance(given, dict) and "specversion" not in given
    try:
        if not plain:
            return _arrival(CloudEvent.model_validate(given), headers)
        event = PlainEvent.model_validate(given)
    except ValidationError as error:
        raise Invalid(_placed(error, given, pointer)) from None
    source_id = event.id or key or str(uuid7())
    return _checked(
        Arrival(
            event.type,
            event.source,
            source_id,
            event.data,
            event.subject,
            event.time,
            traceparent=headers.get("traceparent"),
        )
    )


def _placed(error: ValidationError, given: Any, pointer: str) -> list[dict[str, str]]:
    wrong = wrong_values(({**part, "loc": ("body", *part["loc"])} for part in error.errors(include_input=False)), given)
    return [{"pointer": pointer + each["pointer"], "detail": each["detail"]} for each in wrong]


def _arrival(event: CloudEvent, headers: Mapping[str, str]) -> Arrival:
    attributes = event.model_dump(mode="json", exclude=set(_KNOWN), exclude_none=True)
    return _checked(
        Arrival(
            event.type,
            event.source,
            event.id,
            event.data,
            event.subject,
            event.time,
            attributes,
            traceparent=str(attributes.get("traceparent") or headers.get("traceparent") or "")[:55] or None,
        )
    )


def _checked(arrival: Arrival) -> Arrival:
    if arrival.source == OURS:
        raise Invalid.at("/source", f"The source {OURS!r} is our own.")
    return arrival


def _binary(headers: Mapping[str, str], raw: bytes) -> CloudEvent:
    """The event of the binary mode: attributes in headers, percent-encoded; the data is the body."""
    given: dict[str, Any] = {name[3:]: unquote(value) for name, value in headers.items() if name.startswith("ce-")}
    given.pop("data", None)
    given.pop("data_base64", None)
    kind = headers.get("content-type")
    if kind is not None:
        given["datacontenttype"] = kind
    if raw:
        given |= _data(kind or "", raw)
    try:
        return CloudEvent.model_validate(given)
    except ValidationError as error:
        raise Invalid(_placed(error, given, "")) from None


def _data(kind: str, raw: bytes) -> dict[str, Any]:
    essence = kind.partition(";")[0].strip().lower()
    if essence.endswith(("/json", "+json")):
        return {"data": body.read(raw)}
    if essence.startswith("text/"):
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            text = "\0"
        if "\0" not in text:
            return {"data": text}
    return {"data_base64": base64.b64encode(raw).decode()}


def _check_size(size: int) -> None:
    if size > settings().payload_limit:
        raise Refused("too-large", f"An event is larger than {settings().payload_limit} bytes.")


def names(arrivals: Sequence[Arrival]) -> str:
    """What the request locks, see GroupCommit.put."""
    return f"event {min((arrival.source, arrival.source_id) for arrival in arrivals)}"
