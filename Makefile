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

# The container of docker-up. DOCKER_ARGS goes to docker run: make docker-up DOCKER_ARGS="--env LOCALAIK_API_KEY=secret"
TARGET ?= tiny
IMAGE ?= localaik:$(TARGET)
CONTAINER_NAME ?= localaik-dev
PORT ?= 18090
DOCKER_WAIT ?= 180
DOCKER_ARGS ?=
DOCKER_BUILD_ARGS ?=
# By the label, too: a container that merely has this name is somebody else's.
REMOVE_CONTAINER = ids=$$(docker ps --all --quiet --filter 'name=^/$(CONTAINER_NAME)$$' --filter label=localaik.make=docker-up) \
	&& { [ -z "$$ids" ] || docker rm --force --volumes $$ids >/dev/null; }

.PHONY: help run demo test coverage test-unit test-contract test-integration lint lint-files fmt bench-schemas docs model model-eval \
	lock sdks wheel system docker-build docker-up docker-down clean

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

test-integration: $(TOOLS) ## Build the images and run their tests; without a Docker engine they are skipped
	@$(BIN)/python -m pytest -p no:langsmith_plugin tests/integration

lint: $(TOOLS) ## Check format, style, types and the import laws
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-logo | tail -n 2

lint-files: $(BIN)/python ## Check workflows, the action, the image, compose files and shell scripts
	@tools/lint_files.sh $(BIN)/python

fmt: $(TOOLS) ## Format the code and mend what can be mended
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

sdks: $(SDKS) ## Install the SDKs of Node and Go, and an older one of Python, for the contract tests (minutes)

bench-schemas: $(TOOLS) system ## Send 4,000 random schemas and tool sets, and check every answer (minutes)
	@$(BIN)/python -m bench.schemas

docs: $(TOOLS) ## Write docs/settings.md from the settings
	@$(BIN)/python -m tools.settings_page

model: $(MODEL_VENV)/.installed ## Make the embedded models again (about two hours on two cores)
	@$(MODEL_VENV)/bin/python -m tools.tinymodel

model-eval: $(TOOLS) system ## Examine the embedded model, write docs/embedded-model.md (minutes; flags: ARGS="--show 3")
	@$(BIN)/python -m tools.tinymodel.exam --write $(ARGS)

wheel: $(TOOLS) ## Build a wheel into dist/
	@$(BIN)/python -m build --wheel

lock: ## Write constraints.txt anew: the newest versions that fit pyproject.toml
	@rm -rf $(LOCK_VENV)
	@$(LOCK_PYTHON) -m venv $(LOCK_VENV)
	@$(LOCK_VENV)/bin/python $(PIP) '.[dev]'
	@$(LOCK_VENV)/bin/python -m pip freeze --exclude localaik >constraints.txt
	@rm -rf $(LOCK_VENV)

docker-build: ## Build an image (TARGET=tiny|gemma3-4b|gemma3-12b|proxy, IMAGE, DOCKER_BUILD_ARGS)
	@docker build --target $(TARGET) --tag $(IMAGE) $(DOCKER_BUILD_ARGS) .

docker-up: docker-build ## Build, start and wait for a container (TARGET, IMAGE, CONTAINER_NAME, PORT=18090, DOCKER_ARGS)
	@$(REMOVE_CONTAINER)
	@docker run --detach --name $(CONTAINER_NAME) --label localaik.make=docker-up --publish 127.0.0.1:$(PORT):8090 --read-only --tmpfs /tmp --cap-drop ALL \
		--security-opt no-new-privileges $(DOCKER_ARGS) $(IMAGE) >/dev/null
	@docker exec $(CONTAINER_NAME) python -m localaik.cli.health --wait $(DOCKER_WAIT) || { \
		echo "The container $(CONTAINER_NAME) does not get ready. Its log:" >&2; \
		docker logs $(CONTAINER_NAME) >&2; \
		$(REMOVE_CONTAINER); \
		exit 1; }
	@echo "localaik is ready on http://127.0.0.1:$(PORT) (container $(CONTAINER_NAME), make docker-down ends it)"

docker-down: ## End and remove the container of docker-up, with its data
	@$(REMOVE_CONTAINER)

clean: ## Remove what was built, installed and cached here
	@rm -rf $(VENV) $(MODEL_VENV) $(LOCK_VENV) .sdks .lint dist build htmlcov .coverage \
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

$(MODEL_VENV)/.installed: tools/tinymodel/requirements.txt pyproject.toml constraints.txt
	@[ -x $(MODEL_VENV)/bin/python ] || "$(PYTHON)" -m venv $(MODEL_VENV)
	@$(MODEL_VENV)/bin/python $(PIP) -c constraints.txt -r tools/tinymodel/requirements.txt -e .
	@touch $@

$(SDKS): tools/sdks.sh $(wildcard tests/sdk/*.txt tests/sdk/*/*.*) | $(BIN)/python
	@tools/sdks.sh $(BIN)/python
	@touch $@
