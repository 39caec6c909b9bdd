"""The way out: every HTTP call leaves through here, and reaches public addresses only.

The rule is applied to the resolved addresses, at each connect, and the connection goes to an address that was checked. So a
name that resolves otherwise a moment later (rebinding), a redirect or an odd spelling of 127.0.0.1 gains nothing. SNI and
Host keep the name. No proxy is taken from the environment.
"""

import queue
import re
import socket
import ssl
import threading
from collections.abc import Iterable
from contextvars import ContextVar
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

import httpcore2
import httpx2
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_fixed

from jobs.errors import Rejected, Transient
from runtime import clock
from runtime.settings import settings

# What `is_global` lets through in one Python or another and that still leads inside: tunnels and translators that carry an
# IPv4 address, site-local addresses, and the one public address that answers inside Azure's machines only.
_INSIDE = [
    ip_network(network)
    for network in (
        *("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "fec0::/10", "::/96", "3fff::/20", "5f00::/16"),
        *("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32"),
    )
]
_HOST = re.compile(rb"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")
_SocketOptions = Iterable[tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]]

until: ContextVar[float | None] = ContextVar("until", default=None)
"""The instant of the monotonic clock at which the present exchange ends, however slowly its bytes drip."""

dial = httpcore2.SyncBackend()


def is_public(address: str) -> bool:
    """Whether an IP address may be called by anyone who can create a job."""
    ip = ip_address(address)
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    inside = any(ip in network for network in _INSIDE if network.version == ip.version)
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or inside)


def check_url(url: str) -> str:
    """The URL, if it is one that can be called: http or https, with a host, without credentials.

    Raises:
        ValueError: it is not; the sentence never repeats the URL, which may hold a password.
    """
    try:
        parsed = httpx2.URL(url)
        fits = parsed.scheme in {"http", "https"} and _HOST.fullmatch(parsed.raw_host) and (parsed.port or 0) < 65_536
        fits = fits and not any(character.isspace() for character in url)
    except (httpx2.InvalidURL, ValueError):
        fits = False
    if not fits:
        raise ValueError("an http:// or https:// URL with a host is needed")
    if parsed.userinfo:
        raise ValueError("a URL may not hold a user or password; send them in the Authorization header")
    return url


def look_up(host: str, port: int, seconds: float) -> list[str]:
    """The addresses of a host, as text.

    Raises:
        Transient: they could not be found out within `seconds`.
        Rejected: it cannot be the name of a host.
    """
    answer: queue.SimpleQueue[list[str] | OSError | UnicodeError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answer.put(list(dict.fromkeys(str(info[4][0]) for info in infos)))
        except (OSError, UnicodeError) as error:
            answer.put(error)

    # getaddrinfo knows no time limit, so it gets a thread that can be left behind.
    threading.Thread(target=ask, name=f"look up {host[:64]}", daemon=True).start()
    try:
        found = answer.get(timeout=seconds)
    except queue.Empty:
        raise Transient(f"{host}: the name was not resolved within {seconds:.1f} s.", code="dns") from None
    if isinstance(found, UnicodeError):
        raise Rejected(f"{host[:255]!r} cannot be the name of a host.", code="bad_host") from found
    if isinstance(found, OSError):
        raise Transient(f"{host}: the name could not be resolved ({found.strerror or found}).", code="dns") from found
    return found


def guard(host: str, addresses: list[str]) -> None:
    """Refuse a host of which any address is private, unless the settings allow that.

    Raises:
        Rejected: with the code private_target. It names the host only: what a name resolves to inside is nobody's business.
    """
    if settings().allow_private_targets or all(map(is_public, addresses)):
        return
    raise Rejected(
        f"{host} is, or resolves to, an address that is not public (loopback, private, link-local, reserved, multicast or a "
        "tunnel into one), and jobs may call public addresses only. To allow it, for every job, start the workers with "
        "TREADLE_ALLOW_PRIVATE_TARGETS=1.",
        code="private_target",
    )


class _Backend(httpcore2.NetworkBackend):
    """Resolves, checks, and connects to what it checked. A refused connect is tried once more."""

    def __init__(self, *, guarded: bool) -> None:
        self._guarded = guarded

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: _SocketOptions | None = None,
    ) -> httpcore2.NetworkStream:
        twice = Retrying(
            stop=stop_after_attempt(2), wait=wait_fixed(0.1), retry=retry_if_exception(_was_refused), reraise=True
        )
        return twice(self._connect, host, port, timeout, socket_options)

    def _connect(
        self, host: str, port: int, timeout: float | None, socket_options: _SocketOptions | None
    ) -> httpcore2.NetworkStream:
        seconds = 5.0 if timeout is None else timeout
        end = clock.monotonic() + seconds
        addresses = look_up(host, port, left(seconds, httpcore2.ConnectTimeout) or seconds)
        if self._guarded:
            guard(host, addresses)
        failure: Exception = httpcore2.ConnectError(f"{host} has no address")
        for tried, address in enumerate(addresses):
            share = max(0.05, (end - clock.monotonic()) / (len(addresses) - tried))
            try:
                stream = dial.connect_tcp(
                    address, port, left(share, httpcore2.ConnectTimeout), socket_options=socket_options
                )
                return _Stream(stream)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure


class _Stream(httpcore2.NetworkStream):
    """A connection on which no operation outlasts `until`."""

    def __init__(self, stream: httpcore2.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, left(timeout, httpcore2.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), 16_384):
            self._stream.write(buffer[start : start + 16_384], left(timeout, httpcore2.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, left(timeout, httpcore2.ConnectTimeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class Transport(httpx2.HTTPTransport):
    """A connection pool behind the guard. It knows no cookies, proxies, .netrc or redirects."""

    def __init__(self, connections: int, *, guarded: bool = True) -> None:
        trusted = httpx2.create_ssl_context()
        super().__init__(verify=trusted)
        self._pool = httpcore2.ConnectionPool(
            ssl_context=trusted,
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=5.0,
            network_backend=_Backend(guarded=guarded),
        )


def left(timeout: float | None, late: type[Exception]) -> float | None:
    """Seconds an operation may take: `timeout`, or the time to `until` if that is less. Raises `late` if that is past."""
    end = until.get()
    if end is None:
        return timeout
    seconds = end - clock.monotonic()
    if seconds <= 0:
        raise late("its time is up")
    return seconds if timeout is None else min(seconds, timeout)


def _was_refused(error: BaseException) -> bool:
    return isinstance(error, httpcore2.ConnectError) and isinstance(error.__cause__, ConnectionRefusedError)
