"""The slide in a TIFF: which page it is, how its pixels are stored, tile by tile."""
