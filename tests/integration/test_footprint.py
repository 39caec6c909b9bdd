"""What a process imports: each module is memory of every process, and time of its start."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OPTIONAL = {"rich", "pygments", "yaml", "tornado"}  # what runtime.lean keeps out
OTHERS = {
    "api.app": {
        "jwt",
        "cryptography.hazmat",
        "cryptography.x509",
        "celery.worker.consumer",
        "scheduler",
        "workers",
        "alembic",
        "typer",
    },
    "workers.app": {"fastapi", "starlette", "uvicorn", "alembic", "typer", "jwt", "cryptography.x509", "boto3", "api"},
    "scheduler.beat": {
        "fastapi",
        "starlette",
        "uvicorn",
        "alembic",
        "typer",
        "jwt",
        "cryptography.x509",
        "httpx2",
        "workers",
        "api",
    },
}


@pytest.mark.parametrize("entry", OTHERS)
def test_a_process_does_not_import_what_only_others_need(entry: str) -> None:
    code = f"import sys, {entry}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)
    assert set(done.stdout.split()) & (OTHERS[entry] | OPTIONAL) == set()


def test_what_is_kept_out_can_be_imported_by_a_task() -> None:
    code = "import api, rich.console, yaml, tornado.web"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)


def test_a_payload_or_an_account_takes_memory_once_it_is_used() -> None:
    code = """
import workers.app
from tasks.accounts import Account
from tasks.fields import Shape
from tasks.provider import Payload

def below(model):
    return {model, *(deeper for direct in model.__subclasses__() for deeper in below(direct))}

models = below(Account) | below(Shape) | below(Payload)
assert len(models) > 80
print(*(model.__name__ for model in models if model.__pydantic_complete__))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.split() == []
