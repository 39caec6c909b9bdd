"""Options of the browser tests."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where to leave pictures for people."""
    parser.addoption("--pictures", default=None, help="folder in which to keep the pictures taken")
