"""What the services of AWS have in common: accounts, clients, and what their errors say."""

from typing import Annotated, Any, Self

from pydantic import Field, SecretStr, StringConstraints, model_validator

from jobs.errors import RateLimited, Rejected, Unauthorized
from tasks.accounts import Account, BaseUrl
from tasks.answers import Answer, Errors
from tasks.clients import connections
from tasks.provider import CONNECT

ERRORS: Errors = {
    **dict.fromkeys(
        (
            *("ExpiredToken", "ExpiredTokenException", "InvalidToken", "InvalidClientTokenId", "IncompleteSignature"),
            *("UnrecognizedClientException", "AuthorizationHeaderMalformed", "NoCredentialsError"),
        ),
        Unauthorized,
    ),
    **dict.fromkeys(("Throttling", "ThrottlingException", "RequestLimitExceeded"), RateLimited),
    "ParamValidationError": Rejected,
}
"""What codes mean in every service: some credentials are refused with a 400, some haste too."""

_BEFORE_ANY_CALL = {"NoCredentialsError", "PartialCredentialsError", "ParamValidationError"}


class AwsAccount(Account):
    """An access key."""

    region: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{2,40}$")] = Field(examples=["eu-central-1"])
    access_key_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]{3,128}$")] | None = Field(
        None, description="without it and its secret: the role that this machine has", examples=["AKIA…"]
    )
    secret_access_key: SecretStr | None = None
    session_token: SecretStr | None = Field(None, description="of temporary keys")
    base_url: BaseUrl | None = Field(None, description="by default AWS's own in the region")

    @model_validator(mode="after")
    def _has_both_or_none(self) -> Self:
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise ValueError("access_key_id and secret_access_key go together")
        return self


def connect(service: str, account: AwsAccount, **options: Any) -> Any:
    """A client of a service: each of its calls is one request, and takes as long as the account allows."""
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=CONNECT,
        read_timeout=account.timeout.total_seconds(),
        retries={"total_max_attempts": 1, "mode": "standard"},
        max_pool_connections=connections(),
        **options,
    )
    session = boto3.Session(
        aws_access_key_id=account.access_key_id,
        aws_secret_access_key=_shown(account.secret_access_key),
        aws_session_token=_shown(account.session_token),
        region_name=account.region,
    )
    return session.client(service, endpoint_url=account.base_url, config=config)


def answer(error: Exception) -> Answer | None:
    """What a service, or its client before any call, said."""
    from botocore.exceptions import BotoCoreError, ClientError

    if isinstance(error, BotoCoreError) and type(error).__name__ in _BEFORE_ANY_CALL:
        return Answer(None, str(error), type(error).__name__)
    if not isinstance(error, ClientError):
        return None
    said, about = error.response.get("Error", {}), error.response.get("ResponseMetadata", {})
    more = {"request_id": about.get("RequestId"), "operation": error.operation_name}
    return Answer(
        about.get("HTTPStatusCode"), said.get("Message", ""), said.get("Code"), about.get("HTTPHeaders", {}), detail=more
    )


def _shown(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()
