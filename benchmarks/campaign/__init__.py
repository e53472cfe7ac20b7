"""Changed inputs of every kind, and kills of every command: the parts of `benchmarks/hostile.py`."""

import os
import sys

for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"  # before anything reads them: processes are forked here
os.environ.setdefault("MPLBACKEND", "Agg")
sys.dont_write_bytecode = True  # a module that is imported for the first time is no file of an input
