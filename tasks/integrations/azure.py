"""Azure Blob Storage: storage."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, SecretStr, StringConstraints

from jobs.errors import Duplicate, RateLimited, Transient, Unauthorized
from runtime import clock
from tasks import objects
from tasks.accounts import Account, BaseUrl
from tasks.answers import Answer
from tasks.clients import Clients, session
from tasks.context import Context
from tasks.provider import CONNECT, Provider
from tasks.storage import COPY, LIMIT, PLACE, PUT, Bucket, storage_copy, storage_delete, storage_put, storage_sign

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient, BlobServiceClient

READABLE = timedelta(minutes=15)  # for Azure itself, to fetch the source of a copy


class Azure(Account):
    """The name of a storage account, and one of its two keys."""

    account_name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]{3,24}$")] = Field(examples=["mystorage"])
    account_key: SecretStr
    container: Bucket = Field(description="where blobs are if the payload names no other bucket", examples=["reports"])
    base_url: BaseUrl | None = Field(None, description="by default https://ACCOUNT_NAME.blob.core.windows.net")

    @property
    def url(self) -> str:
        """Where it is called."""
        return self.base_url or f"https://{self.account_name}.blob.core.windows.net"


def _connect(account: Azure) -> "BlobServiceClient":
    from azure.core.pipeline.transport import RequestsTransport
    from azure.storage.blob import BlobServiceClient

    patience = {"connection_timeout": CONNECT, "read_timeout": account.timeout.total_seconds()}
    return BlobServiceClient(
        account.url,
        credential={"account_name": account.account_name, "account_key": account.account_key.get_secret_value()},
        retry_total=0,
        transport=RequestsTransport(session=session(), **patience),
    )


clients = Clients(_connect)


def _blob(account: Azure, bucket: str | None, key: str) -> "BlobClient":
    return clients.get(account).get_blob_client(bucket or account.container, key)


def _answer(error: Exception) -> Answer | None:
    from azure.core.exceptions import HttpResponseError

    if not isinstance(error, HttpResponseError) or error.response is None:
        return None
    headers = getattr(error.response, "headers", {})
    code = getattr(error, "error_code", None) or headers.get("x-ms-error-code")
    words = (error.message or "").partition("\n")[0]
    return Answer(error.status_code, words, code and str(getattr(code, "value", code)), headers)


def _look(account: Azure) -> None:
    clients.get(account).get_container_client(account.container).get_container_properties()


azure = Provider(
    "azure",
    account=Azure,
    errors={
        "BlobAlreadyExists": Duplicate,
        "ServerBusy": RateLimited,
        "PendingCopyOperation": Transient,
        "ContainerBeingDeleted": Transient,
        "InvalidAuthenticationInfo": Unauthorized,
    },
    answer=_answer,
    extra="azure",
    module="azure.storage.blob",
    probe=_look,
)


@azure.task("put", repeatable=True, timeout=LIMIT, example=PUT)
def put(payload: objects.Put, account: Azure, context: Context) -> dict[str, Any]:
    """Store a block blob in Azure."""
    from azure.storage.blob import ContentSettings

    data, kind = objects.content(payload)
    blob = _blob(account, payload.bucket, payload.key)
    settings = ContentSettings(content_type=kind)
    made = blob.upload_blob(data, overwrite=not payload.only_if_absent, content_settings=settings)
    return {**_named(blob), "bytes": len(data), "etag": made["etag"], "version": made.get("version_id")}


storage_put.by("azure.put")


@azure.task("copy", repeatable=True, timeout=LIMIT, example=COPY)
def copy(payload: objects.Copy, account: Azure, context: Context) -> dict[str, Any]:
    """Copy a blob of up to 256 MiB within a storage account of Azure."""
    source = _blob(account, payload.bucket, payload.key)
    target = _blob(account, payload.to_bucket or payload.bucket, payload.to_key)
    made = target.start_copy_from_url(_readable(source, account, "r", READABLE), requires_sync=True)
    return {**_named(target), "etag": made["etag"], "version": made.get("version_id")}


storage_copy.by("azure.copy")


@azure.task("delete", repeatable=True, example=PLACE)
def delete(payload: objects.Delete, account: Azure, context: Context) -> dict[str, Any]:
    """Delete a blob of Azure, and its snapshots; if there is none, that is a success."""
    from azure.core.exceptions import ResourceNotFoundError

    blob = _blob(account, payload.bucket, payload.key)
    try:
        blob.delete_blob(delete_snapshots="include")
    except ResourceNotFoundError as error:
        answer = _answer(error)
        if answer is None or answer.code != "BlobNotFound":
            raise
        return {**_named(blob), "was_there": False}
    return {**_named(blob), "was_there": True}


storage_delete.by("azure.delete")


@azure.task("sign", repeatable=True, offline=True, example=PLACE)
def sign(payload: objects.Sign, account: Azure, context: Context) -> dict[str, Any]:
    """Make a URL with which anyone may get or put a blob, for a time."""
    blob = _blob(account, payload.bucket, payload.key)
    url = _readable(blob, account, "r" if payload.method == "GET" else "cw", timedelta(seconds=payload.expires))
    headers = {"x-ms-blob-type": "BlockBlob"} if payload.method == "PUT" else {}
    return objects.signed(url, payload, **headers)


storage_sign.by("azure.sign")


def _readable(blob: "BlobClient", account: Azure, permission: str, span: timedelta) -> str:
    from azure.storage.blob import generate_blob_sas

    signature = generate_blob_sas(
        account.account_name,
        blob.container_name,
        blob.blob_name,
        account_key=account.account_key.get_secret_value(),
        permission=permission,
        expiry=clock.now() + span,
        protocol=None if blob.url.startswith("http://") else "https",
    )
    return f"{blob.url}?{signature}"


def _named(blob: "BlobClient") -> dict[str, str]:
    return {"bucket": blob.container_name, "key": blob.blob_name}
