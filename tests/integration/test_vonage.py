"""What the conformance suite does not look at: texts and their alphabet, tokens of calls, and earlier calls."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from jobs.errors import Ambiguous, Invalid, Rejected, Unauthorized
from tasks import Context, catalogue, load
from tasks.integrations.vonage import signers, vonage
from tasks.provider import ProviderTask
from tasks.telephony import CALL, SMS
from tests.contract.integrations.entries.vonage import ENDS, ENTRY, MADE, key
from tests.contract.integrations.fake import Answer, Fake

APPLICATION = str(ENTRY.account["application_id"])


@pytest.fixture
def fake(configure: Callable[..., None]) -> Iterator[Fake]:
    load()
    fake = Fake()
    account = {**ENTRY.account, **ENTRY.address(fake.url)}
    configure(**{f"accounts__vonage__{name}": value for name, value in account.items()})
    yield fake
    signers.close()
    fake.close()


def run(operation: str, payload: dict[str, Any], context: Context | None = None) -> Any:
    task = catalogue.find(f"vonage.{operation}")
    return task.call(task.accept(payload), context or Context(uuid4(), task.name))


@pytest.mark.parametrize(("text", "kind"), [("Ça coûte 5 €", "unicode"), ("5 € [net] für Grüße", "text"), ("喂", "unicode")])
def test_a_text_says_whether_its_letters_are_those_of_gsm(text: str, kind: str, fake: Fake) -> None:
    fake.script = lambda _: ENTRY.success["vonage.sms.send"]
    context = Context(uuid4(), "vonage.sms.send")
    run("sms.send", {**SMS, "text": text}, context)
    sent = fake.requests[0].form()
    assert (sent["type"], sent["text"], sent["client-ref"]) == (kind, text, str(context.job_id))
    assert (sent["to"], sent["from"]) == ("15005550010", "15005550006")


def test_a_call_is_asked_for_under_a_token_of_the_application(fake: Fake) -> None:
    fake.script = lambda _: Answer(201, MADE)
    run("call.create", CALL)
    run("call.create", CALL)
    public = load_pem_private_key(key().encode(), None).public_key()
    first, second = (
        jwt.decode(asked.headers["authorization"].removeprefix("Bearer "), public, ["RS256"]) for asked in fake.requests
    )
    assert first["application_id"] == APPLICATION
    assert first["exp"] - first["iat"] <= 900  # seconds; Vonage takes no token that is older than a day
    assert first["jti"] != second["jti"]


def test_a_token_that_is_echoed_does_not_get_into_the_error(fake: Fake) -> None:
    fake.script = lambda asked: Answer(422, {"detail": asked.headers["authorization"]})
    with pytest.raises(Rejected) as caught:
        run("call.create", CALL)
    assert "Bearer ***" in caught.value.detail


def test_a_key_that_is_none_is_unauthorized_and_nothing_is_sent(fake: Fake, configure: Callable[..., None]) -> None:
    configure(accounts__vonage__private_key="no-key-of-ours")
    with pytest.raises(Unauthorized) as caught:
        run("call.create", CALL)
    assert caught.value.code == "bad_key"
    assert "no-key-of-ours" not in repr(caught.value)
    assert not fake.requests


def test_an_account_without_an_application_sends_texts_and_makes_no_calls(configure: Callable[..., None]) -> None:
    load()
    configure(accounts__vonage__api_key="abcd1234", accounts__vonage__api_secret="secret-of-test")
    assert catalogue.find("vonage.sms.send").accept(SMS)
    with pytest.raises(Invalid, match="Set TREADLE_ACCOUNTS__VONAGE__APPLICATION_ID="):
        catalogue.find("vonage.call.create").accept(CALL)
    assert "APPLICATION_ID" in (catalogue.find("vonage.call.create").missing() or "")


def _find(fake: Fake, answer: Answer) -> Any:
    fake.script = lambda _: answer
    task = catalogue.find("vonage.call.create")
    assert isinstance(task, ProviderTask)
    assert task.confirm is not None
    account = vonage.find(model=task.model)
    return task.confirm(task.payload.model_validate(CALL), account, Context(uuid4(), task.name))


def test_a_call_from_another_number_proves_nothing(fake: Fake) -> None:
    other = {**MADE, "to": ENDS["to"], "from": {"type": "phone", "number": "15005550007"}}
    with pytest.raises(Ambiguous, match="A person must look"):
        _find(fake, Answer(json={"count": 1, "_embedded": {"calls": [other]}}))


def test_more_calls_than_are_looked_through_prove_nothing(fake: Fake) -> None:
    with pytest.raises(Ambiguous, match="no more than 100"):
        _find(fake, Answer(json={"count": 101, "_embedded": {"calls": []}}))


def test_the_probe_asks_for_the_balance(fake: Fake) -> None:
    fake.script = lambda _: Answer(json={"value": 3.14})
    assert vonage.check(vonage.find()) is None
    assert fake.requests[0].path == "/account/get-balance"
