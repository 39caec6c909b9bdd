"""/v1/hooks: where providers post to. No key of ours is asked for: their signatures are."""

import asyncio
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Path, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from api.dependencies import InLedger, RequestId
from api.hooks import KINDS, Greeting, Post, Setup, Told
from api.hooks.post import PREFIX
from api.problems import Refused
from jobs import sources
from jobs.arrival import Arrival
from jobs.errors import Forged, Invalid
from jobs.model import Source
from runtime import metrics

router = APIRouter(prefix=PREFIX, tags=["hooks"])
log = structlog.get_logger()

Name = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
Token = Annotated[str, Path(min_length=1, max_length=256)]
_POSTED: dict[int | str, dict[str, Any]] = {405: {"description": "This source's kind knows no handshake: it is posted to."}}
_BODY: dict[str, Any] = {"requestBody": {"required": True, "content": {"*/*": {"schema": {}}}}}


@router.post("/{source}", openapi_extra=_BODY)
async def take_hook(source: Name, request: Request, ledger: InLedger, request_id: RequestId) -> Response:
    """Take a provider's webhook: proven by its signature, stored once, answered at once."""
    return await _take(source, "", request, ledger, request_id)


@router.post("/{source}/{token}", openapi_extra=_BODY)
async def take_hook_by_secret(
    source: Name, token: Token, request: Request, ledger: InLedger, request_id: RequestId
) -> Response:
    """The same, of a provider that signs nothing: the last part of the path is its secret."""
    return await _take(source, token, request, ledger, request_id)


@router.api_route("/{source}", methods=["GET"], responses=_POSTED)
@router.api_route("/{source}", methods=["OPTIONS"], include_in_schema=False)
async def greet_hook(source: Name, request: Request, ledger: InLedger) -> Response:
    """Answer a provider's handshake."""
    return await _greet(source, "", request, ledger)


@router.api_route("/{source}/{token}", methods=["GET"], responses=_POSTED)
@router.api_route("/{source}/{token}", methods=["OPTIONS"], include_in_schema=False)
async def greet_hook_by_secret(source: Name, token: Token, request: Request, ledger: InLedger) -> Response:
    """The same, with a secret in the path."""
    return await _greet(source, token, request, ledger)


async def _take(name: str, token: str, request: Request, ledger: InLedger, request_id: str) -> Response:
    source = await ledger.read(lambda session: sources.find(session, name))
    setup = Setup(source.name, source.secrets, source.options)
    post = await _post(request, token)
    try:
        told = await asyncio.to_thread(KINDS[source.kind].verify, post, setup)  # it may have to fetch a key
        if isinstance(told, Greeting):
            return _answer(told)
        arrivals, visits = _arrivals(source, setup, told), [each.visit for each in told if each.visit]
        if arrivals:
            await ledger.write(
                lambda session: sources.receive(session, source, arrivals, visits, request_id), row=f"source {source.name}"
            )
    except Forged as forged:
        raise _refuse(source, str(forged)) from None
    except Invalid as invalid:
        metrics.hooks.labels(source.kind, "malformed").inc()
        raise Refused("malformed-request", f"This is not what {source.kind} sends. {invalid}") from None
    metrics.hooks.labels(source.kind, "taken").inc()
    return Response()


async def _greet(name: str, token: str, request: Request, ledger: InLedger) -> Response:
    source = await ledger.read(lambda session: sources.find(session, name))
    greet = KINDS[source.kind].greet
    if greet is None:
        raise Refused("method-not-allowed", "This source is posted to.", {"Allow": "POST"})
    try:
        return _answer(greet(await _post(request, token), Setup(source.name, source.secrets, source.options)))
    except Forged as forged:
        raise _refuse(source, str(forged)) from None


async def _post(request: Request, token: str) -> Post:
    headers = dict(reversed(request.headers.items()))  # of twins the first counts
    return Post(headers, await request.body(), dict(request.query_params), request.url.query, token, request.method)


def _arrivals(source: Source, setup: Setup, told: list[Told]) -> list[Arrival]:
    prefix = KINDS[source.kind].prefix(setup)
    return [
        Arrival(
            f"{prefix}.{each.type}",
            f"{PREFIX}/{source.name}",
            each.id,
            each.data,
            each.subject,
            each.at,
            about=each.about,
            nonce=each.nonce,
        )
        for each in told
    ]


def _answer(greeting: Greeting) -> Response:
    if isinstance(greeting.body, dict):
        return JSONResponse(greeting.body, headers=greeting.headers)
    return PlainTextResponse(greeting.body, headers=greeting.headers)


def _refuse(source: Source, why: str) -> Refused:
    """What went wrong is for our log: who forges learns nothing from the answer."""
    metrics.hooks.labels(source.kind, "forged").inc()
    log.warning("a webhook was refused", source=source.name, kind=source.kind, why=why)
    return Refused("forged", "The signature does not hold.", {"WWW-Authenticate": "Signature"})
