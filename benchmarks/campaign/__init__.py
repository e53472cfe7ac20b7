"""Changed inputs of every kind, and kills of every command: the parts of `benchmarks/hostile.py`."""
