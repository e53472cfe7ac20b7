"""Libraries that come with an extra of the installation: asked for in one line where they are missing."""

from __future__ import annotations

from importlib.util import find_spec

from prestige.errors import DataError

_BROUGHT_BY = {"openslide": "openslide-python and openslide-bin"}


def needed(library: str, *, extra: str) -> None:
    """Refuse to go on without a library.

    Parameters
    ----------
    library
        The name by which it is imported.
    extra
        The extra of the installation that brings it.

    Raises
    ------
    DataError
        When it is not installed.
    """
    if find_spec(library) is None:
        raise DataError(
            f"{_BROUGHT_BY.get(library, library)} is not installed, which reads this",
            expected=f"the extra '{extra}' of the installation",
            remedy=f"pip install 'prestige-st[{extra}]'",
        )
