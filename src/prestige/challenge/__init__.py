"""The Autoimmune Disease ML Challenge, Crunch 1, whole: its stores, its submissions, its scores."""
