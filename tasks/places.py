"""Addresses, as every provider of maps takes them."""

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from tasks.capability import Capability
from tasks.fields import Shape


class Address(Shape):
    """An address or the name of a place."""

    query: Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*$", max_length=256)]
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Z]{2})?$")] | None = Field(
        None, description="of the answer, such as en or pt-BR"
    )


ADDRESS: dict[str, Any] = {"query": "Augustusplatz 10, Leipzig"}

geocode = Capability.of("geocode", Address, "Find where an address is, in degrees.", alike=True, example=ADDRESS)
