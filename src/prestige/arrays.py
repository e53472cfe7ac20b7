"""Shape vocabulary: what the axes of every array in this package are called.

==== =====================================================
axis meaning
==== =====================================================
n    observations (cells, spots or bins)
g    genes of the panel, in its order
b    observations of one batch
d    width and height of a patch in network pixels
h, w height and width of an image in slide pixels
==== =====================================================

Public functions state their shapes in these letters (``Float[np.ndarray, "n g"]``); the tests
check them with jaxtyping and beartype.  The shapes used in many places have a name here.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

Points: TypeAlias = Float[np.ndarray, "n 2"]
"""x, y of n places: in slide pixels (pixel centres at integers) or in um, as the name says."""

Index: TypeAlias = Int[np.ndarray, " n"]
"""n positions in something, of any integer width."""

Mask: TypeAlias = Bool[np.ndarray, " n"]
"""One truth value for each of n observations."""

Matrix: TypeAlias = Float[np.ndarray, "n g"]
"""Expression, measured or predicted: observations x genes."""

Pixels: TypeAlias = UInt8[np.ndarray, "h w 3"]
"""An image in colour, eight bits a channel."""
