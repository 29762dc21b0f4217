# Every target sets up what it needs. `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := bash
BIN := .venv/bin
COMPOSE := deploy/docker/compose.sh
NODE := web/node.sh

.PHONY: help setup run demo test chaos lint openapi bench web test-web docker-up docker-down compose-test ci lock

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

setup: ## make the Python environment
	@./setup.sh

run: setup ## start the whole platform; Ctrl-C stops it
	@$(MAKE) --no-print-directory --silent web || echo "The web terminal could not be built; going on without it." >&2
	@exec $(BIN)/tradectl up --stop-with-parent

demo: setup ## replay a synthetic market to a strategy, end to end
	@exec $(BIN)/tradectl demo

test: setup ## run all tests on servers of their own
	@tests/influxdb.sh
	@$(BIN)/python -m pytest -n 2 --dist worksteal -m "not web and not chaos"

chaos: setup ## kill servers and processes under load, fuzz the API for longer (CHAOS_SEED=, CHAOS_ROUNDS=)
	@tests/chaos/faketime.sh
	@FUZZ_EXAMPLES=25 $(BIN)/python -m pytest tests/chaos tests/api_gateway/test_fuzz.py

lint: setup ## style, types, boundaries between packages
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

openapi: setup ## write the gateway's API description to docs/openapi.json
	@$(BIN)/python -m api_gateway.openapi > docs/.openapi.json.new
	@mv docs/.openapi.json.new docs/openapi.json

bench: setup ## measure, side by side with the peers
	@$(BIN)/python -m bench

# --- web terminal -----------------------------------------------------------------------------

WEB_BUILT := api_gateway/static/.built
WEB_SOURCES := $(shell find web -type f -not -path '*/node_modules/*' -not -path '*/test-results/*' 2>/dev/null)

web: setup $(WEB_BUILT) ## build the web terminal that the gateway serves

web/node_modules/.package-lock.json: web/package.json web/package-lock.json
	@echo "Installing the web terminal's packages ..."
	@$(NODE) npm --prefix web ci --no-audit --no-fund --loglevel=error
	@touch $@

$(WEB_BUILT): web/node_modules/.package-lock.json $(WEB_SOURCES)
	@echo "Building the web terminal ..."
	@$(NODE) npm --prefix web run --silent build -- --logLevel warn
	@touch $@

test-web: web ## check the terminal's source, and drive it in a browser
	@$(NODE) npm --prefix web run --silent check
	@$(NODE) npm --prefix web run --silent test
	@web/chromium.sh
	@$(BIN)/python -m pytest -m web

# --- containers -------------------------------------------------------------------------------

docker-up: web ## start the platform as containers
	@$(COMPOSE) up

docker-down: ## stop the containers; their data stays
	@$(COMPOSE) down

compose-test: web ## prove that the containers work, the demo included
	@deploy/docker/compose-test.sh

# --- for developers ---------------------------------------------------------------------------

ci: lint test chaos test-web compose-test ## everything that must be green

LOCK := $(BIN)/uv pip compile --quiet pyproject.toml --generate-hashes --python-version 3.11 --no-header

lock: ## resolve the dependencies of pyproject.toml anew into the lock files
	@$(LOCK) --all-extras --output-file requirements.lock
	@$(LOCK) --constraint requirements.lock --output-file requirements-runtime.lock
	@$(LOCK) --extra launchers --constraint requirements.lock --output-file requirements-launchers.lock
