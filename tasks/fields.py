"""Fields that the payloads of several integrations have in common."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from tasks.egress import check_url


class Shape(BaseModel):
    """What is wanted, whoever does it."""

    model_config = ConfigDict(extra="forbid", defer_build=True)  # most are never used; all payloads and accounts are 3 MB


TargetUrl = Annotated[
    str,
    Field(max_length=2048, json_schema_extra={"format": "uri", "pattern": "^[Hh][Tt][Tt][Pp][Ss]?://"}),
    AfterValidator(check_url),
]
"""A URL that may be called; whether its host may be is found out at each connect."""

HeaderName = Annotated[str, StringConstraints(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$")]
"""The name of a header: an HTTP token."""

HeaderValue = Annotated[str, StringConstraints(pattern=r"^([\x21-\x7e]([\t\x20-\x7e]*[\x21-\x7e])?)?$", max_length=8192)]
"""The value of a header: printable ASCII, so that nothing can be smuggled behind a line break."""

Subject = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f\u0085\u2028\u2029]*$", min_length=1, max_length=500)]
"""One line of text in any script."""
