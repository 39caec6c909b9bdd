"""Public keys that providers sign with: given by the user, or fetched from the provider's own host and kept for a day.

cryptography takes 13 MB of memory, for who has such sources: it is imported on first use.
"""

import base64
import re
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Literal, TypeVar

from api import jose
from jobs.errors import Forged, TaskError
from runtime import clock
from tasks import http

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from jwt import PyJWK

Read = TypeVar("Read")

KEEP = 86_400.0  # seconds
_MOST = 100
_TIMEOUT = timedelta(seconds=3)

_fetched: dict[str, tuple[float, bytes]] = {}


def ecdsa(keys: Iterable[str], signature: str, signed: bytes) -> None:
    """Hold only if one of the P-256 keys (base64 DER) made the signature (base64) with SHA-256.

    Raises:
        Forged: none did.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.hashes import SHA256

    for key in keys:
        public = _curve(key)
        assert public is not None  # noqa: S101 - looked at when the source was set up
        try:
            public.verify(_decoded(signature), signed, ECDSA(SHA256()))
        except InvalidSignature:
            continue
        return
    raise Forged("the signature does not hold")


def check_ecdsa(key: str) -> bool:
    """Whether it is such a key."""
    return _curve(key) is not None


def _curve(key: str) -> "EllipticCurvePublicKey | None":
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        public = load_der_public_key(base64.b64decode(key, validate=True))
    except (ValueError, UnsupportedAlgorithm):
        return None
    return public if isinstance(public, EllipticCurvePublicKey) else None


def rsa(url: str, host: str, signature: str, signed: bytes, digest: Literal["SHA1", "SHA256"]) -> None:
    """Hold only if the certificate at the URL made the signature (base64); `host` is a pattern of hosts that may have it.

    Raises:
        Forged: it did not, or the URL is no such host's, or nothing usable is there.
    """
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    if not re.fullmatch(rf"https://{host}/[\w./-]+", url, re.ASCII):
        raise Forged("the certificate is not the provider's")
    certificate = _read(url, x509.load_pem_x509_certificate)
    key = certificate.public_key()
    valid = certificate.not_valid_before_utc <= clock.now() <= certificate.not_valid_after_utc
    if not isinstance(key, RSAPublicKey) or not valid:
        raise Forged("the certificate is of no use")
    try:
        key.verify(_decoded(signature), signed, PKCS1v15(), getattr(hashes, digest)())
    except InvalidSignature:
        raise Forged("the signature does not hold") from None


def token_key(token: str, url: str) -> "PyJWK":
    """The key of a JSON web key set that signed a token.

    Raises:
        Forged: it is not in the set, or there is no set.
    """
    try:
        wanted = jose.key_id(token)
    except ValueError:
        raise Forged("the token is none") from None
    known = _read(url, jose.key_set)
    if wanted not in known:
        raise Forged("the token's key is unknown")
    return known[wanted]


def _read(url: str, read: Callable[[bytes], Read]) -> Read:
    until, content = _fetched.get(url, (0.0, b""))
    if clock.monotonic() >= until:
        try:
            content = http.raise_for(http.send("GET", url, timeout=_TIMEOUT, keep=65_536)).body
        except TaskError as error:
            raise Forged(f"the provider's key could not be fetched: {error}") from error
    try:
        found = read(content)
    except ValueError:
        raise Forged("the provider's key cannot be read") from None
    if len(_fetched) >= _MOST:
        _fetched.clear()
    _fetched[url] = (clock.monotonic() + KEEP, content)
    return found


def _decoded(signature: str) -> bytes:
    try:
        return base64.b64decode(signature, validate=True)
    except ValueError:
        raise Forged("the signature is not base64") from None
