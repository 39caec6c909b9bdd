"""Amazon S3, and what speaks its language (MinIO, R2): objects."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from jobs.errors import Duplicate, RateLimited, Transient
from tasks import aws, objects
from tasks.clients import Clients
from tasks.context import Context
from tasks.provider import Provider
from tasks.storage import COPY, LIMIT, PLACE, PUT, Bucket, Place, storage_copy, storage_delete, storage_put, storage_sign


class S3(aws.AwsAccount):
    """An access key that may write to a bucket, and read it. MinIO, R2 and others are reached by base_url."""

    bucket: Bucket = Field(description="where objects are if the payload names no other", examples=["my-bucket"])


def _connect(account: S3) -> Any:
    # Many that speak S3 know no checksums in trailers; a signed payload is checked by all of them.
    client = aws.connect(
        "s3",
        account,
        signature_version="s3v4",
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={"payload_signing_enabled": True, "addressing_style": "path" if account.base_url else "virtual"},
    )
    client.meta.events.register_last("before-parameter-build.s3", _stay_here)
    return client


def _stay_here(context: dict[str, Any], **_: Any) -> None:
    """Keep the client from asking other regions: an account has one, and one attempt makes one request."""
    context.setdefault("s3_redirect", {})["redirected"] = True


clients = Clients(_connect)


def _look(account: S3) -> None:
    clients.get(account).head_bucket(Bucket=account.bucket)


s3 = Provider(
    "s3",
    account=S3,
    errors={
        **aws.ERRORS,
        "SlowDown": RateLimited,
        "RequestTimeout": Transient,
        "InternalError": Transient,  # a copy may say so in a 200
        "OperationAborted": Transient,
        "ConditionalRequestConflict": Transient,
        "PreconditionFailed": Duplicate,
    },
    answer=aws.answer,
    extra="aws",
    module="boto3",
    probe=_look,
)


@s3.task("put", repeatable=True, timeout=LIMIT, example=PUT)
def put(payload: objects.Put, account: S3, context: Context) -> dict[str, Any]:
    """Store an object in S3."""
    data, kind = objects.content(payload)
    only = {"IfNoneMatch": "*"} if payload.only_if_absent else {}
    where = _where(payload, account)
    made = clients.get(account).put_object(**where, Body=data, ContentType=kind, **only)
    return {**_named(where), "bytes": len(data), "etag": made["ETag"], "version": made.get("VersionId")}


storage_put.by("s3.put")


@s3.task("copy", repeatable=True, timeout=LIMIT, example=COPY)
def copy(payload: objects.Copy, account: S3, context: Context) -> dict[str, Any]:
    """Copy an object of up to 5 GB within S3."""
    source = _where(payload, account)
    where = {"Bucket": payload.to_bucket or source["Bucket"], "Key": payload.to_key}
    made = clients.get(account).copy_object(**where, CopySource=source)
    return {**_named(where), "etag": made["CopyObjectResult"]["ETag"], "version": made.get("VersionId")}


storage_copy.by("s3.copy")


@s3.task("delete", repeatable=True, example=PLACE)
def delete(payload: objects.Delete, account: S3, context: Context) -> dict[str, Any]:
    """Delete an object from S3; if there is none, that is a success."""
    where = _where(payload, account)
    gone = clients.get(account).delete_object(**where)
    return {**_named(where), "version": gone.get("VersionId")}


storage_delete.by("s3.delete")


@s3.task("sign", repeatable=True, offline=True, example=PLACE)
def sign(payload: objects.Sign, account: S3, context: Context) -> dict[str, Any]:
    """Make a URL with which anyone may get or put an object, for a time.

    With temporary keys it works as long as they do, whatever it says.
    """
    where: dict[str, Any] = dict(_where(payload, account))
    if payload.method == "PUT" and payload.content_type:
        where["ContentType"] = payload.content_type
    operation = {"GET": "get_object", "PUT": "put_object"}[payload.method]
    url = clients.get(account).generate_presigned_url(operation, where, payload.expires, payload.method)
    return objects.signed(url, payload)


storage_sign.by("s3.sign")


def _where(payload: Place, account: S3) -> Mapping[str, str]:
    return {"Bucket": payload.bucket or account.bucket, "Key": payload.key}


def _named(where: Mapping[str, str]) -> dict[str, str]:
    return {"bucket": where["Bucket"], "key": where["Key"]}
