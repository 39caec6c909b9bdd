"""SendGrid, as the conformance suite needs it."""

from jobs.errors import Rejected
from tests.contract.integrations.entry import Entry, Special
from tests.contract.integrations.fake import Answer

ENTRY = Entry(
    account={"api_key": "SG.conformance.secret"},
    success={"sendgrid.send": Answer(202, headers={"x-message-id": "14c5d75ce93.dfd.64b469"})},
    expects={"garbage": None},  # its yes has no body to be read
    specification="sendgrid/tsg_mail_v3",
    special=[Special("too large", Answer(413, {"errors": [{"message": "payload too large"}]}), Rejected)],
)
