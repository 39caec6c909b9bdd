"""The door: `uvicorn api.app:app`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

import tasks
from api import middleware, openapi, problems, shortcut
from api.auth import Keys, documented
from api.ledger import Ledger
from api.oidc import Issuer
from api.prefer import Finishes
from api.routes import (
    acts,
    audit,
    bulk,
    bulk_actions,
    endpoints,
    events,
    health,
    hooks,
    jobs,
    keys,
    providers,
    queues,
    schedules,
    sources,
    streams,
    subscriptions,
)
from api.routes import tasks as task_routes
from api.streams import Streams
from runtime import database, logs
from runtime.publisher import publisher
from runtime.settings import settings
from runtime.settle import settle

_ABOUT = """Send a job; it is committed before you get your 202, and runs with retries and backoff until it is done or dead.

Every error is an RFC 9457 problem. `Idempotency-Key` makes a POST safe to repeat."""


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    logs.configure("api")
    database.use(database.create_engine(settings().ledger_url, settings().door_patience))
    attach(app, Ledger(settings().door_patience))
    settle()
    yield
    app.state.ledger.close()
    publisher.close()
    database.use(None)


def attach(app: FastAPI, ledger: Ledger) -> None:
    """Give the application its ledger, and what watches it."""
    app.state.ledger = ledger
    app.state.keys = Keys(ledger)
    app.state.issuer = Issuer()
    app.state.finishes = Finishes(ledger)
    app.state.streams = Streams(ledger)


def create_app() -> FastAPI:
    """The application, with every task of the catalogue in its document."""
    tasks.load()
    app: FastAPI = FastAPIOffline(  # the reference at /docs needs nothing from outside
        redoc_url=None,
        static_url="/docs/assets",
        title="Treadle",
        version="0.1.0",
        summary="Durable background jobs over HTTP",
        description=_ABOUT,
        lifespan=_lifespan,
        redirect_slashes=False,  # a redirect would lead to http:// behind a proxy, and few clients follow it with a POST
    )
    problems.install(app)
    for module in (
        bulk,
        jobs,
        acts,
        streams,
        bulk_actions,
        audit,
        keys,
        task_routes,
        queues,
        schedules,
        events,
        subscriptions,
        endpoints,
        sources,
    ):
        app.include_router(module.router, dependencies=[documented])
    app.include_router(providers.router, dependencies=[documented])
    app.include_router(hooks.router)
    app.include_router(health.router)
    middleware.install(app)
    app.openapi = lambda: openapi.describe(app)  # type: ignore[method-assign]  # FastAPI's own way
    return app


app = shortcut.past(create_app())
