"""The client says what the API's document says."""

import inspect

import pytest

from client.call import iteration, operation
from client.operations import Operations
from tests import client_source


@pytest.mark.parametrize("name", ["models.py", "operations.py"])
def test_the_client_is_what_the_document_makes_it(name: str, sources: dict[str, str]) -> None:
    assert (client_source.FOLDER / name).read_text() == sources[name], "the API has changed: run `make client`"


@pytest.fixture(scope="module")
def sources() -> dict[str, str]:
    return client_source.sources()


def test_every_list_that_has_pages_can_be_gone_through() -> None:
    described = {name: made for name, made in vars(Operations).items() if isinstance(made, operation | iteration)}
    paged = {name for name, made in described.items() if "cursor" in inspect.signature(made.describe).parameters}
    assert paged <= client_source.LISTS.keys()
    assert {name for *_, name in client_source.LISTS.values()} <= described.keys()
