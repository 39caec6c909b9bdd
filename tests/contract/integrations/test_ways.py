"""Every way to every capability keeps the rules. Ways are found in the catalogue; one whose provider has no entry fails.

The payload is the capability's own example, or the entry's `payloads[capability]`.
"""

import pytest

from jobs.states import Reason, State
from tasks import catalogue, load
from tasks.capability import Capability
from tasks.provider import ProviderTask
from tests.contract.integrations.conftest import Bench
from tests.contract.integrations.entry import Entry, entry
from tests.contract.integrations.fake import Answer, Script
from tests.servers import free_port
from tests.trial import Trial

load()
CAPABILITIES = [
    task for task in catalogue.all() if isinstance(task, Capability) and task.run.__module__.startswith("tasks.")
]


def _own(way: ProviderTask) -> ProviderTask:
    """The task behind a way, under its own name."""
    same = [task for task in catalogue.all() if isinstance(task, ProviderTask) and task.run is way.run]
    return same[0]


def _ways() -> list[tuple[Capability, ProviderTask, Entry]]:
    found = [(task, _own(way.task), entry(name)) for task in CAPABILITIES for name, way in task.ways.items()]
    return [(task, own, known) for task, own, known in found if known.elsewhere is None]


ways = pytest.mark.parametrize(
    ("capability", "provided"),
    [pytest.param(task, (own, known), id=f"{task.name} by {own.name}") for task, own, known in _ways()],
)
calling = pytest.mark.parametrize(
    ("capability", "provided"),
    [pytest.param(task, (own, known), id=f"{task.name} by {own.name}") for task, own, known in _ways() if not own.offline],
)


def _payload(capability: Capability, bench: Bench) -> dict[str, object]:
    example = bench.entry.payloads.get(capability.name, capability.example)
    return {**example, "accounts": [bench.task.provider.name]}


def _works(bench: Bench) -> Script:
    return lambda _: bench.entry.success[bench.task.name]


def test_every_capability_has_a_way() -> None:
    assert {task.name for task in CAPABILITIES if not task.ways} == set()


@ways
def test_a_call_that_works_is_one_request_and_names_the_account(capability: Capability, bench: Bench) -> None:
    bench.fake.script = _works(bench)
    trial = Trial(capability)
    job = trial.run(trial.take(_payload(capability, bench)))
    assert job.state is State.SUCCEEDED, job.error
    assert job.result is not None
    assert job.result["account"] == bench.task.provider.name
    assert len(bench.fake.requests) == (0 if bench.task.offline else 1)


@calling
def test_a_worker_that_dies_after_the_yes_makes_no_second_effect(capability: Capability, bench: Bench) -> None:
    """The receipt of the first attempt answers, whatever else the provider would say now."""
    bench.fake.script = _works(bench)
    trial = Trial(capability)
    job_id = trial.take(_payload(capability, bench))
    assert trial.run(job_id, dies=True).state is State.SCHEDULED
    bench.fake.script = lambda _: Answer(500)
    assert trial.run(job_id).state is State.SUCCEEDED
    assert len(bench.fake.requests) == 1


@calling
def test_a_silence_is_never_answered_by_another_account(capability: Capability, bench: Bench) -> None:
    """Its rerun asks, repeats under our key, or gives up: each at the account that may have done it."""
    provider = bench.task.provider.name
    bench.configure(known_accounts=f"{provider}-other")
    bench.fake.script = lambda _: None
    trial = Trial(capability)
    job_id = trial.take({**_payload(capability, bench), "accounts": [provider, f"{provider}-other"]})
    job = trial.run(job_id)
    assert job.reason in {None, Reason.UNKNOWN_OUTCOME}, job.error
    assert len(bench.fake.requests) == 1
    assert not any("passed by" in line for line in trial.lines(job_id))


@calling
def test_one_that_cannot_be_reached_leaves_it_to_the_next(capability: Capability, bench: Bench) -> None:
    provider = bench.task.provider.name
    fields = {**bench.entry.account, **bench.entry.address(f"http://127.0.0.1:{free_port()}")}
    bench.configure(**{f"accounts__{provider.replace('-', '_')}_away__{name}": each for name, each in fields.items()})
    bench.fake.script = _works(bench)
    trial = Trial(capability)
    job = trial.run(trial.take({**_payload(capability, bench), "accounts": [f"{provider}-away", provider]}))
    assert (job.state, (job.result or {}).get("account")) == (State.SUCCEEDED, provider), job.error
    assert len(bench.fake.requests) == 1
