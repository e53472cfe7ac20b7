"""Folders at hand -> a dataset.yaml and a bench.yaml: what lies there is told by its content."""
