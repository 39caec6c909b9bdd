"""The pages say what the code does: settings, words, names of tests, files, metrics and alerts."""

import re
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic.fields import FieldInfo

from jobs.states import MOVES, Ending, Reason, State
from runtime import metrics
from runtime.duration import spell
from runtime.settings import Settings

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
MINE = (
    "glossary",
    "client",
    "decisions/*",
    "reliability",
    "operations",
    "security",
    "configuration",
    "integrations",
    "events",
)
PAGES = sorted(path for name in MINE for path in DOCS.glob(f"{name}.md"))
DECISIONS = sorted((DOCS / "decisions").glob("*.md"))

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


def settings_table() -> str:
    """All settings, as docs/configuration.md has them. `python -m tests.unit.test_docs` prints it."""
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        rows.append(f"| `TREADLE_{name.upper()}` | {_default(field)} | {_meaning(field)} |")
    return "\n".join(rows)


def _default(field: FieldInfo) -> str:
    value: Any = field.default
    if isinstance(value, timedelta):
        value = spell(value)
    elif isinstance(value, tuple):
        value = ",".join(value)
    elif isinstance(value, bool):
        value = int(value)
    return f"`{value}`" if value or value == 0 else "–"


def _meaning(field: FieldInfo) -> str:
    words = [field.description] if field.description else []
    choices = getattr(field.annotation, "__args__", ())
    if choices and all(isinstance(choice, str) for choice in choices):
        words.append("one of " + ", ".join(f"`{choice}`" for choice in choices))
    bounds = {type(part).__name__: part for part in field.metadata}
    if "Ge" in bounds:
        words.append(f"at least {bounds['Ge'].ge}")
    if "Le" in bounds:
        words.append(f"at most {bounds['Le'].le}")
    return "; ".join(words)


def test_every_setting_is_in_the_table() -> None:
    page = (DOCS / "configuration.md").read_text()
    assert settings_table() in page, "docs/configuration.md: put in what `python -m tests.unit.test_docs` prints"


@every_page
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), target


@every_page
def test_files_that_are_named_exist(page: Path) -> None:
    for name in re.findall(r"`((?:api|cli|docker|jobs|runtime|scheduler|tasks|tests|workers)/[\w./-]+)`", page.read_text()):
        assert (ROOT / name).exists(), name


@every_page
def test_variables_and_metrics_that_are_named_exist(page: Path) -> None:
    text = page.read_text()
    known = {f"TREADLE_{name.upper()}" for name in Settings.model_fields} | {"TREADLE_SECRETS_DIR"}
    known |= set(re.findall(r'envvar="(\w+)"', (ROOT / "cli" / "remote.py").read_text()))
    named = {name.partition("__")[0] for name in re.findall(r"TREADLE_[A-Z_]+", text)}  # behind the __ are accounts
    assert named <= known
    shown = {
        value._name + ("_total" if value._type == "counter" else "") for value in vars(metrics).values() if _is_metric(value)
    }
    secrets = {name.lower() for name in known}
    assert set(re.findall(r"`(treadle_[a-z_]+)`", text)) <= shown | secrets


@every_page
def test_tests_that_are_named_exist(page: Path) -> None:
    source = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    for name in re.findall(r"`(test_\w+)`", page.read_text()):
        assert f"def {name}(" in source, name


@every_page
def test_a_page_is_about_no_one_machine(page: Path) -> None:
    assert not re.search(r"/root|/work/|/home/|localhost:\d|https?://(?!example\.com)", page.read_text())


def test_every_chaos_test_is_in_the_page_on_reliability() -> None:
    page = (DOCS / "reliability.md").read_text()
    left_out = {"test_a_delayed_job_is_not_early_and_hardly_late"}  # about punctuality, not about a fault
    for path in (ROOT / "tests" / "chaos").glob("test_*.py"):
        named = set(re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)) - left_out
        assert named <= set(re.findall(r"test_\w+", page)), path.name


@pytest.mark.parametrize("words", [State, Ending, Reason], ids=lambda words: words.__name__)
def test_the_glossary_has_every_state_ending_and_reason(words: type[Enum]) -> None:
    page = (DOCS / "glossary.md").read_text()
    for word in words:
        assert f"`{word.value}`" in page


def test_moves_are_written_as_in_the_code() -> None:
    named = set(re.findall(r"\b(?:CLAIM|RETRY|RESCUE|REVIVE|SNOOZE)\b", (DOCS / "glossary.md").read_text()))
    assert named <= {move.name for move in MOVES}


def test_operations_has_every_alert_and_every_reason() -> None:
    page = (DOCS / "operations.md").read_text()
    groups = yaml.safe_load((ROOT / "docker" / "alerts.yml").read_text())["groups"]
    alerts = {rule["alert"] for group in groups for rule in group["rules"]}
    assert set(re.findall(r"^\| (Treadle\w+) \|", page, re.MULTILINE)) == alerts
    assert set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == set(Reason)


def test_decisions_are_short_numbered_and_whole() -> None:
    numbers = [page.name[:4] for page in DECISIONS]
    assert len(set(numbers)) == len(numbers)
    for number, page in zip(numbers, DECISIONS, strict=True):
        lines = page.read_text().splitlines()
        assert lines[0].startswith(f"# {number} ")
        assert [line for line in lines if line.startswith("## ")] == ["## Context", "## Choice", "## Consequences"]
        assert len(lines) < 40, page.name


def _is_metric(value: object) -> bool:
    return hasattr(value, "_name") and hasattr(value, "_type")


if __name__ == "__main__":
    print(settings_table())
