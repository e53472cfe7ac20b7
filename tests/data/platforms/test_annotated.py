"""Tables of anndata: opened whatever holds them, and only some of their rows where asked."""

from __future__ import annotations

from pathlib import Path

import anndata
import numpy as np

from prestige.data.platforms.annotated import has_none, opened_table, read_annotated

from ... import small_sources


def test_rows_that_are_chosen_keep_their_counts_and_places(tmp_path: Path) -> None:
    small_sources.of_anndata(tmp_path)
    table = anndata.read_h5ad(tmp_path / "section.h5ad")
    for name in ("section.h5ad", "section.zarr"):
        with opened_table(tmp_path / name) as file:
            found = read_annotated(file, where=name, chosen=lambda obs: np.arange(len(obs)) % 2 == 1)
            assert not has_none(file, where=name)
        assert list(found.obs.index) == list(table.obs_names[1::2])
        np.testing.assert_array_equal(found.counts.toarray(), table.X[1::2])
        np.testing.assert_array_equal(found.xy_px, table.obsm["spatial"][1::2])
