"""Scale factors of all versions."""

from __future__ import annotations

from pathlib import Path

import pytest

from prestige.data.platforms.space_ranger.scales import Scales, read_scales
from prestige.errors import DataError


def test_what_is_not_stated_is_none(tmp_path: Path) -> None:
    path = tmp_path / "scalefactors_json.json"
    path.write_text('\ufeff{"tissue_hires_scalef": 1, "fiducial_diameter_fullres": 210.0, "more": []}')
    assert read_scales(path) == Scales(1.0, None, 210.0, None, None)


@pytest.mark.parametrize("value", ["0", "-1", "NaN", "1e400", "true", '"1"', "[1]", "1" + "0" * 400])
def test_a_factor_is_a_number_above_0(tmp_path: Path, value: str) -> None:
    path = tmp_path / "scalefactors_json.json"
    path.write_text(f'{{"tissue_hires_scalef": {value}}}')
    with pytest.raises(DataError, match=r"'tissue_hires_scalef' is .*; expected a number above 0"):
        read_scales(path)


def test_real_scale_factors(shared_data: Path) -> None:
    folder = shared_data / "exports" / "visium_hd" / "sr4_segmented_excerpts"
    if not folder.exists():
        pytest.skip(f"no {folder}")
    cells = read_scales(folder / "scalefactors_segmented_outputs_ovarian.json")
    assert (cells.um_per_px, cells.bin_um) == (0.2737061758251425, None)
    bins = read_scales(folder / "scalefactors_square_008um_tiny.json")
    assert (bins.um_per_px, bins.bin_um) == (1.003127821720803, 8.0)
    for one in (cells, bins):
        assert 330 / (one.fiducial_px or 0) == pytest.approx(one.um_per_px, rel=1e-3)
