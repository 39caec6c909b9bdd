"""A post, as every social network takes it."""

from typing import Annotated, Any, Self

from pydantic import Field, StringConstraints, model_validator

from tasks.capability import Capability
from tasks.fields import Shape, TargetUrl
from tasks.provider import Payload

Words = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*$", min_length=1)]
"""Text of one or several lines."""


class Statement(Shape):
    """What to say, a page to point to, or both."""

    text: Words | None = Field(None, max_length=25_000)
    link: TargetUrl | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.text is None and self.link is None:
            raise ValueError("give text, link or both")
        return self


class Post(Statement, Payload):
    """A post, and whose it is."""


POST: dict[str, Any] = {"text": "We have opened in Leipzig.", "link": "https://example.com/leipzig"}

social_post = Capability.of("social.post", Statement, "Post on the first network that can.", alike=False, example=POST)
