# Each target does all the set-up that it needs on a machine with only Python 3.11 or newer.
PYTHON ?= python3
VENV ?= .venv
PIPELINE ?= penguin
EXTRAS ?= run,serving,kubeflow,avro,postgres,mysql,jax,optuna,onnx,sklearn,shap,dev
BIN := $(VENV)/bin
# Processes that tests are divided between, file by file.
JOBS ?= 2
STAMP := $(VENV)/.installed

.PHONY: docs run results test test-slow test-engines test-faults test-container test-cluster test-pythons lint format benchmarks clean

run: $(STAMP)
	@$(BIN)/penstock run pipelines/$(PIPELINE).py

# Every pipeline in full, one after another, and the tables of results in README.md and docs/pipelines;
# ONLY="digits text": these pipelines alone.
results: $(STAMP)
	$(BIN)/python benchmarks/pipelines.py $(ONLY)

test: $(STAMP)
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile -m "not slow and not container and not cluster and not torch"

# Comparisons with the reference engines, full fault injection, several minutes each.
test-slow: $(STAMP)
	$(BIN)/python -m pytest -m "slow and not container and not cluster and not job_server and not torch"

# The suite of Beam's engines on Flink and Spark, embedded in Beam's job servers; Java and Maven.
test-engines: $(STAMP)
	$(BIN)/python -m pytest -m job_server tests/engines

test-faults: $(STAMP)
	$(BIN)/python -m pytest -m "slow" tests/faults

test-container: $(STAMP)
	$(BIN)/python -m pytest -m container tests/container

# A Kubernetes control plane of its own, built once (about 15 minutes of CPU; needs Go): JOBS compilers at
# once. As root on Linux.
test-cluster: $(STAMP)
	@JOBS=$(JOBS) $(BIN)/python tests/cluster/binaries.py
	$(BIN)/python -m pytest -m cluster tests/cluster

# PyTorch's wheels bring several GB of CUDA libraries, so they have an environment of their own.
test-torch:
	@$(MAKE) --no-print-directory test-marked-torch VENV=.venv-torch EXTRAS=run,torch,onnx,dev

.PHONY: test-torch test-marked-torch
test-marked-torch: $(STAMP)
	$(BIN)/python -m pytest -m torch -o cache_dir=$(VENV)/.pytest_cache

# Imports and unit tests on the other supported Pythons that this machine has, pyenv's among them.
test-pythons:
	@for version in 3.12 3.13; do \
	  found=; \
	  for python in python$$version $${PYENV_ROOT:-$$HOME/.pyenv}/versions/$$version*/bin/python; do \
	    if $$python -c '' 2>/dev/null; then found=$$python; break; fi; \
	  done; \
	  if [ -z "$$found" ]; then echo "python$$version: not on this machine, skipped"; continue; fi; \
	  $(MAKE) --no-print-directory test-unit PYTHON=$$found VENV=.venv-$$version || exit 1; \
	done

.PHONY: test-unit
test-unit: $(STAMP)
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile tests/unit \
	  -m "not slow and not container and not cluster and not server and not torch and not processes" \
	  -o cache_dir=$(VENV)/.pytest_cache

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The site, into build/site; nothing is fetched when it is viewed.
docs: $(STAMP)
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict
	@echo "build/site/index.html"

format: $(STAMP)
	$(BIN)/ruff check --fix . && $(BIN)/ruff format .

# TAXI: the CSV of TFX's taxi example, for the data plane, the input of training, and evaluation.
benchmarks: $(STAMP)
	$(BIN)/python benchmarks/start_up.py
	$(BIN)/python benchmarks/main_job.py
	$(BIN)/python benchmarks/runner_overhead.py --nodes 1000 --parallel
	$(BIN)/python benchmarks/store.py --executions 100000
	$(BIN)/python benchmarks/training_loop.py
	$(BIN)/python benchmarks/tuning.py
	$(BIN)/python benchmarks/serving.py --swaps 10
	@if [ -n "$(TAXI)" ]; then set -x; $(BIN)/python benchmarks/data_plane.py --rows 1000000 --csv "$(TAXI)" && \
	  $(BIN)/python benchmarks/training_input.py --rows 1000000 --csv "$(TAXI)" && \
	  $(BIN)/python benchmarks/bulk_inference.py --rows 1000000 --csv "$(TAXI)" && \
	  $(BIN)/python benchmarks/evaluation.py --rows 1000000 --csv "$(TAXI)"; else \
	  echo "data_plane.py, training_input.py, bulk_inference.py and evaluation.py are left out: make benchmarks TAXI=.../data.csv, the file of TFX's taxi example" \
	    "(tfx/examples/chicago_taxi_pipeline/data/simple/data.csv), which Penstock does not ship"; fi

# The byte code is written here: without it TensorFlow alone takes 15 s to import, each time, on a
# machine that sets PYTHONDONTWRITEBYTECODE.
$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Penstock needs Python 3.11 to 3.13; $(PYTHON) is $$($(PYTHON) --version). Try make PYTHON=python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
	  { echo "$(PYTHON) -m venv failed. On Debian: apt-get install python3-venv"; exit 1; }
	@echo "Installing Penstock and what it runs on into $(VENV) (some minutes, once)"
	@$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check wheel
	@$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check \
	  --editable '.[$(EXTRAS)]'
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib >/dev/null 2>&1 || true
	@touch $(STAMP)

clean:
	rm -rf $(VENV) .venv-3.* .venv-torch build dist .penstock .mypy_cache .ruff_cache .pytest_cache .hypothesis
