"""The accounts of third parties as they are given to this process: from the environment, and from a folder or a file.

In the environment TREADLE_ACCOUNTS__STRIPE_EU__API_KEY is the field api_key of the account stripe-eu. A folder holds it as
stripe-eu/api_key (Docker and Kubernetes secrets), a .toml or .json file as that key in the table or object stripe-eu. Folder
and file are read anew every few seconds, so a secret that is rotated there needs no restart.
"""

import json
import tomllib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from runtime import clock
from runtime.settings import settings

FRESH = 10.0  # seconds
Fields = Mapping[str, Any]


def given() -> Mapping[str, Fields]:
    """The fields of every account, by its name; the environment wins over folder and file.

    Raises:
        OSError, ValueError: TREADLE_ACCOUNTS_PATH cannot be read.
    """
    ours, path = settings(), settings().accounts_path
    found = dict(_stored(path, clock.monotonic() // FRESH)) if path else {}
    if ours.smtp_url is not None:
        found = {"smtp": {"url": ours.smtp_url.get_secret_value()}} | found
    for spelt, fields in ours.accounts.items():
        name = spelt.lower().replace("_", "-")
        found[name] = {**found.get(name, {}), **fields}
    return found


def variable(account: str, field: str) -> str:
    """The environment variable that gives a field of an account."""
    return f"TREADLE_ACCOUNTS__{account}__{field}".upper().replace("-", "_")


@lru_cache(maxsize=1)
def _stored(path: Path, _: float) -> dict[str, Fields]:
    if path.is_dir():
        return {folder.name: _fields(folder) for folder in path.iterdir() if _is_ours(folder) and folder.is_dir()}
    text = path.read_text()
    read = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    if not isinstance(read, dict) or not all(isinstance(fields, dict) for fields in read.values()):
        raise ValueError(f"{path} is not a table of accounts, each a table of fields")
    return read


def _fields(folder: Path) -> Fields:
    return {file.name: file.read_text().rstrip("\r\n") for file in folder.iterdir() if _is_ours(file) and file.is_file()}


def _is_ours(path: Path) -> bool:
    return not path.name.startswith(".")  # Kubernetes keeps its own links there
