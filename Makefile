# Needs make and Python 3.11 or later; everything else is fetched into .venv. `make help` lists all.

.DEFAULT_GOAL := help
.NOTPARALLEL:

VENV := .venv/bin
PY := $(VENV)/python
TMS_TEST_WORKERS ?= 3
COVERAGE_LINES_MIN ?= 90
COVERAGE_BRANCHES_MIN ?= 70
ARGS ?=

COVERAGE_DIR := $(CURDIR)/.coverage

# A worker that may not keep what it compiled compiles the whole project and its packages again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help run venv test suite chaos check derived matrix schema bench peers clean forget

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## start everything and stay up until Ctrl-C (ARGS="--without bank")
	@bin/bootstrap run && exec $(PY) -m tms.run $(ARGS)

venv: ## make the environment with the development tools
	@bin/bootstrap dev

test: check suite ## all checks, the whole suite with a browser, and the coverage floors

# Each worker begins with rooms of its own: while one waits for a browser others have work to do, and
# what a module sets up is set up once.
suite: venv
	@rm -rf $(COVERAGE_DIR) && mkdir $(COVERAGE_DIR)
	@TMS_CHROMIUM="$$(bin/ensure_chromium | head -n 1)" && export TMS_CHROMIUM && test -n "$$TMS_CHROMIUM" \
	  && PYTHONPATH=$(CURDIR)/tests/measured TMS_COVERAGE_DIR=$(COVERAGE_DIR) \
	  $(PY) -m pytest -n $(TMS_TEST_WORKERS) --dist worksteal -m "not chaos" $(ARGS)
	@$(PY) bin/coverage_floor $(COVERAGE_DIR) --lines $(COVERAGE_LINES_MIN) --branches $(COVERAGE_BRANCHES_MIN)

chaos: venv ## kill every part of a running system under load, and crash every money flow step by step (minutes)
	$(PY) -m pytest tests -m chaos -s $(ARGS)

check: venv ## style, types, import directions, migrations and the API schema
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .
	@$(VENV)/mypy . & types=$$!; $(MAKE) --no-print-directory derived; derived=$$?; \
	  wait $$types && exit $$derived

derived: venv
	$(VENV)/lint-imports
	$(PY) -m tms.run.throwaway manage.py makemigrations --check --dry-run
	@mkdir -p .mypy_cache
	$(PY) -m tms.run.throwaway manage.py spectacular --validate --fail-on-warn --file .mypy_cache/openapi.yaml
	diff -u docs/openapi.yaml .mypy_cache/openapi.yaml
	@# Beside mypy, once: the database that workers copy (tests/template.py), and all tests compiled.
	$(PY) -m pytest -q -k test_a_rolled_back_cause_leaves_no_event

matrix: venv ## write docs/security/access-matrix.md anew
	TMS_WRITE_MATRIX=1 $(PY) -m pytest tests/promises/test_access_matrix.py -q $(ARGS)

schema: venv ## write docs/openapi.yaml anew
	$(PY) -m tms.run.throwaway manage.py spectacular --validate --fail-on-warn --file docs/openapi.yaml

bench: venv ## run the benchmarks on throw-away servers
	$(PY) -m tms.run.throwaway benchmarks/run.py $(ARGS)

peers: venv ## fetch what other makers offer and the benchmarks compare with
	python3 -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet -r requirements/peers.txt

clean: ## remove the environment and all caches; the data stays
	rm -rf .venv .venv-peers .mypy_cache .ruff_cache .import_linter_cache .hypothesis staticfiles .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

forget: ## remove the data and the secrets of this installation, for ever
	@bin/bootstrap run && $(PY) -m tms.run.forget
