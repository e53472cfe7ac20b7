"""Which images of an OME file are the slide, and which lie beside it: label, macro photograph, thumbnail."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from typing import TypeVar

_NAMES = "label|macro|thumbnail|overview"
_BESIDE = re.compile(rf"^\W*({_NAMES})\b|\b({_NAMES})( image)?\W*$", re.I)

Key = TypeVar("Key", bound=Hashable)


def slides_among(images: Sequence[tuple[Key, str, bool]]) -> set[Key]:
    """Return the images that may be the slide: not called otherwise, and measured where another one is.

    Bio-Formats calls the others "label image" and "macro image" (in some files the one for the other), and
    states the width of a pixel of the slide alone.

    Parameters
    ----------
    images
        What stands for each, its name, and whether it states the width of its pixels.

    Examples
    --------
    >>> slides_among([("0", "", True), ("1", "macro image", False), ("2", "Series 3", False)])
    {'0'}
    """
    unnamed = [(key, is_measured) for key, name, is_measured in images if not _BESIDE.search(name)]
    measured = {key for key, is_measured in unnamed if is_measured}
    return measured or {key for key, _ in unnamed} or {key for key, _, _ in images}
