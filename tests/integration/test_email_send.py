"""smtp.send against a real SMTP server (aiosmtpd), and against one that breaks off wherever it is told to."""

import email
import email.policy
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope
from hypothesis import given
from hypothesis import strategies as st

from jobs.errors import (
    Ambiguous,
    Cancelled,
    Invalid,
    LeaseLost,
    RateLimited,
    Rejected,
    TaskError,
    TimedOut,
    Transient,
    Unauthorized,
)
from runtime import clock
from tasks import Context, catalogue, load, smtp
from tasks.mail import Email, compose
from tests.unit.tasks.peers import certified, serving

LETTER: dict[str, Any] = {
    "from": "noreply@example.com",
    "to": ["ada@example.com"],
    "subject": "Hello",
    "text": "Dear Ada,\n",
}
SCRIPT = ["220 hi", "250 hello", "250 sender ok", "250 recipient ok", "354 go on", "250 taken", "221 bye"]


class Server(Controller):
    """Keeps the envelopes; answers RCPT and DATA as told."""

    def __init__(self, **options: Any) -> None:
        self.kept: list[Envelope] = []
        self.answers: dict[str, str] = {}
        super().__init__(self, hostname="127.0.0.1", port=0, **options)

    async def handle_RCPT(self, server: Any, session: Any, envelope: Envelope, address: str, _: Any) -> str:  # noqa: N802 - aiosmtpd's name
        answer = self.answers.get(address, "250 OK")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        self.kept.append(envelope)
        return self.answers.get("DATA", "250 OK")

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()

    def message(self, at: int = -1) -> EmailMessage:
        content = self.kept[at].content
        assert isinstance(content, bytes)
        return email.message_from_bytes(content, _class=EmailMessage, policy=email.policy.default)


@contextmanager
def running(**options: Any) -> Iterator[Server]:
    server = Server(**options)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def server(configure: Callable[..., None]) -> Iterator[Server]:
    with running() as started:
        configure(smtp_url=f"smtp://127.0.0.1:{started.port}")
        yield started


@pytest.fixture
def context() -> Context:
    load()
    return Context(job_id=uuid4(), task="smtp.send")


def run(context: Context, **payload: Any) -> Any:
    task = catalogue.find("smtp.send")
    return task.call(task.read(LETTER | payload), context)


def test_a_letter(server: Server, context: Context) -> None:
    result = run(
        context,
        **{
            "from": "Treadle, Inc. <noreply@example.com>",
            "to": ["Ada Lovelace <ada@example.com>", '"Bär, Ü" <b@example.com>'],
            "cc": ["c@example.com", "ada@example.com"],
            "bcc": ["hidden@example.com"],
            "reply_to": "help@example.com",
            "subject": "Grüße 😀",
            "text": "Line\n.\n.. dots\nü",
            "html": "<p>ü</p>",
            "headers": {"List-Unsubscribe": f"<https://example.com/{'u' * 400}>", "X-Mine": "1"},
        },
    )
    recipients = ["ada@example.com", "b@example.com", "c@example.com", "hidden@example.com"]
    assert result == {"message_id": f"<{context.job_id}@treadle>", "accepted": recipients, "refused": {}}
    (envelope,) = server.kept
    assert envelope.mail_from == "noreply@example.com"
    assert envelope.rcpt_tos == recipients
    message = server.message()
    assert message["From"].addresses[0].display_name == "Treadle, Inc."
    assert [(a.display_name, a.addr_spec) for a in message["To"].addresses] == [
        ("Ada Lovelace", "ada@example.com"),
        ("Bär, Ü", "b@example.com"),
    ]
    assert message["Reply-To"] == "help@example.com"
    assert message["Subject"] == "Grüße 😀"
    assert message["Message-ID"] == result["message_id"]
    assert message["X-Treadle-Job"] == str(context.job_id)
    assert message["List-Unsubscribe"] == f"<https://example.com/{'u' * 400}>"
    assert b"hidden@" not in (envelope.content or b"")
    assert f"List-Unsubscribe: <https://example.com/{'u' * 400}>\r\n".encode() in (envelope.content or b"")  # type: ignore[operator]
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    plain, html = message.iter_parts()
    assert plain.get_content().replace("\r\n", "\n") == "Line\n.\n.. dots\nü\n"
    assert html.get_content().strip() == "<p>ü</p>"


