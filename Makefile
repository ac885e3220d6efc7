VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin

.PHONY: demo test test-all lint bench set-up

demo: set-up  ## convert a real network, check its numbers, write a SavedModel
	$(BIN)/python example/demo.py

test: set-up  ## what continuous integration runs
	$(BIN)/python -m pytest -n 2 -m "not slow"

test-all: set-up  ## the slow tests too, and every model of ../shared/zoo and ../shared/real if they are there
	$(BIN)/python -m pytest -n 2 -m "not slow"
	$(BIN)/python -m pytest -m slow
	$(BIN)/python -m test.zoo --everything

lint: set-up
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy onnx_tf

bench: set-up  ## conversion time and memory, latency, Transposes: a table and bench/results.json
	$(BIN)/python -m bench

set-up: $(VENV)/ready

$(VENV)/ready: setup.cfg
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@
