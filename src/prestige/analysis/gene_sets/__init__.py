"""Scores of gene sets, and what encoders and patches bring on each."""
