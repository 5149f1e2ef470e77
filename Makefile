# Everything below makes .venv when it is missing and installs pinned wheels; nothing else is needed
# on the machine but Python >=3.11. PYTHON=/path/to/python chooses another one.
PYTHON ?= python3
JOBS ?= 2
# Tests start hundreds of processes: each would compile all modules again where this is set.
export PYTHONDONTWRITEBYTECODE =
BIN = .venv/bin
INSTALL = @PYTHON='$(PYTHON)' sh scripts/install.sh

.DEFAULT_GOAL = help
.PHONY: help demo test test-all check bench lock clean install base

help:  ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 18

demo: base  ## learn, replay, stop, undo: the whole idea in twenty seconds
	@$(BIN)/llmos demo

test: install  ## the tests that need no model file and no patience
	@$(BIN)/python -m pytest -q -n $(JOBS) -m "not slow and not local_model"

test-all: install  ## every test; LLMOS_TEST_GGUF names the model file for those that need one
	@$(BIN)/python -m pytest -q -n $(JOBS)

check: install  ## style, types, the order of the rooms, forbidden text
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet . || { echo "error: say: $(BIN)/ruff format ." >&2; exit 1; }
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python scripts/check_text.py

bench: install  ## measure what the documents claim
	@$(BIN)/python -m bench

lock: base  ## pin again after a change of pyproject.toml; UPGRADE=1 takes the newest versions
	@$(BIN)/python -m pip --disable-pip-version-check -q install --require-hashes -r requirements/lock.txt
	@$(BIN)/python scripts/lock.py $(if $(UPGRADE),--upgrade)

clean:  ## remove the environment and all caches
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	find . -name __pycache__ -prune -exec rm -rf {} +

install: base  ## all processors and all that tests and checks need (about 800 MB)
	$(INSTALL) constraints.txt

base:
	$(INSTALL) requirements/base.txt
