# Python 3.11 or newer, make and a package registry are all that is needed.
.DEFAULT_GOAL := help
.PHONY: help install serve test chaos bench clients check schema configuration lock clean

VENV ?= .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && command -v $$name && break; done)

help: ## say what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/requirements.lock ## make the environment from the lock file

# The copy of the lock file stands for what is installed.
$(VENV)/requirements.lock: requirements.lock
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed. Install it, or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@cmp -s requirements.lock $@ || { \
		test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { \
			echo "$(PYTHON) cannot make environments; on Debian and Ubuntu: apt install python3-venv" >&2; rm -rf $(VENV); exit 1; }; \
		echo "Installing into $(VENV) …"; \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock; }
	@cp requirements.lock $@

serve: install ## start everything on http://127.0.0.1:8000/graphql
	@exec $(BIN)/python -m gateway serve

test: install ## run every test
	@exec $(BIN)/python -m pytest $(ARGS)

chaos: install ## migrate 1,000 users while workers are killed and PostgreSQL goes away
	@exec $(BIN)/python -m tests.chaos $(ARGS)

bench: install ## what it costs beside others, ratios first (peers too: npm ci in tests/bench/peers)
	@exec $(BIN)/python -m tests.bench $(ARGS)

clients: install ## try the libraries that clients use (after npm ci in tests/clients/node)
	@exec $(BIN)/python -m tests.clients $(ARGS)

check: install ## format, lint, types, import contracts, published schema
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m gateway schema --check
	$(BIN)/python -m gateway schema matrix --check
	$(BIN)/python -m gateway configuration --check

schema: install ## write the published schema, and who may use what, to schema/
	$(BIN)/python -m gateway schema > schema/schema.graphql.new
	mv schema/schema.graphql.new schema/schema.graphql
	$(BIN)/python -m gateway schema matrix > schema/permissions.txt.new
	mv schema/permissions.txt.new schema/permissions.txt

configuration: install ## write the reference of the settings to docs/configuration.md
	$(BIN)/python -m gateway configuration > docs/configuration.md.new
	mv docs/configuration.md.new docs/configuration.md

lock: ## resolve the dependencies anew
	@$(PYTHON) -m venv $(VENV).lock
	@$(VENV).lock/bin/python -m pip install --quiet --disable-pip-version-check uv
	@$(VENV).lock/bin/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-annotate --no-header \
		--group dev pyproject.toml -o requirements.lock
	@rm -rf $(VENV).lock

clean: ## remove what was made, except the data in var/
	rm -rf $(VENV) $(VENV).lock .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
