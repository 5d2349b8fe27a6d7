# make demo: the main job from nothing.  make test: the tests.  Needs Python >= 3.11.4 and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# byte code is kept, whatever the environment says: the tests start hundreds of processes, and each would compile anew
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test train check audit format walkthrough lock clean help

help:           ## this list
	@grep -E '^[a-z%-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## +/\t/' | expand -t 14

demo: $(VENV)/run    ## the whole journey on real pictures, from nothing
	@$(BIN)/scones demo

test: $(VENV)/dev    ## the tests
	@$(BIN)/python -m pytest -n auto --dist worksteal

train: $(VENV)/train ## torch and what fine-tuning needs besides; the tests of it run from then on

check: $(VENV)/dev   ## what CI runs: format, lint, types, tests, known vulnerabilities apart
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -n auto --dist worksteal

# strict: an index that cannot answer about a package must not pass for a clean bill
audit: $(VENV)/dev   ## known vulnerabilities of what is locked; asks PyPI itself
	@$(BIN)/pip-audit --strict --disable-pip --require-hashes -r requirements.lock -r requirements-train.lock -r requirements-tracing.lock

format: $(VENV)/dev  ## put the code in shape
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench-workflow: $(VENV)/peers
bench-%: $(VENV)/run ## a benchmark: JSON on stdout, progress on stderr
	@$(BIN)/python benchmarks/$(subst -,_,$*).py

walkthrough: $(VENV)/dev ## run the notebook, and write what it shows to docs/walkthrough.md
	@$(BIN)/python examples/render.py

lock: $(VENV)/dev    ## write the locks anew
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		pyproject.toml -o requirements.lock
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		pyproject.toml --group dev -o requirements-dev.lock
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		pyproject.toml --group train-rest -o requirements-train.lock
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		pyproject.toml --group peers -o requirements-peers.lock
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		pyproject.toml --extra tracing -o requirements-tracing.lock

clean:               ## remove what make and the demo made; your own work in .scones stays
	rm -rf $(VENV) .scones/demo dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find src tests benchmarks -name __pycache__ -prune -exec rm -rf {} +

# a stamp a lock: the environment is made once, and again when its lock has changed
$(VENV)/run: requirements.lock pyproject.toml
	@echo "installing (once; about a minute) …" >&2
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) install --no-compile --require-hashes -r requirements.lock
	@$(PIP) install --no-compile --no-deps -e .
	@touch $@

$(VENV)/dev: $(VENV)/run requirements-dev.lock
	@$(PIP) install --no-compile --require-hashes -r requirements-dev.lock
	@touch $@

# torch alone first, asked for alone, so that an index that has a CPU build serves it
$(VENV)/train: $(VENV)/dev requirements-train.lock
	@echo "installing torch (once; a minute or two) …" >&2
	@$(PIP) install --no-compile torch==2.13.0
	@$(PIP) install --no-compile --require-hashes -r requirements-train.lock
	@touch $@

# the engines that the workflow benchmark is held against
$(VENV)/peers: $(VENV)/run requirements-peers.lock
	@$(PIP) install --no-compile --require-hashes -r requirements-peers.lock
	@touch $@
