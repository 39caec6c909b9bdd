"""The settings of every process, and the only place that reads the environment.

Each is an environment variable with the prefix TREADLE_ (TREADLE_DATABASE_URL), or a file of that name in the folder that
TREADLE_SECRETS_DIR names (Docker and Kubernetes secrets).
"""

import os
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from runtime.duration import Duration

Names = Annotated[tuple[str, ...], NoDecode]


class Settings(BaseSettings):
    """All settings, validated once. Durations read as "30s", "5m", "7d"."""

    model_config = SettingsConfigDict(env_prefix="TREADLE_", env_nested_delimiter="__", frozen=True, extra="ignore")

    home: Path = Field(Path(".treadle"), description="folder of the embedded database, broker and up.json")
    database_url: str = Field("", repr=False, description="sqlite:///PATH or postgresql://…; by default HOME/treadle.db")
    broker_url: str = Field(
        "redis://127.0.0.1:6379/0", repr=False, description="redis://, rediss://, sentinel://, amqp:// or amqps://"
    )
    sentinel_primary: str = Field(
        "mymaster", description="name of the primary that the sentinels of a sentinel:// broker watch"
    )
    sentinel_password: SecretStr | None = Field(None, description="what the sentinels themselves ask for, if they do")
    queues: Names = Field(("default", "cpu"), description="the lanes jobs may be sent to, by comma")
    task_modules: Names = Field((), description="modules of your own tasks, by comma, beside tasks/integrations")

    payload_limit: int = Field(262_144, ge=1024, description="bytes of a request body")
    bulk_limit: int = Field(16_777_216, ge=1024, description="bytes of a request body that makes many jobs at once")
    hook_limit: int = Field(1_048_576, ge=1024, description="bytes of a provider's webhook")
    result_limit: int = Field(262_144, ge=1024, description="bytes of a job's stored result")
    door_patience: Duration = Field(timedelta(milliseconds=800), description="how long a request waits for the database")
    idempotency_window: Duration = Field(timedelta(hours=24), description="how long an Idempotency-Key is remembered")
    body_patience: Duration = Field(timedelta(seconds=30), description="how long a request's body may take to arrive")
    quota: int = Field(0, ge=0, description="requests a minute of one API key, for each API process; 0: any number")
    cors_origins: Names = Field((), description="origins, by comma, whose pages may call the API; * is any")
    trusted_proxies: Names = Field(
        (), description="addresses or networks, by comma, of proxies whose X-Forwarded-For and -Proto are believed"
    )
    oidc_issuer: str = Field(
        "", description="identity provider whose tokens are taken beside API keys, as in their claim iss"
    )
    oidc_audience: str = Field("", description="what their claim aud must be, or hold")
    oidc_jwks_url: str = Field("", description="where the provider publishes its keys; by default where its discovery says")
    oidc_roles_claim: str = Field(
        "roles", description="the claim that gives viewer, operator, writer or admin; a.b is b within a"
    )
    oidc_viewers_see_payloads: bool = Field(False, description="show viewers payloads, results and errors")
    metrics_token: SecretStr | None = Field(None, description="bearer token that /metrics asks for, if set")

    hint_window: int = Field(
        500, ge=1, description="jobs of a queue in the broker at once, not counting less important ones"
    )
    hint_grace: Duration = Field(timedelta(seconds=2), description="age at which a missing hint counts as lost")
    fair_share: int = Field(
        0, ge=0, description="jobs of one API key that wait in a queue at their own priority, the rest as low; 0: all"
    )
    shed_after: Duration | None = Field(
        None, description="lateness of a queue past which the API answers 503 to new jobs of that priority, if set"
    )
    lease: Duration = Field(timedelta(seconds=15), description="silence after which a worker counts as dead")
    heartbeat: Duration = Field(timedelta(seconds=3), description="how often a worker renews its lease")
    drain_grace: Duration = Field(timedelta(seconds=20), description="how long a stopping worker waits for running jobs")
    stuck_after: Duration = Field(timedelta(seconds=20), description="hints waiting, slots free, nothing taken: exit")
    circuit_open: Duration = Field(timedelta(seconds=30), description="how long an account whose calls fail is first held")
    circuit_open_max: Duration = Field(timedelta(minutes=10), description="the longest that it is held between two probes")
    poison_crashes: int = Field(3, ge=2, description="workers that a job may kill before it is failed as poison")
    worker_pool: Literal["threads", "prefork"] = Field(
        "threads", description="threads for jobs that wait, prefork for the queue cpu"
    )
    worker_threads: int = Field(16, ge=1, le=1000, description="jobs at once in one worker of the thread pool")

    retention_succeeded: Duration = Field(timedelta(days=7), description="how long succeeded jobs are kept")
    retention_failed: Duration = Field(timedelta(days=30), description="how long failed, cancelled, expired ones are kept")
    stream_window: Duration = Field(
        timedelta(hours=1), description="how long a stream of all that happens can be taken up again"
    )
    retention_events: Duration = Field(
        timedelta(days=14), description="how long events are kept, and known should they come again"
    )

    allow_private_targets: bool = Field(False, description="let http.request and webhook.deliver reach private addresses")
    webhook_secret: SecretStr | None = Field(None, description="whsec_… that signs webhook.deliver")
    endpoint_patience: Duration = Field(
        timedelta(days=3), description="how long an endpoint may only fail before it is disabled"
    )
    smtp_url: SecretStr | None = Field(None, description="the field url of the account smtp, in short")
    accounts: dict[str, dict[str, Any]] = Field(
        {}, repr=False, description="credentials by account, a variable a field: TREADLE_ACCOUNTS__STRIPE_EU__API_KEY"
    )
    accounts_path: Path | None = Field(None, description="folder (account/field), or .toml or .json file, with more of them")
    known_accounts: Names = Field(
        (), description="accounts, by comma, whose credentials only the workers hold: the API takes their jobs unseen"
    )

    shortcuts: Names = Field(
        ("door", "hints", "transport"),
        description="where, by comma, ours stands in for FastAPI's route, Celery's request and kombu's Redis transport",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="what is logged, and what is above it"
    )
    log_format: Literal["auto", "json", "text"] = Field("auto", description="auto is text on a terminal, else json")
    metrics_host: str = Field("127.0.0.1", description="address of a worker's or scheduler's /metrics")
    metrics_port: int = Field(0, ge=0, le=65535, description="port of a worker's or scheduler's /metrics; 0 is none")

    @field_validator(
        "queues", "task_modules", "known_accounts", "cors_origins", "trusted_proxies", "shortcuts", mode="before"
    )
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("queues")
    @classmethod
    def _lanes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if "default" not in value:
            raise ValueError("queues must contain default")
        return value

    @field_validator("shortcuts")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not {"door", "hints", "transport"}.issuperset(value):
            raise ValueError("shortcuts are door, hints and transport, or none of them")
        return value

    @field_validator("broker_url")
    @classmethod
    def _scheme(cls, value: str) -> str:
        if not value.startswith(("redis://", "rediss://", "sentinel://", "amqp://", "amqps://")):
            raise ValueError("broker_url must begin with redis://, rediss://, sentinel://, amqp:// or amqps://")
        return value

    @field_validator("database_url")
    @classmethod
    def _driver(cls, value: str) -> str:
        for scheme in ("postgresql://", "postgres://"):
            if value.startswith(scheme):
                return "postgresql+psycopg://" + value.removeprefix(scheme)
        return value

    @field_validator("oidc_issuer", "oidc_jwks_url")
    @classmethod
    def _guarded(cls, value: str) -> str:
        if value and not value.startswith(("https://", "http://127.0.0.1", "http://[::1]", "http://localhost")):
            raise ValueError("keys are fetched over https://; plain http:// only from this machine")
        return value

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if self.oidc_issuer and not self.oidc_audience:
            raise ValueError("oidc_issuer needs oidc_audience, or the tokens of every application there would be taken")
        if self.heartbeat * 3 > self.lease:
            raise ValueError("lease must be at least three heartbeats, else one slow renewal costs a worker its jobs")
        if min(self.retention_succeeded, self.retention_failed) < self.idempotency_window:
            raise ValueError("jobs must be kept at least as long as the idempotency_window, or a repeat would find none")
        return self

    @property
    def ledger_url(self) -> str:
        """The database's address for SQLAlchemy."""
        return self.database_url or f"sqlite:///{self.home.absolute() / 'treadle.db'}"


@lru_cache
def settings() -> Settings:
    """The settings of this process, read once.

    Raises:
        pydantic.ValidationError: a variable does not parse; it names the variable.
    """
    secrets = os.environ.get("TREADLE_SECRETS_DIR")  # noqa: TID251 - this module is the reader
    return Settings(_secrets_dir=secrets)
