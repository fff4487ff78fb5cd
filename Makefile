# Every target sets up .venv first, if needed. Requires python3 (3.11 or newer) with venv and pip.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test soak check bench limits setup clean help

help:  ## list the targets
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 10

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is required, this is " + sys.version.split()[0])'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "python3 lacks the venv module: apt-get install python3-venv" >&2; exit 1; }
	@echo "setting up $(VENV) (the first time takes a minute or two)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

setup: $(READY)  ## create the virtual environment with all dependencies

demo: $(READY)  ## run the demo on real directories, in under a minute
	@$(BIN)/share-actors demo

test: $(READY)  ## run the whole test suite, in several processes
	@$(BIN)/python -m tests.run

MINUTES ?= 10
soak: $(READY)  ## run long fault tests: simulated, MINUTES (10) of real kills and of access rules, and the tests marked `soak`
	@$(BIN)/python -m tests.faults --cases 50000
	@$(BIN)/python -m tests.faults.soak --minutes $(MINUTES) 2>/dev/null
	@if [ "$$(id -u)" = 0 ]; then $(BIN)/python -m tests.faults.rules --minutes $(MINUTES); \
	else echo "skipped: histories of access rules, tried by users of the machine, need root"; fi
	@$(BIN)/python -m pytest -m soak --all-steps
	@$(BIN)/python -m pytest tests/drivers --all-steps

check: $(READY)  ## check formatting, lint, strict types and import contracts
	@$(BIN)/ruff format --check
	@$(BIN)/ruff check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(READY)  ## measure the figures of docs/benchmarks.md into benchmarks/results/latest.json
	@$(BIN)/python -m benchmarks $(if $(QUICK),--quick)

limits: $(READY)  ## fail if a command takes twice the recorded processor time, as a multiple of a bare application's
	@$(BIN)/python -m benchmarks --only overhead --quick --check >/dev/null

clean:  ## delete the virtual environment and caches
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
