"""Samples, slides, patches, splits and panels: everything before a model."""
