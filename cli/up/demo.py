"""The first job: an HTTP call that fails once, is retried when the other side said to, and succeeds."""

import secrets
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from importlib.util import find_spec
from typing import Any

from cli import show
from cli.client import Client, Unreachable
from cli.up.catcher import Catcher
from client import FINAL

PATIENCE = 60.0


def submit(client: Client, catcher: Catcher) -> dict[str, Any]:
    """Submit the job; the endpoint will refuse it once."""
    target = f"{catcher.url}/flaky/{secrets.token_hex(4)}"
    body = {
        "task": "http.request",
        "payload": {"method": "POST", "url": target, "json": {"hello": "treadle"}},
        "tags": ["first-job"],
    }
    job: dict[str, Any] = client.ask("POST", "/v1/jobs", body=body)
    return job


def sandbox_jobs() -> list[tuple[str, dict[str, Any]]]:
    """What a newcomer tries in the sandbox: a mail, a payment and an address."""
    who, source = ("stripe", "pm_card_visa") if find_spec("stripe") else ("paypal", "8kk8451t")
    mail = {"from": "treadle@example.com", "to": ["ada@example.com"], "subject": "Hello", "text": "Dear Ada, it runs."}
    charge = {"accounts": [who], "amount": 1999, "currency": "EUR", "source": source, "reference": "order-7"}
    return [
        ("send a mail", {"task": "email.send", "payload": {"accounts": ["smtp"], **mail}}),
        ("take a payment", {"task": "payment.charge", "payload": charge}),
        ("find an address", {"task": "geocode", "payload": {"query": "Augustusplatz 10, Leipzig"}}),
    ]


def follow(client: Client, job_id: str, wait_until: Callable[[Callable[[], bool], float, str], None]) -> dict[str, Any]:
    """Wait for the job to finish and return it with its attempts."""
    job: dict[str, Any] = {}

    def finished() -> bool:
        with suppress(Unreachable):  # it may be starting again
            job.update(client.ask("GET", "/v1/jobs/{}", job_id))
        return job.get("state") in FINAL

    wait_until(finished, PATIENCE, "The first job")
    return job


def story(job: dict[str, Any]) -> list[tuple[float, str, str, str]]:
    """What happened: seconds since it was accepted, what, how it went, and how that is to be coloured."""
    told = [(0.0, "accepted", f"{job['task']} {job['payload']['url']}", "")]
    for attempt in job["attempts"]:
        error = attempt["error"] or {}
        status = error.get("status") or (job["result"] or {}).get("status")
        text = _spelt(status) if status else error.get("message", "")
        if attempt["outcome"] == "retry" and attempt["retry_at"]:
            text += f", so again after {show.span(show.between(attempt['finished_at'], attempt['retry_at']))}"
        at = show.between(job["created_at"], attempt["finished_at"])
        told.append((at, f"attempt {attempt['number']}", text, attempt["outcome"]))
    took = show.span(show.between(job["created_at"], job["finished_at"]))
    told.append((show.between(job["created_at"], job["finished_at"]), job["state"], f"in {took}", job["state"]))
    return told


def _spelt(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
