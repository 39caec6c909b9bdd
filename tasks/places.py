"""Addresses, as every provider of maps takes them."""

from typing import Annotated, Any, TypedDict

from pydantic import Field, StringConstraints

from tasks.capability import Capability
from tasks.fields import Shape
from tasks.provider import Payload

Language = Annotated[
    Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Z]{2})?$")] | None,
    Field(description="of the answer, such as en or pt-BR"),
]
Country = Annotated[
    Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] | None,
    Field(description="look there only; two letters of ISO 3166, such as DE"),
]


class Address(Shape):
    """An address or the name of a place."""

    query: Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*$", max_length=256)]
    language: Language = None


class Position(Payload):
    """A point, in degrees of WGS 84."""

    latitude: float = Field(ge=-90, le=90)
    longitude: float = Field(ge=-180, le=180)
    language: Language = None


def degrees(angle: float) -> str:
    """An angle as text, to the centimetre."""
    return f"{angle:.7f}"


class Place(TypedDict):
    """A place that was found: the provider's id and kind of it, its address in words, and where it is, in degrees."""

    id: str
    kind: str
    address: str
    latitude: float
    longitude: float


ADDRESS: dict[str, Any] = {"query": "Augustusplatz 10, Leipzig"}
POSITION: dict[str, Any] = {"latitude": 51.3397, "longitude": 12.3819}

geocode = Capability.of("geocode", Address, "Find where an address is, in degrees.", alike=True, example=ADDRESS)
