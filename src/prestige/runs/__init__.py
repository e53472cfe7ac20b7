"""Settings -> run folders and benches, resumable."""
