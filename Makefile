# `make` lists the targets. Any Python from 3.11 on will do; name another one with PYTHON=/path/to/python3.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.installed
TOOLS := $(VENV)/.installed-dev
MODEL_VENV := .venv-model
LOCK_VENV := .venv-lock
SDKS := .sdks/.installed
PIP := -m pip --disable-pip-version-check --quiet install

# The first interpreter that is new enough.
FIND_PYTHON = for p in python3.13 python3.12 python3.11 python3; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo "$$p"; break; }; done
PYTHON ?= $(shell $(FIND_PYTHON))
LOCK_PYTHON ?= python3.11

# Each worker has a server with an engine of its own. One that runs out of tests takes over some of another's.
TEST_WORKERS ?= 2
# LangSmith's plugin would be loaded by all of them, and does nothing here.
PYTEST = $(BIN)/python -m pytest -n $(TEST_WORKERS) --dist worksteal -p no:langsmith_plugin

.PHONY: help run demo test coverage test-unit test-contract test-integration lint fmt bench-schemas docs model lock sdks wheel system \
	docker-up docker-down clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z -]+:.*## / {printf "  %-24s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(RUNTIME) system ## Install what is needed and serve on 127.0.0.1:8090 (flags: ARGS="--port 9000")
	@exec $(BIN)/localaik serve $(ARGS)

demo: $(RUNTIME) system ## Start a server, ask it once as Gemini and once as OpenAI, stop it
	@$(BIN)/python tools/demo.py $(BIN)/localaik

test: $(TOOLS) $(wildcard $(SDKS)) system ## Run the unit and contract tests
	@$(PYTEST) tests/unit tests/contract

coverage: $(TOOLS) system ## Run the same tests and tell which lines they reach (half as long again)
	@$(PYTEST) tests/unit tests/contract --cov --cov-report=term

test-unit: $(TOOLS) ## Run the tests that need no server
	@$(PYTEST) tests/unit

test-contract: $(TOOLS) $(wildcard $(SDKS)) system ## Run the tests of a real server with a real engine and the official SDKs
	@$(PYTEST) tests/contract

test-integration: $(TOOLS) ## Run the tests of what is built from this repository (none yet)
	@if compgen -G 'tests/integration/test_*.py' >/dev/null; then \
		$(BIN)/python -m pytest tests/integration; \
	else \
		echo "There are no integration tests yet: nothing was run."; \
	fi

lint: $(TOOLS) ## Check format, style, types and the import laws
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-logo | tail -n 2

fmt: $(TOOLS) ## Format the code and mend what can be mended
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

sdks: $(SDKS) ## Install the SDKs of Node and Go, and an older one of Python, for the contract tests (minutes)

bench-schemas: $(TOOLS) system ## Send 4,000 random schemas and tool sets, and check every answer (minutes)
	@$(BIN)/python -m bench.schemas

docs: $(TOOLS) ## Write docs/settings.md from the settings
	@$(BIN)/python -m tools.settings_page

model: $(MODEL_VENV)/.installed ## Make the embedded model again (takes long)
	@$(MODEL_VENV)/bin/python -m tools.tinymodel

wheel: $(TOOLS) ## Build a wheel into dist/
	@$(BIN)/python -m build --wheel

lock: ## Write constraints.txt anew: the newest versions that fit pyproject.toml
	@rm -rf $(LOCK_VENV)
	@$(LOCK_PYTHON) -m venv $(LOCK_VENV)
	@$(LOCK_VENV)/bin/python $(PIP) '.[dev]'
	@$(LOCK_VENV)/bin/python -m pip freeze --exclude localaik >constraints.txt
	@rm -rf $(LOCK_VENV)

docker-up docker-down: ## Not there yet: localaik has no container image so far
	@echo "$@: there is no container image yet. Use make run." >&2
	@exit 1

clean: ## Remove what was built, installed and cached here
	@rm -rf $(VENV) $(MODEL_VENV) $(LOCK_VENV) .sdks dist build htmlcov .coverage \
		.pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

system:
	@tools/system_packages.sh

$(BIN)/python:
	@[ -n "$(PYTHON)" ] || { echo "Python 3.11 or newer is needed and was not found. Name it: make $(MAKECMDGOALS) PYTHON=..." >&2; exit 1; }
	@echo "Creating $(VENV)"
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed.")'
	@"$(PYTHON)" -m venv $(VENV)

$(RUNTIME): pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing localaik and its dependencies"
	@$(BIN)/python $(PIP) -c constraints.txt -e .
	@touch $@

$(TOOLS): pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing localaik, its dependencies and the tools of its tests"
	@$(BIN)/python $(PIP) -c constraints.txt -e '.[dev]'
	@touch $(RUNTIME) $@

$(MODEL_VENV)/.installed: tools/tinymodel/requirements.txt
	@[ -x $(MODEL_VENV)/bin/python ] || "$(PYTHON)" -m venv $(MODEL_VENV)
	@$(MODEL_VENV)/bin/python $(PIP) -r tools/tinymodel/requirements.txt
	@touch $@

$(SDKS): tools/sdks.sh $(wildcard tests/sdk/*.txt tests/sdk/*/*.*) | $(BIN)/python
	@tools/sdks.sh $(BIN)/python
	@touch $@
