# Everything that a fresh clone needs: Python 3.11 or later, git and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench dev docs clean

help: ## Show what can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/'

demo: $(STAMP) ## Find the concepts of the rendered sample gallery
	@test -f data/sample_labels.csv || $(BIN)/concept sample data/sample
	@$(BIN)/concept refresh --images data/sample --model demo --home data

test: $(STAMP) ## Run the linter, the type checker, the import rules and all tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest

bench: $(STAMP) ## Measure the product beside the seed on 2,500 images: build/bench/RESULTS.md
	@$(BIN)/python -m benchmarks.quick

dev: $(STAMP) ## Serve Dagster and MLflow for the home data/
	@$(BIN)/concept ui

docs: $(STAMP) ## Build the API reference into build/api
	@mkdir -p build
	@$(BIN)/pdoc -d numpy -o build/api concept_lib 2> build/api.log || (cat build/api.log; exit 1)
	@echo "the reference is in build/api/index.html"

$(STAMP): pyproject.toml constraints.txt
	@echo "installing into $(VENV): some minutes, once"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet -c constraints.txt -e '.[dev]'
	@touch $@

clean: ## Remove the environment; the data stay
	rm -rf $(VENV)
