"""The ids of the events of a stream: how far it was told, in numbers with dots between."""

from jobs.errors import Invalid


def parse(given: str, numbers: int) -> tuple[int, ...]:
    """The numbers of an id as it was given out.

    Raises:
        Invalid: it is none, or not one of so many numbers.
    """
    parts = given.split(".")
    if len(parts) != numbers or not all(part.isascii() and part.isdigit() and len(part) < 19 for part in parts):
        raise Invalid.at("/header/last-event-id", "This is not an id that we gave out.")
    return tuple(map(int, parts))
