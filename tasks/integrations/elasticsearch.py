"""Elasticsearch: documents to be searched."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, JsonValue, SecretStr, model_validator

from jobs.errors import Duplicate, RateLimited, Rejected, TaskError, Transient
from tasks.accounts import Account, BaseUrl
from tasks.answers import Answer
from tasks.clients import Clients, connections
from tasks.context import Context
from tasks.provider import Payload, Provider
from tasks.search import DOCUMENT, Document, DocumentId, Index, search_index

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch as Client

SHOWN = 20  # documents of a bulk that are named when they were refused
BUSY = 429


class Elasticsearch(Account):
    """An API key that may write to the indices. The client library is of the major version of the server: 8 or 9."""

    api_key: SecretStr = Field(description="in the encoded form", examples=["VnVhQ2ZHY0JDZGJr…"])
    base_url: BaseUrl = Field(examples=["https://search.example.com:9200"])
    ca_certs: str | None = Field(
        None, description="a file with the certificate of a private authority, where the workers are"
    )


def _connect(account: Elasticsearch) -> "Client":
    from elasticsearch import Elasticsearch as Client

    trusted: dict[str, Any] = {"ca_certs": account.ca_certs} if account.ca_certs else {}
    return Client(
        account.base_url,
        **trusted,
        api_key=account.api_key.get_secret_value(),
        request_timeout=account.timeout.total_seconds(),
        connections_per_node=connections(),
        max_retries=0,
        retry_on_timeout=False,
        retry_on_status=(),
    )


clients = Clients(_connect)


def _answer(error: Exception) -> Answer | None:
    from elasticsearch import ApiError

    if not isinstance(error, ApiError):
        return None
    said = error.body.get("error") if isinstance(error.body, dict) else None
    about = said if isinstance(said, dict) else {"reason": said or error.message}
    return Answer(error.meta.status, str(about.get("reason") or ""), about.get("type"), dict(error.meta.headers))


def _look(account: Elasticsearch) -> None:
    clients.get(account).info()


elasticsearch = Provider(
    "elasticsearch",
    account=Elasticsearch,
    errors={
        "version_conflict_engine_exception": Duplicate,
        "cluster_block_exception": Transient,  # the disk is full, say; it comes as a 403
    },
    answer=_answer,
    extra="elasticsearch",
    module="elasticsearch",
    probe=_look,
)


class Indexed(Document, Payload):
    """A document under an id of yours; what had that id is replaced, unless the rest says otherwise."""

    version: int | None = Field(None, ge=0, description="of your own counting; what has the same or a later one stays")
    only_if_absent: bool = Field(False, description="leave what has that id already; that is a success too")

    @model_validator(mode="after")
    def _has_one_rule(self) -> Self:
        if self.version is not None and self.only_if_absent:
            raise ValueError("give version or only_if_absent, not both")
        return self


@elasticsearch.task("index", repeatable=True, example=DOCUMENT)
def index(payload: Indexed, account: Elasticsearch, context: Context) -> dict[str, Any]:
    """Put a document into an index of Elasticsearch."""
    rules: dict[str, Any] = {}
    if payload.version is not None:
        rules = {"version": payload.version, "version_type": "external"}
    elif payload.only_if_absent:
        rules = {"op_type": "create"}
    made = clients.get(account).index(index=payload.index, id=payload.id, document=payload.document, **rules)
    return {name: made[f"_{name}"] for name in ("index", "id", "version")} | {"result": made["result"]}


search_index.by("elasticsearch.index")


class Bulk(Payload):
    """Documents by their ids; what had an id is replaced."""

    index: Index
    documents: Annotated[dict[DocumentId, dict[str, JsonValue]], Field(min_length=1, max_length=1000)]


@elasticsearch.task("bulk", repeatable=True, example={"index": "products", "documents": {"42": {"name": "Loom"}}})
def bulk(payload: Bulk, account: Elasticsearch, context: Context) -> dict[str, Any]:
    """Put up to 1,000 documents into an index of Elasticsearch.

    Each has an answer of its own. If some could not be taken for now, all are put again: by their ids that has no further
    effect. If some were refused for good the job fails and names the first 20; the others are there.
    """
    operations: list[dict[str, Any]] = []
    for name, document in payload.documents.items():
        operations += [{"index": {"_id": name}}, document]
    made = clients.get(account).bulk(index=payload.index, operations=operations)
    failed = list(_failed(made["items"]))
    if failed:
        raise _error(failed)
    return {"index": payload.index, "indexed": len(made["items"])}


def _failed(items: list[Any]) -> Iterator[dict[str, Any]]:
    for item in items:
        (said,) = item.values()
        if said["status"] >= 300:
            yield {"id": said.get("_id"), "status": said["status"], "error": said.get("error")}


def _error(failed: list[dict[str, Any]]) -> TaskError:
    """The error of a bulk: as long as some may yet be taken they are tried, and what was refused is told at the end."""
    later = [each for each in failed if each["status"] == BUSY or each["status"] >= 500]
    shown = {"failed": len(failed), "first": failed[:SHOWN]}
    status = (later or failed)[0]["status"]
    if not later:
        return Rejected(f"elasticsearch refused {len(failed)} of the documents.", status=status, detail=shown)
    words = f"elasticsearch could not take {len(later)} of the documents for now."
    busy = any(each["status"] == BUSY for each in later)
    return RateLimited(words, status=BUSY, detail=shown) if busy else Transient(words, status=status, detail=shown)


class Delete(Payload):
    """A document to be deleted."""

    index: Index
    id: DocumentId


@elasticsearch.task("delete", repeatable=True, example={"index": "products", "id": "42"})
def delete(payload: Delete, account: Elasticsearch, context: Context) -> dict[str, Any]:
    """Delete a document from an index of Elasticsearch; if there is none, that is a success."""
    from elasticsearch import NotFoundError

    try:
        gone = clients.get(account).delete(index=payload.index, id=payload.id)
    except NotFoundError as error:
        if not isinstance(error.body, dict) or error.body.get("result") != "not_found":
            raise  # there is no such index
        return {"index": payload.index, "id": payload.id, "was_there": False}
    return {"index": gone["_index"], "id": gone["_id"], "was_there": gone["result"] == "deleted"}
