"""The guide's lines, as a reader would paste them: one after the other in one shell."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.laboratory import Lab
from tests.servers import Valkey

PAGE = Path(__file__).parents[2] / "docs" / "api.md"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    broker = Valkey()
    laboratory = Lab(f"sqlite:///{tmp_path / 'treadle.db'}", broker, tmp_path)
    yield laboratory.start()
    laboratory.close()
    broker.remove()


def test_every_line_of_the_guide_works_when_pasted(lab: Lab, tmp_path: Path) -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) > 10
    script = "set -euo pipefail\n" + "\n".join(f"echo '--- block {n}'\n{block}" for n, block in enumerate(blocks))
    pasted = subprocess.run(
        ["bash", "-c", script.replace("https://example.com", lab.third_party.url)],
        env={**os.environ, "URL": f"http://127.0.0.1:{lab.port}", "KEY": lab.key, "no_proxy": "127.0.0.1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert pasted.returncode == 0, f"{pasted.stdout[-2000:]}\n{pasted.stderr[-2000:]}\n{lab.last_words()}"
