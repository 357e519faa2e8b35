# SPDX-License-Identifier: Apache-2.0
# Every target does its own set-up first (tools/bootstrap.py), in 0.1 s once that is done.

export PATH := $(CURDIR)/.venv/bin:$(PATH)
PY := .venv/bin/python
BOOTSTRAP := $(or $(PYTHON),python3) tools/bootstrap.py
MARKDOWN = $$(git ls-files '*.md')
VYPER_LINT := .venv/vyper-lint
LOCK := uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
        --no-annotate --no-header --quiet

.DEFAULT_GOAL := help
.PHONY: help setup demo test assure replay bench gas lint format app artifacts web docs lock clean
.PHONY: lint-python lint-types lint-text lint-vyper lint-web lint-tree

help:  ## list the targets
	@sed -nE 's/^([a-z]+):.*##( .*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 12

setup:  ## make .venv with everything in it (the other targets do so too)
	@$(BOOTSTRAP)

demo: setup  ## a data set goes from a folder to a buyer; APP=1 leaves the app running
	@$(PY) -m scripts.demo $(if $(APP),--app)

test: setup  ## everything a fresh clone can run
	@$(PY) -m tools.run_tests

assure: setup  ## the long campaigns; PART=i/n runs one part of n, and goes on where it ended
	@pytest -m assure --hypothesis-profile=assure --timeout=0 -n 2 --part $(or $(PART),1/1)

replay: setup  ## a recorded crowd through the contracts: SET=sp_amt or a folder; LABELERS, LABELS, ROUNDS
	@$(PY) -m bench.replay $(or $(SET),sp_amt) $(if $(LABELERS),--labelers $(LABELERS)) \
	  $(if $(LABELS),--labels $(LABELS)) $(if $(ROUNDS),--rounds $(ROUNDS))

bench: setup  ## every table of speed, each figure a ratio against a peer in the same run
	@$(PY) -m bench

gas: setup  ## every table of gas, from receipts
	@$(PY) -m bench.gas
	@$(PY) -m bench.gas_bounties

lint: lint-python lint-types lint-text lint-vyper lint-web lint-tree  ## formatting, types, layers, spelling, licences, artifacts, pages

lint-python: setup
	ruff format --check --quiet .
	ruff check --quiet .

lint-types: setup
	mypy --no-error-summary
	lint-imports --no-cache --no-logo

lint-text: setup
	codespell $$(git ls-files)
	mdformat --check $(MARKDOWN)

lint-vyper:
	@$(BOOTSTRAP) vyper-lint
	$(VYPER_LINT)/bin/mamushi --check --line-length 100 --quiet contracts
	$(VYPER_LINT)/bin/natrix lint contracts/*.vy contracts/modules
	$(PY) tools/artifacts.py --check

lint-web: setup
	$(PY) tools/web.py --check

lint-tree: setup
	$(PY) tools/check_tree.py

format:  ## format Python, Vyper and Markdown
	@$(BOOTSTRAP) vyper-lint
	ruff check --fix-only --quiet .
	ruff format --quiet .
	$(VYPER_LINT)/bin/mamushi --line-length 100 --quiet contracts
	mdformat $(MARKDOWN)

app: setup  ## the Streamlit app, on loopback; DEVNET=1 starts a local network for it
	@truthmark app $(if $(DEVNET),--devnet build/devnet)

artifacts: setup  ## compile the contracts into the library
	@$(PY) tools/artifacts.py

web: setup  ## bundle what browsers load into the library
	@$(PY) tools/web.py

docs: setup  ## build the documents as a site, in build/site
	@$(BOOTSTRAP) docs
	@NO_MKDOCS_2_WARNING=1 .venv/docs/bin/mkdocs build --quiet
	@echo 'build/site/index.html'

lock: setup  ## rewrite the lock files (needs uv on PATH)
	@command -v uv >/dev/null || { echo 'error: this needs uv; run `pip install uv`' >&2; exit 1; }
	$(LOCK) --all-extras pyproject.toml -o requirements.lock
	$(LOCK) tools/vyper-lint.in -o tools/vyper-lint.lock
	$(LOCK) tools/peers.in -o tools/peers.lock
	$(LOCK) tools/docs.in -o tools/docs.lock
	$(LOCK) --extra app pyproject.toml tools/neighbours.in -o tools/neighbours.lock
	cd truthmark/testing/node && npm install --package-lock-only --omit-lockfile-registry-resolved
	$(PY) tools/web.py --lock

clean:  ## remove what was built, but not what was fetched
	rm -rf .build build .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage
