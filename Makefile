# Every target sets up what it needs. `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := bash
BIN := .venv/bin

.PHONY: help setup lock
help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

setup: ## make the Python environment
	@./setup.sh

lock: ## resolve the dependencies of pyproject.toml anew into requirements.lock
	@$(BIN)/uv pip compile --quiet pyproject.toml --all-extras --generate-hashes --python-version 3.11 --no-header --output-file requirements.lock
