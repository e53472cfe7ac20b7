# Two commands do everything on a machine with only Python (>= 3.11), git and make:
#   make demo    the main job on synthetic tissue; ends by printing the path of an HTML report
#   make test    the tests and every static check
# Both build the environment once; it is built again only when pyproject.toml or constraints.txt change.

VENV   ?= .venv
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
            $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$p && break; done)
DEMO   ?= demo
JOBS   ?= $(shell n=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1); [ $$n -gt 4 ] && echo 4 || echo $$n)

STAMP  := $(VENV)/.prestige-complete
BIN    := $(VENV)/bin
ONE_THREAD := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 NUMBA_NUM_THREADS=1

# The tests whose numbers come from BLAS, LAPACK or torch, and the kernels that they are to hold under.  OpenBLAS
# has AMD's Zen share most of Haswell's; Prescott is its plain one (SSE), beside which torch and MKL take theirs.
NUMERICAL := tests/stats tests/biology tests/baselines tests/evaluate tests/genesets tests/models tests/training \
             tests/test_metrics.py tests/test_ranks.py tests/runs/test_same_numbers.py
KERNELS   ?= Haswell SkylakeX Zen Prescott
WITH_Haswell  := ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2
WITH_Zen      := $(WITH_Haswell)
WITH_Prescott := ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=SSE41 MKL_CBWR=COMPATIBLE

# The oldest versions that pyproject.toml allows, in an environment of their own.  What an old version of a library
# says of the others' future is no fault of ours.
OLDEST ?= .venv-oldest
OLDEST_STAMP := $(OLDEST)/.prestige-complete
FUTURE := -W ignore::DeprecationWarning -W ignore::PendingDeprecationWarning -W ignore::FutureWarning

.PHONY: help setup demo test test-kernels test-oldest check pytest docs clean

help:
	@sed -n '2,4s/^# \{0,2\}//p' Makefile
	@echo "  make check   the static checks alone"
	@echo "  make test-kernels   the numerical tests under the kernels of other processors"
	@echo "  make test-oldest    the tests with the oldest versions of the libraries that are allowed"
	@echo "  make docs    write the generated reference anew"
	@echo "  make clean   remove what was built, the environment included"

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; name it with: make PYTHON=/path/to/python" >&2; exit 2; }
	@echo "Setting up $(VENV) (once, some minutes; about 6 GB with the GPU libraries of torch)"
	@rm -f $@
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(STAMP)
	@$(ONE_THREAD) $(BIN)/prestige phantom $(DEMO)/phantom
	@$(ONE_THREAD) $(BIN)/prestige bench examples/phantom.yaml --out $(DEMO)/bench --jobs $(JOBS)

check: $(STAMP)
	$(BIN)/ruff check --quiet
	$(BIN)/ruff format --check --quiet
	$(BIN)/lint-imports --no-logo
	$(BIN)/pyright --pythonpath $(BIN)/python

pytest: $(STAMP)
	$(ONE_THREAD) $(BIN)/python -m pytest -n 2 -q

test: check pytest

test-kernels: $(addprefix kernel-,$(KERNELS))

kernel-%: $(STAMP)
	@echo "The numerical tests under the kernels of $*"
	@$(ONE_THREAD) OPENBLAS_CORETYPE=$* $(WITH_$*) $(BIN)/python -m pytest -n 2 -q $(NUMERICAL)

$(OLDEST_STAMP): pyproject.toml constraints-oldest.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; name it with: make PYTHON=/path/to/python" >&2; exit 2; }
	@echo "Setting up $(OLDEST) (once, some minutes; about 7 GB with the GPU libraries of torch)"
	@rm -f $@
	@test -x $(OLDEST)/bin/python || $(PYTHON) -m venv $(OLDEST)
	@$(OLDEST)/bin/python -m pip install -qq --disable-pip-version-check -c constraints-oldest.txt -e '.[dev]'
	@touch $@

test-oldest: $(OLDEST_STAMP)
	$(ONE_THREAD) $(OLDEST)/bin/python -m pytest -n 2 -q $(FUTURE)

docs: $(STAMP)
	$(BIN)/python docs/write_reference.py

clean:
	rm -rf $(VENV) $(OLDEST) $(DEMO) .pytest_cache .ruff_cache .hypothesis .import_linter_cache dist
	find src tests docs -name __pycache__ -type d -prune -exec rm -rf {} +
