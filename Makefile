# Commands of the project; .ci/run calls them too. PYTHON: the interpreter of the environment.
PYTHON ?= .venv/bin/python

.PHONY: check types fast test native pages

check: ## style, floors of the house
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m pytest tests/test_layers.py

types: ## not part of check yet: some hundred errors are left
	$(PYTHON) -m basedpyright --level error

fast: ## tests of plan, records and scores: no network, no browser
	$(PYTHON) -m pytest -m fast

test: ## everything
	$(PYTHON) -m pytest

native: ## kernels, under emulation too
	$(PYTHON) -m pytest -m native

pages: ## the site, and the tables of the README pages
	$(PYTHON) run_bench.py report --site results/reference/leaderboard --store results/reference --crops sample
	$(PYTHON) -m reports.readme
