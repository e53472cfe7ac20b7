"""Public data by name: what there is, downloaded, unpacked, and written as a dataset.yaml."""
