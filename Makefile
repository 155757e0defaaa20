# Fabula. `make help` lists what there is.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3)
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(abspath $(BIN)):$(PATH)

PROTOS = $(shell cd protos && find fabula -name '*.proto' | sort)
GENERATED := clients/python
CONTRACT := protos/contract.binpb
COMMENTED := service/gateway/commented.binpb
THEME ?= a fox who fears the dark
AGE ?= 6
ADDRESS ?= 127.0.0.1:50051

.PHONY: help run story test check generate lock bench clean

help: ## list the commands
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1|/' | awk -F'|' '{printf "  make %-10s %s\n", $$1, $$2}'

run: $(VENV)/.run ## install what is needed and serve stories on 127.0.0.1:50051, and the page on http://127.0.0.1:8000
	exec python -m service

story: $(VENV)/.run ## ask the running service for a story: make story THEME="a lost key" AGE=8
	fabula --address $(ADDRESS) tell "$(THEME)" --age $(AGE)

test: $(VENV)/.dev ## install what is needed and run the whole suite
	python -m pytest

check: $(VENV)/.dev ## format, lint, types, layers, protos, generated code
	ruff format --check .
	ruff check .
	mypy
	lint-imports
	buf format --diff --exit-code protos
	buf lint
	buf breaking protos --against $(CONTRACT)
	$(MAKE) --no-print-directory stale

.PHONY: stale
stale:
	@tmp=$$(mktemp -d); trap 'rm -rf "$$tmp"' EXIT; \
	$(MAKE) --no-print-directory stubs OUT="$$tmp" COMMENTED="$$tmp/commented.binpb"; \
	buf build protos --exclude-source-info -o "$$tmp/contract.binpb"; \
	for package in fabula buf; do \
	  diff -r <(cd $(GENERATED) && find $$package -name '*_pb2*' | grep -v __pycache__ | sort) <(cd "$$tmp" && find $$package -name '*_pb2*' | sort) \
	    || { echo "generated files are missing or left over: run 'make generate'"; exit 1; }; \
	done; \
	(cd "$$tmp" && find fabula buf -name '*_pb2*') | while read -r file; do \
	  cmp -s "$$tmp/$$file" "$(GENERATED)/$$file" || { echo "$(GENERATED)/$$file is stale: run 'make generate'"; exit 1; }; \
	done; \
	cmp -s "$$tmp/contract.binpb" $(CONTRACT) || { echo "$(CONTRACT) is stale: run 'make generate'"; exit 1; }; \
	cmp -s "$$tmp/commented.binpb" $(COMMENTED) || { echo "$(COMMENTED) is stale: run 'make generate'"; exit 1; }; \
	echo "generated code is up to date"

generate: $(VENV)/.dev ## check the protos, generate clients/python and record the contract
	buf format -w protos
	buf lint
	buf breaking protos --against $(CONTRACT)
	find $(GENERATED) -name '*_pb2*' -not -path '*/__pycache__/*' -delete
	$(MAKE) --no-print-directory stubs OUT=$(GENERATED)
	buf build protos --exclude-source-info -o $(CONTRACT)

.PHONY: stubs
stubs:
	python -m grpc_tools.protoc -I protos -I third_party/protos \
	  --python_out=$(OUT) --mypy_out=quiet:$(OUT) $(PROTOS) buf/validate/validate.proto
	python -m grpc_tools.protoc -I protos -I third_party/protos \
	  --grpc_python_out=$(OUT) --mypy_grpc_out=quiet:$(OUT) $(filter %_service.proto,$(PROTOS))
	python -m grpc_tools.protoc -I protos -I third_party/protos \
	  --include_source_info --descriptor_set_out=$(COMMENTED) $(PROTOS)

lock: $(VENV)/.dev ## resolve the dependencies anew into requirements/*.lock
	for set in run dev; do \
	  uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --upgrade --quiet \
	    --no-header --no-annotate --no-emit-index-url --no-emit-find-links --no-emit-package fabula-client \
	    $$([ $$set = dev ] && echo --extra dev) -o requirements/$$set.lock; \
	done

bench: $(VENV)/.dev ## measure: cost beside a bare relay, cancel, crash and frozen-client times
	python -m tests.bench

clean: ## remove what was installed and generated here, not the data
	rm -rf $(VENV) build *.egg-info clients/python/*.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

# The stamps hold the lock that was installed: a changed lock installs again.
$(VENV)/.%: requirements/%.lock pyproject.toml clients/python/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed: install it, or name one: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e clients/python -e .
	touch $@
