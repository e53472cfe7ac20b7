"""Encoders, heads, losses and the predictor that joins them."""
