"""Formats of scanners, which openslide puts together."""
