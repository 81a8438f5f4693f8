# Everything a person does with this project: `make help` lists it.
#
#   PROFILE=mini     what the book runs (memloc profiles lists them)
#   WORKERS=2        chapters executed, and test processes, at a time
#   SUBMISSIONS=dir  what was handed in, for `make grade`, with ASSIGNMENT=name, and OUT=, ROSTER=, DUE=, MARKS= if wanted
#   ASSIGNMENTS=dir  assignments of your own instead of the project's
#   SOLUTIONS=fold   solutions of exercises: fold, show or withhold
#   EXTRAS=dev       extras to install, separated by commas
#   PYTHON=...       a Python 3.11, if the search below finds none
#   TORCH_INDEX=...  package index with the build of torch you want (README, "Builds of torch"); remembered
#   VENV=.venv       where the environment lives; that of `make read` in .venv-read

PROFILE ?= mini
WORKERS ?= 2
EXTRAS ?= dev
VENV ?= .venv
TORCH_INDEX ?=
PYTEST_ARGS ?=
PORT ?= 8000
SOLUTIONS ?= fold
SUBMISSIONS ?=
ASSIGNMENT ?=
ASSIGNMENTS ?=
ROSTER ?=
DUE ?=
MARKS ?=
OUT ?=

# A name on the PATH may be a shim for a version that is not installed, so each candidate is asked.
PYTHON ?= $(shell for p in python3.11 python3 python; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != (3, 11))' >/dev/null 2>&1 \
	&& command -v $$p && break; done)

BIN := $(VENV)/bin
TIMED := scripts/timed.sh

.PHONY: help setup book read release assignments grade test lint format typecheck publish pdf serve lock clean
.NOTPARALLEL:

help:
	@echo "make setup      environment in $(VENV), from requirements.lock"
	@echo "make book       run the chapters (PROFILE=$(PROFILE)) and build the HTML"
	@echo "make read       build the book from the released tables: no torch, nothing is computed"
	@echo "make release    compute anew what make read shows of the default profile"
	@echo "make serve      show the built book on http://localhost:$(PORT)"
	@echo "make assignments  a course to hand out, in _build/classroom (OUT=)"
	@echo "make grade      SUBMISSIONS=dir ASSIGNMENT=name: marks and feedback, in _build/grades/NAME (OUT=)"
	@echo "make publish    the built book with its notebooks and tables in _build/publish, for any web server"
	@echo "make pdf        the built book as one PDF in _build/pdf (needs Chromium)"
	@echo "make test       all tests (PYTEST_ARGS='-k swapping' for some)"
	@echo "make lint       ruff: rules and format;  make format applies them"
	@echo "make typecheck  mypy"
	@echo "make lock       renew requirements.lock (LOCK_ARGS='--upgrade torch')"
	@echo "make clean      remove the built book and caches; artefacts and environment stay"

setup:
	@if [ -z "$(PYTHON)" ]; then echo "setup: found no Python 3.11 with venv on the PATH." \
		"Install one (python.org, pyenv, conda, or your system's packages) and name it:" \
		"make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; exit 1; fi
	@$(PYTHON) scripts/setup_env.py --venv "$(VENV)" $(or $(READER),--extras "$(EXTRAS)" --torch-index "$(TORCH_INDEX)")

book:
	@$(TIMED) setup $(MAKE) --no-print-directory setup
	@$(TIMED) "experiments ($(PROFILE))" $(BIN)/memloc run --profile "$(PROFILE)" --workers "$(WORKERS)"
	@$(TIMED) "chapters ($(PROFILE))" $(BIN)/memloc book execute --profile "$(PROFILE)" --workers "$(WORKERS)" \
		--solutions "$(SOLUTIONS)"
	@$(TIMED) html $(BIN)/memloc book build

read: VENV = .venv-read
read:
	@$(TIMED) setup $(MAKE) --no-print-directory setup VENV="$(VENV)" READER=--reader
	@$(TIMED) chapters $(VENV)/bin/memloc book execute --released --workers "$(WORKERS)" --solutions "$(SOLUTIONS)"
	@$(TIMED) html $(VENV)/bin/memloc book build

release: setup
	@$(BIN)/memloc book release --workers "$(WORKERS)"

assignments: setup
	@$(BIN)/memloc classroom make --out "$(or $(OUT),_build/classroom)" \
		$(if $(ASSIGNMENTS),--assignments "$(ASSIGNMENTS)")

grade: setup
	@$(if $(and $(SUBMISSIONS),$(ASSIGNMENT)),,echo "grade: say what and whose:" \
		"make grade SUBMISSIONS=dir ASSIGNMENT=name" >&2; exit 2;) \
	OMP_NUM_THREADS=1 $(BIN)/memloc classroom grade "$(SUBMISSIONS)" --assignment "$(ASSIGNMENT)" \
		--out "$(or $(OUT),_build/grades/$(ASSIGNMENT))" --workers "$(WORKERS)" \
		$(if $(ROSTER),--roster "$(ROSTER)") $(if $(DUE),--due "$(DUE)") $(if $(MARKS),--marks "$(MARKS)") \
		$(if $(ASSIGNMENTS),--assignments "$(ASSIGNMENTS)")

test: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(PYTEST_ARGS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

typecheck: setup
	$(BIN)/mypy

publish: setup
	$(BIN)/memloc book publish

pdf: setup
	$(BIN)/memloc book pdf

# with the environment that there is: whoever only reads need not install the other one
serve:
	@$(if $(wildcard $(BIN)/memloc .venv-read/bin/memloc),,$(MAKE) --no-print-directory setup)
	$(or $(wildcard $(BIN)/memloc),$(wildcard .venv-read/bin/memloc),$(BIN)/memloc) book serve --port "$(PORT)"

lock: setup
	$(BIN)/python scripts/lock.py $(LOCK_ARGS)

clean:
	rm -rf _build book/chapters book/atlas book/assignments build dist .pytest_cache .mypy_cache .ruff_cache
