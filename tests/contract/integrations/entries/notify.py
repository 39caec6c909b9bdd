"""Apprise tells no status and no reason: a file of its own says what becomes of that."""

from tests.contract.integrations.entry import Entry

ENTRY = Entry(elsewhere="tests/integration/test_notify.py")
