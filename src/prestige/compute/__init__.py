"""Where and how things run: devices, threads, workers, locks, progress, provenance, whole files."""
