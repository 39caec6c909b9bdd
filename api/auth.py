"""Who calls: a key or a token in `Authorization: Bearer`, looked at before the body is read. Routes ask for scopes."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer

from api.ledger import Ledger, LedgerBusy
from api.problems import Refused
from jobs import keys
from jobs.keys import Caller, Scope
from runtime import clock
from runtime.settings import settings

REMEMBER = 1.0  # seconds: a revoked key ends within this
MOMENT = 0.01  # seconds until it is asked again: whoever's request is the occasion has his answer by then
_MOST = 10_000


class Keys:
    """Checks keys against the ledger, remembering each answer for a moment."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._known: dict[bytes, tuple[float, Caller | None]] = {}
        self._asked: dict[bytes, asyncio.Task[None]] = {}  # again, before the answer is too old

    async def caller(self, presented: str) -> Caller | None:
        """Who a key stands for. While the database is away, a key that was just valid still is.

        Whoever asks often never waits for the ledger: it is asked again while the last answer still holds.
        """
        digest = _digest(presented)
        is_known, caller = self._recall(digest, presented)
        return caller if is_known else await self._ask(digest, presented)

    def remembered(self, presented: str) -> Caller | None:
        """Who a key stands for, if the ledger said so within the last moment."""
        return self._recall(_digest(presented), presented)[1]

    def _recall(self, digest: bytes, presented: str) -> tuple[bool, Caller | None]:
        until, caller = self._known.get(digest, (0.0, None))
        left = until - clock.monotonic()
        if left <= 0:
            return False, None
        if left <= REMEMBER / 2 and digest not in self._asked:
            self._asked[digest] = asyncio.create_task(self._ask_again(digest, presented))
        return True, caller

    async def _ask(self, digest: bytes, presented: str) -> Caller | None:
        began = clock.monotonic()
        caller = await self._ledger.read(lambda session: keys.verify(session, presented))
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[digest] = (began + REMEMBER, caller)
        return caller

    async def _ask_again(self, digest: bytes, presented: str) -> None:
        try:
            await asyncio.sleep(MOMENT)
            with suppress(LedgerBusy):  # who asks later will hear of it
                await self._ask(digest, presented)
        finally:
            del self._asked[digest]


def _digest(presented: str) -> bytes:
    return hashlib.sha256(presented.encode("utf-8", "surrogateescape")).digest()


async def authenticate(request: Request) -> Caller:
    """The caller of a request.

    Raises:
        Refused: there is no key, or it is not valid; the answer does not say which part was wrong. Or a token gives no role.
        LedgerBusy: the database cannot say.
    """
    scheme, _, presented = request.headers.get("authorization", "").partition(" ")
    caller = await _known(request, presented.strip()) if scheme.lower() == "bearer" else None
    if caller is None:
        challenge = {"WWW-Authenticate": 'Bearer realm="treadle"'}
        raise Refused("unauthenticated", "There is no valid API key in the Authorization header.", challenge)
    found: Caller = caller
    return found


async def _known(request: Request, presented: str) -> Caller | None:
    if settings().oidc_issuer and not presented.startswith("tr_"):
        token: Caller | None = await request.app.state.issuer.caller(presented)
        return token
    key: Caller | None = await request.app.state.keys.caller(presented)
    return key


def needs(scope: Scope, *, within_reach: bool = False) -> Callable[[Request], Awaitable[Caller]]:
    """A dependency: the caller, whose key must have the scope. Only routes that heed a key's reach let a bounded one in."""

    async def check(request: Request) -> Caller:
        caller: Caller = getattr(request.state, "caller", None) or await authenticate(request)
        if not caller.may(scope):
            raise Refused("forbidden", f"This needs a key with the scope {scope!r}; this key has {caller.scope!r}.")
        if caller.reach.is_bounded and not within_reach:
            raise Refused("forbidden", "This key is restricted to jobs of some tasks or queues; this is not about one job.")
        return caller

    return check


_documented = HTTPBearer(
    scheme_name="api_key",
    description="`tr_…`, made with `treadle keys create`; or a token of your identity provider, if one is set up",
    auto_error=False,
)

Reader = Annotated[Caller, Depends(needs("read"))]
Operator = Annotated[Caller, Depends(needs("operate"))]
Writer = Annotated[Caller, Depends(needs("write"))]
Admin = Annotated[Caller, Depends(needs("admin"))]
JobReader = Annotated[Caller, Depends(needs("read", within_reach=True))]
JobOperator = Annotated[Caller, Depends(needs("operate", within_reach=True))]
job_writer = needs("write", within_reach=True)
JobWriter = Annotated[Caller, Depends(job_writer)]
documented = Security(_documented)

__all__ = [
    "Admin",
    "JobOperator",
    "JobReader",
    "JobWriter",
    "Keys",
    "LedgerBusy",
    "Operator",
    "Reader",
    "Writer",
    "authenticate",
    "documented",
    "job_writer",
    "needs",
]
