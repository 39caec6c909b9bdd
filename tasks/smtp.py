"""Speaking SMTP, so that at each point it is known whether the message may have been taken."""

import contextlib
import re
import smtplib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_address
from typing import Any
from urllib.parse import unquote, urlsplit

from jobs.errors import Ambiguous, RateLimited, Rejected, TaskError, TimedOut, Transient, Unauthorized
from tasks.context import Context

_BUSY = re.compile(r"\brate\b|too (many|much|fast)|throttl|\b4\.7\.28\b", re.IGNORECASE)
_LOGIN_REFUSED = {530, 534, 535, 538}


@dataclass(frozen=True)
class Server:
    """A mail server and how to log in to it."""

    host: str
    port: int
    tls_first: bool
    user: str | None
    password: str = field(repr=False)

    @classmethod
    def at(cls, address: str) -> "Server":
        """The server of a URL: smtp:// (587; STARTTLS) or smtps:// (465).

        Raises:
            ValueError: it is not such a URL. The sentence does not repeat it.
        """
        try:
            url = urlsplit(address)
            host, port, tls_first = url.hostname, url.port, url.scheme == "smtps"
        except ValueError:
            host, port, tls_first = None, None, False
        if not host or url.scheme not in {"smtp", "smtps"}:
            raise ValueError("a mail server reads smtp://USER:PASSWORD@HOST:587 or smtps://…")
        user = unquote(url.username) if url.username else None
        return cls(host, port or (465 if tls_first else 587), tls_first, user, unquote(url.password or ""))


@contextlib.contextmanager
def session(server: Server, name: str, context: Context | None = None) -> Iterator[smtplib.SMTP]:
    """A connection that is encrypted (unless on loopback) and logged in. `name` is said in the greeting: a domain of ours.

    Raises:
        Transient: there is none to be had now.
        Rejected, Unauthorized: the server offers no TLS or no way to log in, or does not accept the credentials.
        Cancelled, TimedOut, LeaseLost: the job may not make this call.
    """
    connection = _connect(server, name, context)
    try:
        _secure_and_log_in(connection, server)
        yield connection
    finally:
        # What the server says to QUIT changes nothing about the message.
        with contextlib.suppress(OSError):
            if connection.sock is not None:
                connection.sock.settimeout(2)
                connection.quit()
        connection.close()


def _connect(server: Server, name: str, context: Context | None) -> smtplib.SMTP:
    # Without a name smtplib asks the DNS for one of this machine, and that has no time limit.
    seconds = 10.0
    if context is not None:
        context.check()
        seconds = min(seconds, context.remaining().total_seconds())
    try:
        if server.tls_first:
            return smtplib.SMTP_SSL(server.host, server.port, name, timeout=seconds, context=ssl.create_default_context())
        return smtplib.SMTP(server.host, server.port, name, timeout=seconds)
    except smtplib.SMTPResponseException as error:
        raise _refusal("the mail server's greeting", error.smtp_code, error.smtp_error) from error
    except OSError as error:
        raise Transient(
            f"The mail server {server.host}:{server.port} cannot be reached: {error}.", code="connect"
        ) from error


def _secure_and_log_in(connection: smtplib.SMTP, server: Server) -> None:
    try:
        connection.ehlo_or_helo_if_needed()
        if not server.tls_first and not _is_loopback(connection):
            connection.starttls(context=ssl.create_default_context())
            connection.ehlo_or_helo_if_needed()
        if server.user is not None:
            connection.login(server.user, server.password)
    except smtplib.SMTPResponseException as error:
        raise _refusal("the mail server's answer before the message", error.smtp_code, error.smtp_error) from error
    except smtplib.SMTPServerDisconnected as error:
        raise Transient(f"The mail server closed the connection before the message: {error}.", code="connect") from error
    except (smtplib.SMTPException, UnicodeError) as error:
        # It offers no STARTTLS, or no way to log in that smtplib knows; another attempt will not either.
        raise Rejected(f"The mail server will not do: {error} (TLS is required unless it is on loopback).") from error
    except OSError as error:
        raise Transient(f"TLS with the mail server failed: {error}.", code="connect") from error


def announce(
    connection: smtplib.SMTP, sender: str, recipients: list[str], context: Context
) -> tuple[list[str], dict[str, Any]]:
    """Name the sender and the recipients; returns who was accepted, and who was refused with code and message.

    Raises:
        Transient, RateLimited, Rejected, Unauthorized: the sender or every recipient was refused, or the connection lost.
        Cancelled, TimedOut, LeaseLost: the job may go no further.
    """
    accepted: list[str] = []
    refused: dict[str, Any] = {}
    errors: list[TaskError] = []
    try:
        _keep_time(connection, context)
        code, words = connection.mail(sender)
        if not _is_yes(code):
            raise _refusal("the sender", code, words)
        for address in recipients:
            _keep_time(connection, context)
            code, words = connection.rcpt(address)
            if _is_yes(code):
                accepted.append(address)
                continue
            errors.append(_refusal(f"the recipient {address}", code, words))
            refused[address] = {"code": code, "message": words.decode(errors="replace")[:500]}
    except OSError as error:
        raise Transient(f"The mail server was lost before the message: {error}.", code="connect") from error
    if not accepted:
        worst = next((error for error in errors if isinstance(error, Transient)), errors[0])
        worst.detail = refused
        raise worst
    return accepted, refused


def hand_over(connection: smtplib.SMTP, raw: bytes, context: Context) -> None:
    """Send the message itself.

    Raises:
        Ambiguous: the connection was lost, or the answer unreadable, when the message may have been taken; TimedOut, if
            because the attempt's time was up.
        Transient, RateLimited, Rejected, Unauthorized: the server refused it.
        Cancelled, TimedOut, LeaseLost: the job may go no further; nothing was sent.
    """
    _keep_time(connection, context)
    try:
        code, words = connection.data(raw)
    except smtplib.SMTPDataError as error:
        raise _refusal("the message", error.smtp_code, error.smtp_error) from error
    except OSError as error:
        kind = TimedOut if context.remaining() < timedelta(milliseconds=50) else Ambiguous
        raise kind(f"The mail server was lost while it took the message ({error}); it may have been sent.") from error
    if 400 <= code < 600:
        raise _refusal("the message", code, words)
    if not _is_yes(code):
        raise Ambiguous(f"The mail server's answer to the message makes no sense ({code}); it may have been sent.")


def _refusal(what: str, code: int, words: bytes | str) -> TaskError:
    text = words.decode(errors="replace") if isinstance(words, bytes) else words
    text = " ".join(text.split())[:500]
    enhanced = re.match(r"[245]\.\d{1,3}\.\d{1,3}\b", text)
    kept: dict[str, Any] = {"status": code, "code": enhanced[0] if enhanced else None}
    sentence = f"The mail server refused {what}: {code} {text}"
    if code in _LOGIN_REFUSED:
        return Unauthorized(sentence, **kept)
    if 500 <= code < 600:
        return Rejected(sentence, **kept)
    return RateLimited(sentence, **kept) if _BUSY.search(text) else Transient(sentence, **kept)


def _keep_time(connection: smtplib.SMTP, context: Context) -> None:
    context.check()
    if connection.sock is not None:
        connection.sock.settimeout(min(30.0, max(0.05, context.remaining().total_seconds())))


def _is_yes(code: int) -> bool:
    return 200 <= code < 300


def _is_loopback(connection: smtplib.SMTP) -> bool:
    return connection.sock is not None and ip_address(connection.sock.getpeername()[0]).is_loopback
