"""docker/: linted, hardened, and true to the code. No image is built here; what can be read is checked."""

import re
import shutil
import stat
import subprocess
import sys
import tomllib
from importlib.metadata import requires
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from prometheus_client import REGISTRY
from typer.main import get_command

from cli.app import app as treadle
from runtime import metrics
from runtime.settings import Settings

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
DOCKERFILE = (DOCKER / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ONCE = {"migrate"}
LASTING = sorted(SERVICES.keys() - ONCE)
ALERTS = [rule for group in yaml.safe_load((DOCKER / "alerts.yml").read_text())["groups"] for rule in group["rules"]]
SCRAPES = {
    scrape["job_name"]: scrape for scrape in yaml.safe_load((DOCKER / "prometheus.yml").read_text())["scrape_configs"]
}

every_service = pytest.mark.parametrize("name", sorted(SERVICES))
lasting_service = pytest.mark.parametrize("name", LASTING)


def _tool(name: str) -> str:
    return shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name) or pytest.fail(f"no {name}")


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


def _seconds(span: str) -> float:
    number, unit = re.fullmatch(r"(\d+)(s|m)", span).groups()
    return int(number) * {"s": 1, "m": 60}[unit]


# Linters


def test_hadolint_finds_nothing() -> None:
    _run(_tool("hadolint"), "docker/Dockerfile")


def test_compose_lint_finds_nothing_that_has_no_reason() -> None:
    config = "docker/.compose-lint.yml"
    _run(_tool("compose-lint"), "check", "--fail-on", "low", "--strict-config", "--config", config, "docker/compose.yaml")


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_finds_nothing() -> None:
    _run("promtool", "check", "config", "--syntax-only", "docker/prometheus.yml")
    _run("promtool", "check", "rules", "docker/alerts.yml")
    _run("promtool", "test", "rules", "docker/alerts.test.yml")


# The image


def test_the_image_copies_what_there_is() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = set()
    for words in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE):
        copied.update(words.split()[:-1])
    assert copied == allowed, ".dockerignore lets through what is copied, and nothing else"
    assert all((ROOT / name).exists() for name in copied)


def test_the_image_holds_every_package_of_ours() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"bench", "tests"}
    assert {f"COPY {name} {name}" for name in packages} <= set(DOCKERFILE.splitlines())


def test_the_image_is_pinned_hashed_and_not_root() -> None:
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) == {"python:3.13-slim"}
    assert DOCKERFILE.count("--require-hashes") == 2
    assert re.findall(r"^USER (\S+)", DOCKERFILE, re.MULTILINE)[-1] == "10001:10001"


def _locked(name: str) -> dict[str, str]:
    """The versions that a lock has, by package."""
    return dict(re.findall(r"^([a-z0-9_.-]+)==(\S+)", (ROOT / name).read_text(), re.MULTILINE))


def test_the_image_with_the_sdks_is_the_plain_one_and_every_extra() -> None:
    plain, whole = _locked("requirements.txt"), _locked("requirements-all.txt")
    assert plain.items() <= whole.items()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = {Requirement(text).name for each in project["optional-dependencies"].values() for text in each}
    assert named - {"treadle"} <= whole.keys(), "make lock"
    assert whole.items() <= _locked("requirements-dev.txt").items(), "what is tested is not what is shipped"


def test_the_lock_holds_what_the_redis_transport_imports() -> None:
    needed = [Requirement(text) for text in requires("kombu") or ()]
    extra = {need.name for need in needed if need.marker and need.marker.evaluate({"extra": "redis"})}
    assert extra <= _locked("requirements.txt").keys(), (
        "name kombu[redis], or its packages, in pyproject.toml and lock again"
    )


# The services


@every_service
def test_a_service_is_hardened(name: str) -> None:
    service = SERVICES[name]
    assert int(service["user"].split(":")[0]) > 0
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    limits = service["deploy"]["resources"]["limits"]
    assert limits.keys() == {"cpus", "memory", "pids"}
    assert not any(volume.startswith((".", "/", "~")) for volume in service.get("volumes", ())), "no folder of the host"


@every_service
def test_an_image_is_pinned(name: str) -> None:
    tag = SERVICES[name]["image"].partition(":")[2]
    assert re.match(r"v?\d+\.\d+", tag)


@lasting_service
def test_a_lasting_service_is_watched_and_started_again(name: str) -> None:
    service = SERVICES[name]
    assert service["restart"] == "unless-stopped"
    check = service["healthcheck"]
    assert check.keys() == {"test", "interval", "timeout", "retries", "start_period"}
    assert _seconds(check["timeout"]) < _seconds(check["interval"])
    if check["test"][:2] == ["CMD", "python"]:
        compile(check["test"][3], "healthcheck", "exec")


def test_what_runs_once_does_not_start_again_and_is_waited_for() -> None:
    assert SERVICES["migrate"]["restart"] == "no"
    for name in ("api", "worker", "worker-cpu", "scheduler"):
        wanted = {part: how["condition"] for part, how in SERVICES[name]["depends_on"].items()}
        assert wanted == {
            "migrate": "service_completed_successfully",
            "postgres": "service_healthy",
            "valkey": "service_healthy",
        }


@every_service
def test_only_the_api_can_be_published_beyond_this_host(name: str) -> None:
    for port in SERVICES[name].get("ports", ()):
        assert port.startswith("${API_ADDRESS:-127.0.0.1}:" if name == "api" else "127.0.0.1:")


