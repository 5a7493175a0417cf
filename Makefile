# One environment, .venv; every target sets up what it needs.
PYTHON ?= python3
SHARED ?= ../shared/data
BIN := .venv/bin

.PHONY: demo demo-features test test-faults scatter test-scatter test-triton test-browser check docs clean

# Draw synthetic pedestrians, train a small network, score it under the official protocol; then
# features: a synthetic set of the real one's size, and real ones, where they are there.
demo: .venv/installed
	$(BIN)/simgraph synthesize images runs/demo/data
	rm -rf runs/demo/run
	$(BIN)/simgraph train --config demo --output runs/demo/run
	$(BIN)/simgraph test --config demo --checkpoint runs/demo/run
	$(MAKE) demo-features

demo-features: .venv/installed
	$(BIN)/simgraph synthesize features runs/demo_features/data
	$(BIN)/simgraph test --config demo_features
	@if [ -f $(SHARED)/features/mfeat_fou2kar_cca.npz ]; then \
		echo "Real features: UCI Multiple Features, Fourier to Karhunen-Loeve view (CC BY 4.0)"; \
		$(BIN)/simgraph test --config features \
			--features $(SHARED)/features/mfeat_fou2kar_cca.npz --output runs/mfeat; \
	else echo "Real features: none at $(SHARED)/features, left out"; fi

# Two files of tests at a time, a thread each: they would only wait for each other's.
test: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile

# Damaged files, killed processes, odd terminals; its figures are in docs/reliability.md.
test-faults: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.faults --inputs 1000 --kills 200 --seed 0

# torch-scatter has a source package only: it compiles against the installed torch, 5 to 9 minutes.
scatter: .venv/scatter

test-scatter: .venv/scatter
	$(BIN)/pytest -m scatter

# The CUDA kernels without a card: triton's interpreter runs them, its compiler makes their code.
test-triton: .venv/triton
	TRITON_INTERPRET=1 $(BIN)/pytest tests/kernels/test_cuda.py
	TRITON_INTERPRET=0 $(BIN)/pytest tests/kernels/test_cuda_compiles.py

# The explorer page in a real, headless browser.
test-browser: .venv/installed
	@command -v chromium >/dev/null || if [ "$$(id -u)" = 0 ]; \
		then apt-get update && apt-get install -y --no-install-recommends chromium; \
		else echo "chromium is missing: sudo apt-get install chromium" >&2; exit 1; fi
	$(BIN)/pytest -m browser tests/browser

check: .venv/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

docs: .venv/installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs serve

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --upgrade pip
	$(BIN)/pip install -c constraints.txt -e '.[dev]'
	touch $@

# No cache and always anew: a wheel that was compiled against another torch would load and crash.
.venv/scatter: .venv/installed
	$(BIN)/pip install -c constraints.txt setuptools wheel ninja
	$(BIN)/pip install -c constraints.txt --no-build-isolation --no-cache-dir --force-reinstall --no-deps torch-scatter
	touch $@

# Not in constraints.txt: torch for CUDA brings the triton it wants.
.venv/triton: .venv/installed
	$(BIN)/pip install --no-deps triton==3.9.0
	touch $@

clean:
	rm -rf .venv runs .pytest_cache .mypy_cache .ruff_cache .hypothesis
