"""SDKs cost time and memory: no process imports one before it calls its provider, and none needs those of others."""

import json
import subprocess
import sys

LOOK = """
import json, sys
{before}
from tasks import catalogue, load
load()
from tasks.provider import providers
known = [provider for provider in providers.values() if provider.module]
imported = [provider.module for provider in known if provider.module in sys.modules]
print(json.dumps([imported, {{provider.name: provider.missing() for provider in known}}]))
"""
NONE_IS_THERE = """
class Nowhere:
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in {"azure", "boto3", "elasticsearch", "geopy", "google", "oauthlib", "square", "stripe"}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Nowhere)
"""


def _look(before: str = "") -> tuple[list[str], dict[str, str]]:
    done = subprocess.run([sys.executable, "-c", LOOK.format(before=before)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    imported, missing = json.loads(done.stdout)
    return imported, missing


def test_to_know_every_task_imports_no_sdk() -> None:
    imported, missing = _look()
    assert len(missing) >= 6
    assert not imported


def test_without_any_sdk_every_task_is_known_and_names_the_line_that_brings_its_own() -> None:
    _, missing = _look(NONE_IS_THERE)
    for provider, said in missing.items():
        assert said.startswith(f"The client library of {provider} is not installed. pip install 'treadle["), said
