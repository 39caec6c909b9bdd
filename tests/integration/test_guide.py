"""The guides' lines, as a reader would paste them: one after the other in one shell, or in one Python."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.laboratory import Lab
from tests.servers import Valkey

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    broker, folder = Valkey(), tmp_path_factory.mktemp("guide")
    laboratory = Lab(f"sqlite:///{folder / 'treadle.db'}", broker, folder)
    yield laboratory.start()
    laboratory.close()
    broker.remove()


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", (DOCS / page).read_text(), re.MULTILINE | re.DOTALL)


def paste(command: list[str], text: str, lab: Lab, folder: Path) -> None:
    pasted = subprocess.run(
        [*command, text.replace("https://example.com", lab.third_party.url)],
        env={
            **os.environ,
            "URL": f"http://127.0.0.1:{lab.port}",
            "KEY": lab.key,
            "HOOK": f"{lab.third_party.url}/effect",
            "no_proxy": "127.0.0.1",
            "PYTHONPATH": str(ROOT),
        },
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert pasted.returncode == 0, f"{pasted.stdout[-2000:]}\n{pasted.stderr[-2000:]}\n{lab.last_words()}"


def test_every_line_of_the_guide_works_when_pasted(lab: Lab, tmp_path: Path) -> None:
    found = blocks("api.md", "sh")
    assert len(found) > 10
    lines = "\n".join(f"echo '--- block {n}'\n{block}" for n, block in enumerate(found))
    paste(["bash", "-c"], f"set -euo pipefail\n{lines}", lab, tmp_path)


def test_every_line_of_the_guide_to_the_client_works_when_pasted(lab: Lab, tmp_path: Path) -> None:
    found = blocks("client.md", "python")
    assert len(found) == 5
    given = 'import os\n\nurl, key = os.environ["URL"], os.environ["KEY"]\n'
    paste([sys.executable, "-W", "error", "-c"], given + "\n".join(found), lab, tmp_path)
