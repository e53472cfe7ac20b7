"""Training a predictor: the loop, its schedule, its state, its batches."""
