"""The door to HDF5 files of others: each is walked in a process of its own before this one opens it."""
