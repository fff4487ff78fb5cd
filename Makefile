# `make demo` and `make test` do all their own set-up in .venv; python3 (3.11 or newer) with venv and pip is enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test soak check bench setup clean help

help:  ## what can be made
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 10

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "python 3.11 or newer is needed, this is " + sys.version.split()[0])'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "python3 has no venv here: apt-get install python3-venv" >&2; exit 1; }
	@echo "setting up $(VENV) (the first time takes a minute or two)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

setup: $(READY)  ## the virtual environment, with everything

demo: $(READY)  ## the main job, on real directories, in under a minute
	@$(BIN)/share-actors demo

test: $(READY)  ## the whole test suite
	@$(BIN)/python -m pytest

MINUTES ?= 10
soak: $(READY)  ## kills for MINUTES (10), simulated and real, counted; and the tests that `make test` leaves out
	@$(BIN)/python -m tests.faults --cases 50000
	@$(BIN)/python -m tests.faults.soak --minutes $(MINUTES) 2>/dev/null
	@$(BIN)/python -m pytest -m soak

check: $(READY)  ## formatting, lint, strict types, import contracts
	@$(BIN)/ruff format --check
	@$(BIN)/ruff check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(READY)  ## the figures of docs/benchmarks, as JSON in benchmarks/results/latest.json
	@$(BIN)/python -m benchmarks $(if $(QUICK),--quick)

clean:  ## forget the virtual environment and caches
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
