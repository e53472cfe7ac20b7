"""Images that are stored turned or mirrored: one rule for all formats."""

from __future__ import annotations

from pathlib import Path

from prestige.errors import DataError


def check_orientation(turned: int, image: Path) -> None:
    """Refuse an image that is to be shown turned or mirrored: places may count in either way.

    Raises
    ------
    DataError
        When its tag says so.
    """
    if turned in (0, 1):
        return
    raise DataError(
        f"the image is stored turned or mirrored (orientation {turned})",
        where=image,
        expected="pixels stored as they are shown, from which places count",
        remedy="save it upright without the tag; where the places count from the first pixel as it is "
        "stored, set the tag to 1 (exiftool -n -Orientation=1)",
    )