def test_the_message_id_is_the_same_on_every_attempt(server: Server, context: Context) -> None:
    run(context)
    context.attempt = 2
    run(context, text=None, html="<b>again</b>")
    assert server.message(0)["Message-ID"] == server.message(1)["Message-ID"]
    assert server.message(1).get_content_type() == "text/html"


@pytest.mark.filterwarnings("ignore:Session.login_data is deprecated:DeprecationWarning")  # aiosmtpd's own affair
@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")
def test_login(configure: Callable[..., None], context: Context) -> None:
    def check(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        return AuthResult(success=(data.login, data.password) == (b"me@x", b"p:/ "), handled=False)

    with running(authenticator=check, auth_required=True, auth_require_tls=False) as server:
        configure(smtp_url=f"smtp://me%40x:p%3A%2F%20@127.0.0.1:{server.port}")
        assert run(context)["accepted"] == ["ada@example.com"]
        configure(smtp_url=f"smtp://me%40x:wrong@127.0.0.1:{server.port}")
        with pytest.raises(Unauthorized) as caught:
            run(context)
        assert caught.value.status == 535
        assert "wrong" not in str(caught.value)
        configure(smtp_url=f"smtp://127.0.0.1:{server.port}")
        with pytest.raises(Unauthorized):
            run(context)
        assert len(server.kept) == 1


def test_a_server_without_login_is_refused_when_one_is_set(
    server: Server, configure: Callable[..., None], context: Context
) -> None:
    configure(smtp_url=f"smtp://me:hunter2@127.0.0.1:{server.port}")
    with pytest.raises(Rejected, match="AUTH") as caught:
        run(context)
    assert "hunter2" not in str(caught.value)


def test_tls_is_required_unless_on_loopback(server: Server, context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "_is_loopback", lambda _: False)
    with pytest.raises(Rejected, match="STARTTLS"):
        run(context)
    assert not server.kept


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_tls_is_verified(
    scheme: str, configure: Callable[..., None], context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "_is_loopback", lambda _: False)
    tls, certificate = certified(tmp_path, "localhost")
    options = {"tls_context": tls, "require_starttls": True} if scheme == "smtp" else {"ssl_context": tls}
    with running(**options) as server:
        configure(smtp_url=f"{scheme}://localhost:{server.port}")
        with pytest.raises(Transient, match="CERTIFICATE_VERIFY_FAILED"):
            run(context)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert run(context)["accepted"] == ["ada@example.com"]
        configure(smtp_url=f"{scheme}://127.0.0.1:{server.port}")  # which is not the name in the certificate
        with pytest.raises(Transient, match="CERTIFICATE_VERIFY_FAILED"):
            run(context)
        assert len(server.kept) == 1


def test_smtps_speaks_tls_first(server: Server, configure: Callable[..., None], context: Context) -> None:
    configure(smtp_url=f"smtps://127.0.0.1:{server.port}")
    with pytest.raises(Transient) as caught:
        run(context)
    assert "SSL" in str(caught.value)


def test_one_refused_recipient_is_told_and_the_others_get_it(server: Server, context: Context) -> None:
    server.answers = {"gone@example.com": "550 5.1.1 no such user", "full@example.com": "452 4.2.2 mailbox full"}
    result = run(context, to=["gone@example.com", "ada@example.com"], cc=["full@example.com"])
    assert result["accepted"] == ["ada@example.com"]
    assert result["refused"] == {
        "gone@example.com": {"code": 550, "message": "5.1.1 no such user"},
        "full@example.com": {"code": 452, "message": "4.2.2 mailbox full"},
    }
    assert len(server.kept) == 1


REPLIES: list[tuple[str, type[TaskError], str | None]] = [
    ("550 5.1.1 no such user", Rejected, "5.1.1"),
    ("552 too large", Rejected, None),
    ("554 5.7.1 spam", Rejected, "5.7.1"),
    ("450 4.2.1 later", Transient, "4.2.1"),
    ("451 4.7.1 greylisted, generate trust and corporate come back", Transient, "4.7.1"),
    ("421 4.7.28 unusual rate of mail", RateLimited, "4.7.28"),
    ("450 too many messages", RateLimited, None),
    ("451 4.3.2 Throttling", RateLimited, "4.3.2"),
    ("530 5.7.0 authenticate first", Unauthorized, "5.7.0"),
]


@pytest.mark.parametrize("where", ["DATA", "ada@example.com"])
@pytest.mark.parametrize(("answer", "kind", "code"), REPLIES)
def test_replies(answer: str, kind: type[TaskError], code: str | None, where: str, server: Server, context: Context) -> None:
    server.answers = {where: answer}
    with pytest.raises(TaskError) as caught:
        run(context)
    assert type(caught.value) is kind
    assert caught.value.status == int(answer[:3])
    assert caught.value.code == code
    assert answer[4:] in str(caught.value)


def test_all_refused_is_tried_again_if_one_may_be_taken_later(server: Server, context: Context) -> None:
    server.answers = {"gone@example.com": "550 no such user", "full@example.com": "452 mailbox full"}
    with pytest.raises(Transient) as caught:
        run(context, to=["gone@example.com", "full@example.com"])
    assert set(caught.value.detail) == {"gone@example.com", "full@example.com"}
    assert not server.kept


def breaks_off(script: list[str]) -> Callable[[socket.socket], None]:
    """Plays the script, an answer a command, and closes; "..." is silence until the client leaves."""

    def handle(connection: socket.socket) -> None:
        with connection.makefile("rb") as lines:
            for answer in script:
                if answer == "...":
                    lines.read()
                    return
                connection.sendall(answer.encode() + b"\r\n")
                in_message = answer.startswith("354")
                while (line := lines.readline()) and in_message and line != b".\r\n":
                    pass

    return handle


@pytest.mark.parametrize("steps", range(len(SCRIPT)))
def test_a_connection_that_breaks_off(steps: int, configure: Callable[..., None], context: Context) -> None:
    with serving() as serve:
        configure(smtp_url=f"smtp://127.0.0.1:{serve(breaks_off(SCRIPT[:steps]))}")
        if steps > 5:  # all it left unsaid is the answer to QUIT
            assert run(context)["accepted"] == ["ada@example.com"]
            return
        with pytest.raises(Ambiguous if steps >= 4 else Transient) as caught:
            run(context)
    assert type(caught.value) in {Ambiguous, Transient}


@pytest.mark.parametrize("last", ["999 what", "no sense", "354 again"])
def test_a_senseless_answer_to_the_message(last: str, configure: Callable[..., None], context: Context) -> None:
    with serving() as serve:
        configure(smtp_url=f"smtp://127.0.0.1:{serve(breaks_off([*SCRIPT[:5], last]))}")
        with pytest.raises(Ambiguous, match="may have been sent"):
            run(context)


@pytest.mark.parametrize(("steps", "kind"), [(0, Transient), (2, Transient), (4, TimedOut), (5, TimedOut)])
def test_silence_ends_with_the_attempts_time(
    steps: int, kind: type[TaskError], configure: Callable[..., None], context: Context
) -> None:
    context.deadline = clock.monotonic() + 1
    with serving() as serve:
        configure(smtp_url=f"smtp://127.0.0.1:{serve(breaks_off([*SCRIPT[:steps], '...']))}")
        with pytest.raises(kind):
            run(context)


@pytest.mark.parametrize("greeting", ["554 5.7.1 you are blocked", "421 4.3.2 not now"])
def test_an_unfriendly_greeting(greeting: str, configure: Callable[..., None], context: Context) -> None:
    with serving() as serve:
        configure(smtp_url=f"smtp://127.0.0.1:{serve(breaks_off([greeting]))}")
        with pytest.raises(Rejected if greeting.startswith("5") else Transient):
            run(context)


def test_no_server_there(configure: Callable[..., None], context: Context) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    configure(smtp_url=f"smtp://me:hunter2@127.0.0.1:{port}")
    with pytest.raises(Transient) as caught:
        run(context)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "url", [None, "", "mail.example.com", "http://mail.example.com", "smtp://", "smtp://h:port", "smtp://[bad"]
)
def test_without_a_usable_setting_it_says_what_mends_it(
    url: str | None, configure: Callable[..., None], context: Context
) -> None:
    configure(**({} if url is None else {"smtp_url": url}))
    with pytest.raises(Rejected, match=r"TREADLE_ACCOUNTS__SMTP__URL.*smtp://USER:PASSWORD@HOST:587") as caught:
        run(context)
    assert caught.value.code == "not_configured"


