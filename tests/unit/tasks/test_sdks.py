"""SDKs cost time and memory: no process imports one before it calls its provider, and none needs those of others."""

import json
import subprocess
import sys

LOOK = """
import json, sys
nowhere = {nowhere!r}
class Nowhere:
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in nowhere:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Nowhere)
from tasks import load
load()
from tasks.provider import providers
sdks = {{provider.name: provider.module for provider in providers.values() if provider.module}}
print(json.dumps([sdks, list(sys.modules), {{name: providers[name].missing() for name in sdks}}]))
"""


def _look(nowhere: set[str]) -> tuple[dict[str, str], set[str], dict[str, str]]:
    """The SDKs by provider, what was imported, and what is missing, in a process that cannot have some packages."""
    done = subprocess.run([sys.executable, "-c", LOOK.format(nowhere=nowhere)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    sdks, imported, missing = json.loads(done.stdout)
    return sdks, set(imported), missing


def test_every_task_is_known_without_any_sdk_and_names_the_line_that_brings_its_own() -> None:
    sdks, imported, _ = _look(set())
    assert len(sdks) >= 8
    assert not imported & set(sdks.values()), "to know the tasks, an SDK was imported"
    _, _, missing = _look({module.partition(".")[0] for module in sdks.values()})
    for provider, said in missing.items():
        assert said.startswith(f"The client library of {provider} is not installed. pip install 'treadle["), said
