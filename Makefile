# Every command that a person or CI runs. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.ONESHELL:
.PHONY: help run test check format bench docs lock matrix clients clean

BIN := .venv/bin
DATA ?= ./data
CODE := src tests benchmarks
locks := pyproject.toml requirements.lock requirements-dev.lock
jobs ?= 2

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: .venv/.run ## start a server on port 8081 with its data in ./data
	@exec $(BIN)/pakhus serve --data $(DATA)

check: .venv/.dev ## format, lint, types, imports, unit, contract and house tests: under two minutes
	@$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n $(jobs) tests/unit tests/contract tests/house tests/docs

test: .venv/.dev ## everything, with the real package clients (installed into a cache when missing)
	@scripts/everything

clients: .venv/.dev ## install the real package clients that the tests drive
	@$(BIN)/python -m tests.clients.install

matrix: .venv/.dev ## write what the client tests found into the README's table
	@$(BIN)/python -m tests.clients.matrix

bench: .venv/.dev ## measure the server beside nginx and peers; takes ONLY="get-1k put-1k"
	@$(BIN)/python -m benchmarks $(if $(ONLY),--only $(ONLY))

format: .venv/.dev ## rewrite the code in the project's format
	@$(BIN)/ruff format $(CODE)
	$(BIN)/ruff check --fix $(CODE)

docs: .venv/.dev ## check the documentation: links, commands, settings
	@$(BIN)/pytest tests/docs

lock: ## pin the newest allowed version of every dependency
	@[ -x .cache/uv/bin/uv ] || scripts/environment dev
	scripts/lock $(LOCKFLAGS)

clean: ## remove what the commands above made, but not ./data
	@rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist

# The developer's environment has everything that the server needs, so that `make run` leaves it alone.
.venv/.run: $(locks)
	@if [ -e .venv/.dev ]; then scripts/environment dev; touch .venv/.dev; else scripts/environment run; fi
	touch $@

.venv/.dev: $(locks)
	@scripts/environment dev
	touch .venv/.run $@