@every_service
def test_what_a_service_names_is_declared(name: str) -> None:
    service = SERVICES[name]
    assert set(service.get("secrets", ())) <= COMPOSE["secrets"].keys()
    assert set(service["networks"]) <= COMPOSE["networks"].keys()
    assert {config["source"] for config in service.get("configs", ())} <= COMPOSE["configs"].keys()
    assert {volume.split(":")[0] for volume in service.get("volumes", ())} <= COMPOSE["volumes"].keys()
    assert service.get("depends_on", {}).keys() <= SERVICES.keys()


@every_service
def test_every_variable_is_a_setting(name: str) -> None:
    service = SERVICES[name]
    variables = [key for key in service.get("environment", {}) if key.startswith("TREADLE_")]
    variables += [secret for secret in service.get("secrets", ()) if secret.startswith("treadle_")]
    assert {key.lower().removeprefix("treadle_") for key in variables} <= Settings.model_fields.keys()


@every_service
def test_no_secret_stands_in_the_file(name: str) -> None:
    secret = {field for field, info in Settings.model_fields.items() if "Secret" in str(info.annotation) or "_url" in field}
    given = {key.lower().removeprefix("treadle_") for key in SERVICES[name].get("environment", {})}
    assert not given & secret


@pytest.mark.parametrize("name", [name for name in sorted(SERVICES) if SERVICES[name]["image"].startswith("treadle:")])
def test_a_command_of_ours_exists(name: str) -> None:
    command = SERVICES[name]["command"]
    match command:
        case ["treadle", word, *options]:
            known = get_command(treadle).commands[word]  # type: ignore[attr-defined]
            names = {option for parameter in known.params for option in parameter.opts}
            assert {option for option in options if option.startswith("--")} <= names
        case ["celery", "-A", target, "flower", *_]:
            assert find_spec(target.partition(":")[0]) is not None
        case _:
            pytest.fail(f"{command} is none of ours")


@pytest.mark.parametrize("name", ["worker", "worker-cpu"])
def test_a_worker_has_time_to_drain(name: str) -> None:
    service = SERVICES[name]
    assert _seconds(service["stop_grace_period"]) >= _seconds(service["environment"]["TREADLE_DRAIN_GRACE"]) + 15


def test_the_workers_serve_every_queue_between_them() -> None:
    served = {
        SERVICES[name]["command"][SERVICES[name]["command"].index("--queues") + 1] for name in ("worker", "worker-cpu")
    }
    assert served == set(Settings.model_fields["queues"].default)


def test_the_broker_refuses_rather_than_forgets() -> None:
    command = SERVICES["valkey"]["command"]
    assert command[command.index("--maxmemory-policy") + 1] == "noeviction"


# The secrets


def test_make_secrets_makes_every_secret_and_keeps_what_is_there(tmp_path: Path) -> None:
    shutil.copy(DOCKER / "make-secrets", tmp_path)
    folder = tmp_path / "secrets"
    folder.mkdir()
    _run("sh", str(tmp_path / "make-secrets"))
    made = {path.name: path.read_text() for path in folder.iterdir()}
    declared = {entry["file"] for entry in COMPOSE["secrets"].values()}
    assert {f"secrets/{name}" for name in made} == declared
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert made["postgres_password"].strip() in made["treadle_database_url"]
    password = made["treadle_broker_url"].split(":")[2].split("@")[0]
    assert f">{password} " in made["valkey_users.acl"]
    assert len(set(made.values())) == len(made)
    _run("sh", str(tmp_path / "make-secrets"))
    assert {path.name: path.read_text() for path in folder.iterdir()} == made


# Prometheus


def _shown() -> dict[str, bool]:
    """Every sample that runtime/metrics.py can show, and whether it has labels of its own."""
    shown = {}
    for value in vars(metrics).values():
        if hasattr(value, "describe") and hasattr(value, "_labelnames"):
            for family in value.describe():
                parts = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"]}.get(family.type, [""])
                shown.update({family.name + part: bool(value._labelnames) for part in parts})
    return shown


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_asks_for_what_is_shown_and_says_what_to_do(rule: dict[str, Any]) -> None:
    shown = _shown()
    named = re.findall(r"(treadle_\w+)(?:\{job=\"(\w+)\")?", rule["expr"])
    assert named or "up{" in rule["expr"]
    for name, job in named:
        assert name in shown
        if not name.endswith("_total"):
            assert job == "scheduler", f"{name} is a gauge of the scheduler; other processes show 0"
    assert set(re.findall(r'job="(\w+)"', rule["expr"])) <= SCRAPES.keys()
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["annotations"].keys() == {"summary", "action"}


def test_metrics_are_found_by_this_test() -> None:
    assert {
        "treadle_queue_oldest_ready_seconds",
        "treadle_hints_lost_total",
        "treadle_run_seconds_bucket",
    } <= _shown().keys()
    assert REGISTRY.get_sample_value("treadle_workers") is not None


def test_each_scrape_finds_its_service_and_port() -> None:
    ports = {name: SERVICES[name].get("environment", {}).get("TREADLE_METRICS_PORT", "8000") for name in LASTING}
    found = {}
    for scrape in SCRAPES.values():
        for place in scrape["dns_sd_configs"]:
            found.update({name: str(place["port"]) for name in place["names"]})
    assert found == {name: ports[name] for name in ("api", "worker", "worker-cpu", "scheduler")}
    token = Path(SCRAPES["api"]["authorization"]["credentials_file"]).name
    assert token in SERVICES["prometheus"]["secrets"]
    assert token in SERVICES["api"]["secrets"]
