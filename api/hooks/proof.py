"""Proofs: the one comparison of secrets, the window of time, and the digests that families are made of."""

import hashlib
import hmac
from collections.abc import Iterable

from jobs.errors import Forged
from runtime import clock

WINDOW = 300.0  # seconds that a signed time may be off, either way


def same(expected: Iterable[str | bytes], given: Iterable[str | bytes]) -> None:
    """Hold only if any of the given is one of the expected; every pair is compared, in constant time.

    Raises:
        Forged: none is.
    """
    found, candidates = False, [_bytes(each) for each in given]
    for one in expected:
        for other in candidates:
            found |= hmac.compare_digest(_bytes(one), other)
    if not found:
        raise Forged("the signature does not hold")


def fresh(seconds: str | float, window: float = WINDOW) -> float:
    """The signed time, in seconds since 1970.

    Raises:
        Forged: it is none, or too far from now.
    """
    try:
        at = float(seconds)
    except ValueError:
        raise Forged("the signed time is none") from None
    if not abs(clock.now().timestamp() - at) <= window:  # so that NaN is too far, too
        raise Forged("the signed time is too far from now")
    return at


def mac(secret: str | bytes, message: str | bytes, digest: str = "sha256") -> bytes:
    """The HMAC of a message."""
    return hmac.digest(_bytes(secret), _bytes(message), digest)


def sha256(message: bytes) -> str:
    """The digest of a message, in hex."""
    return hashlib.sha256(message).hexdigest()


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("utf-8", "surrogateescape")
