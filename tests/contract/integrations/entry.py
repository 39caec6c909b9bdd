"""What the conformance suite must be told of a provider: one small file `entries/<provider>.py` with an `ENTRY`.

    ENTRY = Entry(
        account={"api_key": "sk_test_conformance"},          # its fields, with secrets that stand out; no address
        success={"stripe.refund.create": Answer(json={…})},  # by task: what the provider answers to a call that worked
        key=lambda request: request.headers["idempotency-key"],  # where our key is, if a task carries one
        special=[Special("a declined card", Answer(402, {…}), Rejected)],
    )

The payload is the task's own example, or `payloads[task]`. All else is the suite's affair: see test_conformance.py.
"""

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from jobs.errors import TaskError
from tests.contract.integrations.fake import Answer, Request


@dataclass(frozen=True)
class Special:
    """An answer that this provider alone gives, and the class that it must become; None: success."""

    name: str
    answer: Answer
    becomes: type[TaskError] | None
    task: str | None = None  # by default each of the provider's


Known = Answer | Callable[[str], Answer]


def _nothing(_: Request) -> Answer | None:
    return None


def _plain(status: int, words: str) -> Any:
    return {"error": {"message": words}, "message": words, "status": status}


@dataclass(frozen=True)
class Entry:
    """A provider as the suite needs it.

    Args:
        account: the fields of an account, but for its address.
        success: the answer to a call that worked, by task.
        payloads: by task, where the task's example will not do.
        key: finds the idempotency key in a request; needed if a task says for how long the provider remembers keys.
        address: the account's fields that hold the fake's address.
        error: the body of an error in the provider's form, from a status and words; or all of the answer, if it is no JSON.
        expects: the class for a case (the names in `CASES`, or "task: case") where the provider differs from the rules;
            None: success.
        aside: answers to requests beside the one that counts, such as for a token.
        found, absent: by task, answers to the question whether an earlier call was done, for tasks with `confirm`; or a
            function that makes the answer from the job's id.
        special: answers of the provider's own.
        specification: the provider's published one (a name below `specs`): request and success are held against it. Where
            there are several, by task.
        elsewhere: the test file that holds the provider to the same rules, if it does not speak HTTP.
    """

    account: Mapping[str, Any] = field(default_factory=dict)
    success: Mapping[str, Answer] = field(default_factory=dict)
    payloads: Mapping[str, Any] = field(default_factory=dict)
    key: Callable[[Request], str] | None = None
    address: Callable[[str], Mapping[str, str]] = lambda url: {"base_url": url}
    error: Callable[[int, str], Any] = _plain
    expects: Mapping[str, type[TaskError] | None] = field(default_factory=dict)
    aside: Callable[[Request], Answer | None] = _nothing
    found: Mapping[str, Known] = field(default_factory=dict)
    absent: Mapping[str, Known] = field(default_factory=dict)
    special: Sequence[Special] = ()
    specification: str | Mapping[str, str] | None = None
    elsewhere: str | None = None

    def refusal(self, status: int, words: str, **headers: str) -> Answer:
        """An error in the provider's form."""
        said = self.error(status, words)
        if isinstance(said, Answer):
            return replace(said, headers={**said.headers, **headers})
        return Answer(status, said, headers=headers)

    def expected(self, task: str, case: str, usual: type[TaskError]) -> type[TaskError] | None:
        """The class for a case; None: success."""
        return self.expects.get(f"{task}: {case}", self.expects.get(case, usual))


def entry(provider: str) -> Entry:
    """The provider's entry.

    Raises:
        ModuleNotFoundError: it has none; every provider needs one.
    """
    found: Entry = importlib.import_module(f"tests.contract.integrations.entries.{provider.replace('-', '_')}").ENTRY
    return found
