# `make` lists what there is. Everything is made in $(VENV); nothing outside this folder is touched.

PYTHON ?= python3
VENV   ?= .venv
# Test processes at once. A file's tests stay in one, for what they share. (pytest 9.2 broke xdist's loadgroup: see Node._nodeid.)
JOBS   ?= 2
ARGS   ?=
SEEDS  ?= 1 2 3 4 5

bin    := $(VENV)/bin
pytest := $(bin)/python -m pytest $(ARGS)
random := tests/chaos -m short -k "storm or kills_of or power or sent_three_times or survives_sql"
suite  := $(pytest) --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder
export PYTHONUNBUFFERED = 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup up demo test check coverage format lint types chaos chaos-full chaos-seeds endurance guards bench bench-full bench-peers docs client docker-lint lock azurite clean

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  \033[1m%-12s\033[0m %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@echo
	@echo "  PYTHON=python3.13 VENV=.venv-3.13 chooses another Python; ARGS='--port 9000' goes to up, demo, test and bench."

setup: $(VENV)/.ready ## Make .venv with the pinned dependencies (other targets do it themselves)

up: $(VENV)/.ready ## Start everything, run a first job, stay up (Ctrl-C drains)
	@$(bin)/treadle up $(ARGS)

demo: $(VENV)/.ready ## The same, and stop once the first job has finished
	@$(bin)/treadle up --exit $(ARGS)

test: $(VENV)/.ready-dev ## Run every test
	$(suite)

check: lint types test ## All that CI asks: format, lint, types, import contracts, tests

# Three times slower, and blind to workers and scheduler, which are tested as processes of their own: so not in `check`.
coverage: $(VENV)/.ready-dev ## What the tests reach within their own process
	$(suite) --cov --cov-report=term:skip-covered

format: $(VENV)/.ready-dev ## Format the code and mend what can be mended
	$(bin)/ruff format .
	$(bin)/ruff check --fix .

lint: $(VENV)/.ready-dev ## Format, lint and import contracts, looked at only
	$(bin)/ruff format --check .
	$(bin)/ruff check .
	$(bin)/lint-imports

types: $(VENV)/.ready-dev ## mypy, strict
	$(bin)/mypy

chaos: $(VENV)/.ready-dev ## The chaos tests of every commit, with a table of what they measured
	$(pytest) tests/chaos

chaos-full: $(VENV)/.ready-dev ## All faults, in longer forms, on both databases; the table goes into docs/reliability.md
	$(suite) tests/chaos -m "not short and not endurance" --table docs/reliability.md

chaos-seeds: $(VENV)/.ready-dev ## What is left to chance, in short, by five seeds in a row
	for seed in $(SEEDS); do $(pytest) $(random) --seed $$seed || exit 1; done

endurance: $(VENV)/.ready-dev ## The same faults for hours: 10,000 jobs in 250 kills, 10,000 events, 200 deaths, all tests under SQL that fails
	$(pytest) tests/chaos -m endurance

guards: $(VENV)/.ready-dev ## Take out one guard at a time; a test must notice each
	$(bin)/python -m tests.guards

peers := $(filter-out __% celery flower,$(basename $(notdir $(wildcard bench/peers/*.py))))

bench-peers: $(VENV)/.ready-dev ## Install other queues, each by itself, to be measured by `make bench`
	@for peer in $(peers); do echo $$peer; home=bench/out/peers/$$peer; $(bin)/uv venv --quiet --clear --python $(bin)/python $$home \
		&& $(bin)/uv pip install --quiet --python $$home --requirements bench/peers/$$peer.py || exit 1; done

bench: $(VENV)/.ready-dev ## Measure, side by side with plain Celery and other queues that are installed
	$(bin)/python -m bench $(ARGS)

bench-full: $(VENV)/.ready-dev ## All works and queues, Treadle on both ledgers; then what a long history costs
	$(bin)/python -m bench --full $(ARGS)
	for rows in 1000000 5000000; do \
		$(bin)/python -m bench.history --rows $$rows && $(bin)/python -m bench.history --rows $$rows --postgres || exit 1; done

docker-lint: $(VENV)/.ready-dev ## Lint docker/
	$(bin)/hadolint docker/Dockerfile
	$(bin)/compose-lint docker/compose.yaml

pin := $(bin)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header \
       --no-emit-index-url --no-emit-find-links --upgrade --quiet

docs: $(VENV)/.ready-dev ## Write the pages that are made from the code
	$(bin)/python -m tests.provider_pages

client: $(VENV)/.ready-dev ## Write the part of the Python client that is made from the API
	$(bin)/python -m tests.client_source

lock: $(VENV)/.uv ## Pin all dependencies anew
	printf 'uv\nsetuptools>=80\n' | $(pin) - --no-annotate --output-file requirements-setup.txt
	$(pin) pyproject.toml --output-file requirements.txt
	$(pin) pyproject.toml --all-extras --output-file requirements-all.txt
	$(pin) pyproject.toml --all-extras --group dev --output-file requirements-dev.txt

azurite: $(VENV)/.ready-dev ## Install the emulator of Azure's storage, a program for Node; without it its tests are skipped
	npm install --prefix $(VENV)/azurite --no-save --no-fund --no-audit --loglevel error azurite@3.35.0

clean: ## Remove what was made here: .venv, caches, coverage; not the jobs in .treadle
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage .coverage.* *.egg-info
	find . -name __pycache__ -type d -not -path './.venv*' -prune -exec rm -rf {} +

# pip only fetches uv, which installs the rest in seconds where pip takes a minute. All by hash.
$(VENV)/.uv: requirements-setup.txt
	@test -x $(bin)/python || $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Treadle needs Python 3.11 or newer; this is %s. Say which: make PYTHON=python3.12" % sys.version.split()[0])'
	@test -x $(bin)/python || $(PYTHON) -m venv $(VENV)
	@$(bin)/python -m pip install -qq --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(VENV)/.ready: $(VENV)/.uv requirements.txt pyproject.toml
	@echo "Installing the dependencies into $(VENV) …"
	@VIRTUAL_ENV=$(VENV) $(bin)/uv pip install --quiet --compile-bytecode --require-hashes -r requirements.txt
	@VIRTUAL_ENV=$(VENV) $(bin)/uv pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready requirements-dev.txt
	@VIRTUAL_ENV=$(VENV) $(bin)/uv pip install --quiet --require-hashes -r requirements-dev.txt
	@touch $@
