"""Zarr stores of others, through one checked door: metadata, chunks, tables, labels, links."""
