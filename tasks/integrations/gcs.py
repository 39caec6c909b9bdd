"""Google Cloud Storage: storage."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from pydantic import Field

from jobs.errors import Duplicate, RateLimited
from tasks import objects
from tasks.accounts import Account, BaseUrl
from tasks.answers import Answer
from tasks.clients import Clients, session
from tasks.context import Context
from tasks.google import Key, Tokens
from tasks.provider import CONNECT, Provider
from tasks.storage import COPY, LIMIT, PLACE, PUT, Bucket, storage_copy, storage_delete, storage_put, storage_sign


class Gcs(Account):
    """The JSON key of a service account that may write to a bucket, and read it."""

    service_account: Key = Field(description="the whole file", examples=['{"type": "service_account", …}'])
    bucket: Bucket = Field(description="where objects are if the payload names no other", examples=["my-bucket"])
    base_url: BaseUrl = "https://storage.googleapis.com"

    def secrets(self) -> Iterator[str]:
        yield from super().secrets()
        yield json.loads(self.service_account.get_secret_value())["private_key"]


def _connect(account: Gcs) -> Any:
    from google.cloud import storage
    from google.oauth2.service_account import Credentials

    fields = json.loads(account.service_account.get_secret_value())
    credentials = Credentials.from_service_account_info(fields)
    http = session()
    http.auth = Tokens(account.service_account)
    client = storage.Client(
        project=fields.get("project_id", "-"),
        credentials=credentials,
        client_options={"api_endpoint": account.base_url},
        _http=http,
    )
    client._bucket_metadata_cache = None  # noqa: SLF001 - fills itself by calls of its own, for traces that nobody reads
    return client


clients = Clients(_connect)


def _bucket(account: Gcs, name: str | None = None) -> Any:
    return clients.get(account).bucket(name or account.bucket)


def _once(account: Gcs) -> dict[str, Any]:
    """What makes a call one request: the client has no switch for all of them."""
    return {"retry": None, "timeout": (CONNECT, account.timeout.total_seconds())}


def _answer(error: Exception) -> Answer | None:
    from google.api_core.exceptions import GoogleAPICallError

    if not isinstance(error, GoogleAPICallError) or error.code is None:
        return None
    headers = getattr(error.response, "headers", {})
    try:  # the exceptions of uploads know nothing of what the answer says
        said = error.response.json()["error"]
        return Answer(int(error.code), said["message"], said["errors"][0]["reason"], headers)
    except (ValueError, LookupError, TypeError, AttributeError):
        return Answer(int(error.code), error.message or "", headers=headers)


def _look(account: Gcs) -> None:
    _bucket(account).reload(**_once(account))


gcs = Provider(
    "gcs",
    account=Gcs,
    errors={412: Duplicate, "rateLimitExceeded": RateLimited, "userRateLimitExceeded": RateLimited},
    answer=_answer,
    extra="gcp",
    module="google.cloud.storage",
    probe=_look,
)


@gcs.task("put", repeatable=True, timeout=LIMIT, example=PUT)
def put(payload: objects.Put, account: Gcs, context: Context) -> dict[str, Any]:
    """Store an object in Google Cloud Storage.

    Google takes what has more than 8 MiB in two requests.
    """
    data, kind = objects.content(payload)
    blob = _bucket(account, payload.bucket).blob(payload.key)
    only = {"if_generation_match": 0} if payload.only_if_absent else {}
    blob.upload_from_string(data, kind, **only, **_once(account))
    return {**_named(blob), "bytes": len(data)}


storage_put.by("gcs.put")


@gcs.task("copy", repeatable=True, timeout=LIMIT, example=COPY)
def copy(payload: objects.Copy, account: Gcs, context: Context) -> dict[str, Any]:
    """Copy an object within Google Cloud Storage."""
    source = _bucket(account, payload.bucket)
    target = _bucket(account, payload.to_bucket or payload.bucket)
    return _named(source.copy_blob(source.blob(payload.key), target, payload.to_key, **_once(account)))


storage_copy.by("gcs.copy")


@gcs.task("delete", repeatable=True, example=PLACE)
def delete(payload: objects.Delete, account: Gcs, context: Context) -> dict[str, Any]:
    """Delete an object from Google Cloud Storage; if there is none, that is a success."""
    from google.api_core.exceptions import NotFound

    bucket = _bucket(account, payload.bucket)
    try:
        bucket.delete_blob(payload.key, **_once(account))
    except NotFound as error:
        if "bucket does not exist" in error.message:
            raise
        return {"bucket": bucket.name, "key": payload.key, "was_there": False}
    return {"bucket": bucket.name, "key": payload.key, "was_there": True}


storage_delete.by("gcs.delete")


@gcs.task("sign", repeatable=True, offline=True, example=PLACE)
def sign(payload: objects.Sign, account: Gcs, context: Context) -> dict[str, Any]:
    """Make a URL with which anyone may get or put an object, for a time."""
    blob = _bucket(account, payload.bucket).blob(payload.key)
    url = blob.generate_signed_url(
        version="v4",
        expiration=timedelta(seconds=payload.expires),
        method=payload.method,
        content_type=payload.content_type if payload.method == "PUT" else None,
        api_access_endpoint=account.base_url,
    )
    return objects.signed(url, payload)


storage_sign.by("gcs.sign")


def _named(blob: Any) -> dict[str, Any]:
    return {"bucket": blob.bucket.name, "key": blob.name, "etag": blob.etag, "generation": str(blob.generation)}
