"""Where expression is predicted on an image alone: a lattice over the tissue, places or labels of a file."""
