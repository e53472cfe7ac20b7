"""The pixels of a sample: decoded once, memory-mapped, shared."""
