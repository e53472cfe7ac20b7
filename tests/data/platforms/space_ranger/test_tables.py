"""Tables of an export: files on which they depend; the tables themselves are tested with the readers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from prestige.data.platforms.space_ranger.folder import Matrices
from prestige.data.platforms.space_ranger.pitch import SPOTS_UM
from prestige.data.platforms.space_ranger.positions import Positions
from prestige.data.platforms.space_ranger.tables import Files, lie_of
from prestige.errors import DataError

from ....small_space_ranger import VISIUM


def test_the_matrix_beside_is_part_of_what_a_table_depends_on() -> None:
    one, other = Path("m.h5"), Path("m")
    files = Files(Path("p.csv"), Path("s.json"), Matrices(one, False, other))
    assert set(files.by_role) == {"matrix", "places", "scalefactors", "beside"}
    assert set(Files(Path("p.csv"), Path("s.json"), Matrices(one, True, None)).by_role) == set(
        files.by_role
    ) - {"beside"}


def test_places_that_are_no_array_are_refused() -> None:
    mixed = Positions(
        None, VISIUM.in_tissue, VISIUM.array, np.random.default_rng(0).permutation(VISIUM.xy_px)
    )
    with pytest.raises(
        DataError, match=r"p.csv: the places lie .* um beside a regular array .* 100 um apart"
    ):
        lie_of(mixed, SPOTS_UM, Path("p.csv"))
    assert (
        lie_of(Positions(None, VISIUM.in_tissue, VISIUM.array, VISIUM.xy_px), SPOTS_UM, Path("p.csv"))
        is not None
    )
