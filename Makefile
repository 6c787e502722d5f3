# Needs only make and Python 3.11, 3.12 or 3.13; `make setup` brings the rest into .venv.
.DEFAULT_GOAL := help
.PHONY: help setup demo test check docs bench

BIN := .venv/bin
STAMP := .venv/.ganonym-installed
FIT := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))

help: ## list the targets
	@sed -n 's/^\([a-z]*\):[^#]*## /\1	/p' $(MAKEFILE_LIST)

setup: $(STAMP) ## create .venv with everything; afterwards .venv/bin/ganonym works

demo: $(STAMP) ## anonymize 48 photographs of virtual people, then assess the result: tables, reports and pictures in ./demo
	$(BIN)/ganonym demo
	$(BIN)/ganonym assess demo/photos demo/anonymized --manifest demo/people.csv --policy internal --out demo/assessment \
		|| test $$? -eq 3      # 24 people are too few for a verdict: the report says so

check: $(STAMP) ## style, types and import layers, without running anything
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check ## check, then the test suite
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile

docs: $(STAMP) ## build the documentation site into build/site
	$(BIN)/mkdocs build --strict

bench: $(STAMP) ## run every script of benchmarks/ (their README says what each needs)
	set -e; for script in benchmarks/*.py benchmarks/reproduction/run.py; do echo "== $$script"; $(BIN)/python "$$script"; done

# Installs again only when pyproject.toml changed. `make setup PYTHON=...` chooses the interpreter of a new .venv.
$(STAMP): pyproject.toml
	@set -e; \
	if ! $(BIN)/python -c '$(FIT)' 2>/dev/null; then \
		for python in $(PYTHON) python3.13 python3.12 python3.11 python3 ''; do \
			$$python -c '$(FIT)' 2>/dev/null && break; \
		done; \
		test -n "$$python" || { echo 'No Python 3.11, 3.12 or 3.13 found; install one, or: make setup PYTHON=path' >&2; exit 4; }; \
		rm -rf .venv; \
		if command -v uv >/dev/null; then uv venv --quiet --python "$$python" .venv; else $$python -m venv .venv; fi; \
	fi; \
	if command -v uv >/dev/null; then uv=uv; else \
		uv=$(BIN)/uv; \
		test -x $$uv || $(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip >/dev/null; \
		test -x $$uv || $(BIN)/python -m pip install --quiet uv; \
	fi; \
	set -x; $$uv pip install --compile-bytecode --python $(BIN)/python --editable '.[assess,fan,train,classify,text]' --group dev
	@touch $@
