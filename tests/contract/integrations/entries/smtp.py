"""SMTP is not HTTP; a real server, and one that breaks off wherever it is told to, are in a file of their own."""

from tests.contract.integrations.entry import Entry

ENTRY = Entry(elsewhere="tests/integration/test_email_send.py")
