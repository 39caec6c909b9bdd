"""Algolia: documents to be searched."""

from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import Field, JsonValue, SecretStr, StringConstraints, model_validator

from tasks.accounts import BaseUrl
from tasks.context import Context
from tasks.provider import Payload, Provider
from tasks.rest import RestAccount
from tasks.search import Document, DocumentId, search_index


class Algolia(RestAccount):
    """An application, and an API key of it that may add and delete objects."""

    app_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{4,40}$")] = Field(examples=["YourApplicationID"])
    api_key: SecretStr
    base_url: BaseUrl = "https://APP_ID.algolia.net"

    @model_validator(mode="before")
    @classmethod
    def _has_a_host_of_its_own(cls, fields: dict[str, Any]) -> dict[str, Any]:
        return {"base_url": f"https://{fields.get('app_id', 'app-id')}.algolia.net", **fields}

    def headers(self) -> Mapping[str, str]:
        return {"x-algolia-application-id": self.app_id, "x-algolia-api-key": self.api_key.get_secret_value()}


def _look(account: Algolia) -> None:
    account.call("GET", f"/1/keys/{quote(account.api_key.get_secret_value(), safe='')}")


algolia = Provider("algolia", account=Algolia, probe=_look)

Index = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f/]+$", max_length=256)]


class Save(Payload):
    """Documents by their ids, which Algolia calls objectID; what had an id is replaced."""

    index: Index
    documents: Annotated[dict[DocumentId, dict[str, JsonValue]], Field(min_length=1, max_length=1000)]


@algolia.task("save", repeatable=True, example={"index": "products", "documents": {"42": {"name": "Loom", "price": 1999}}})
def save(payload: Save, account: Algolia, context: Context) -> dict[str, Any]:
    """Put up to 1,000 documents into an index of Algolia, all or none.

    They can be found as soon as Algolia has done its task, mostly within seconds.
    """
    objects = [{**document, "objectID": name} for name, document in payload.documents.items()]
    return _batch(account, payload.index, "addObject", objects)


def _one(wanted: Document) -> dict[str, Any]:
    return {"index": wanted.index, "documents": {wanted.id: wanted.document}}


search_index.by("algolia.save", _one)


class Delete(Payload):
    """The ids of documents to be deleted."""

    index: Index
    ids: Annotated[list[DocumentId], Field(min_length=1, max_length=1000)]


@algolia.task("delete", repeatable=True, example={"index": "products", "ids": ["42"]})
def delete(payload: Delete, account: Algolia, context: Context) -> dict[str, Any]:
    """Delete documents from an index of Algolia; those that are not there are no error."""
    return _batch(account, payload.index, "deleteObject", [{"objectID": name} for name in payload.ids])


def _batch(account: Algolia, index: str, action: str, bodies: list[dict[str, Any]]) -> dict[str, Any]:
    requests = [{"action": action, "body": body} for body in bodies]
    reply = account.call("POST", f"/1/indexes/{quote(index, safe='')}/batch", json={"requests": requests}).json()
    return {"index": index, "task_id": reply["taskID"], "documents": len(reply["objectIDs"])}
