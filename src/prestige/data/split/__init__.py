"""Which observations train, validate and test: rules, blocks, distances, and the audit for data leakage."""