def test_no_message_without_trust_or_wish(server: Server, context: Context) -> None:
    calls = iter([False] * 3)
    context.is_cancelled = lambda: not next(calls, False) and next(calls, None) is None
    with pytest.raises(Cancelled):
        run(context)
    context.is_cancelled, context.is_trusted = (lambda: False), (lambda: False)
    with pytest.raises(LeaseLost):
        run(context)
    assert not server.kept


def test_an_unknown_outcome_is_not_repeated() -> None:
    load()
    assert catalogue.find("smtp.send").retry.on_unknown == "confirm"


@pytest.mark.parametrize(
    "change",
    [
        *(
            {"from": bad}
            for bad in ("", "ada", "a@", "@b", "a b@c", "a@b c", "a@b\r\nBcc: x@y", "Ada <a@b>\n", "a@b>", "<a@b", "ü@b.c")
        ),
        *(
            {"to": [bad]}
            for bad in (
                "A\r\nBcc: x@y <a@b>",
                "A\0 <a@b>",
                "a@b, c@d",
                'A" <a@b>',
                "a..b@c",
                ".a@b",
                "a@-b",
                "A\u2028 <a@b>",
            )
        ),
        *({"to": bad} for bad in ([], ["a@example.com"] * 51, ["x" * 65 + "@b"], ["a@" + "b" * 300])),
        *(
            {"subject": bad}
            for bad in ("", "a\r\nBcc: x@y", "a\nb", "a\rb", "a\0b", "a\x0bb", "a\u2028b", "a\x85b", "x" * 501)
        ),
        *(
            {"headers": {bad: "x"}}
            for bad in ("Bcc", "bcc", "FROM", "Content-Type", "Message-ID", "X Y", "X:Y", "X\r\nBcc", "", "Date")
        ),
        *({"headers": {"X": bad}} for bad in ("a\r\nBcc: x@y", "a\nb", "a\n", "a\0", "é", "a\u2028b")),
        {"headers": {"X-A": "1", "x-a": "2"}},
        {"reply_to": "a@b\r\nBcc: x@y"},
        {"text": None},
        {"nonsense": 1},
    ],
)
def test_payloads_that_cannot_be(change: dict[str, Any]) -> None:
    load()
    with pytest.raises(Invalid):
        catalogue.find("smtp.send").read(LETTER | change)


words = st.text(max_size=80)


@given(name=words, subject=words, text=words, header=words, key=st.text(max_size=20))
def test_whatever_is_accepted_makes_the_headers_it_names_and_no_other(
    name: str, subject: str, text: str, header: str, key: str
) -> None:
    load()
    payload = LETTER | {"to": [f"{name} <ada@example.com>"], "subject": subject, "text": text, "headers": {key: header}}
    try:
        letter: Email = catalogue.find("smtp.send").read(payload)
    except Invalid:
        return
    raw = compose(letter, Context(job_id=uuid4(), task="smtp.send")).as_bytes()
    head = raw.partition(b"\r\n\r\n")[0]
    named = {line.partition(b":")[0].lower() for line in head.split(b"\r\n") if not line.startswith((b" ", b"\t"))}
    ours = {b"from", b"to", b"subject", b"date", b"message-id", b"x-treadle-job", b"mime-version"}
    assert named - {b"content-type", b"content-transfer-encoding"} == ours | {key.encode().lower()}
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert max(map(len, head.split(b"\r\n"))) <= 998
