"""The gene sets of a fold: wanted ones found in the panel, chosen ones from the training side alone."""

from pathlib import Path

import numpy as np
import pytest

from prestige.data.observations import Observations
from prestige.data.panel import Panel
from prestige.errors import DataError
from prestige.genesets import GeneSetConfig, GmtFile
from prestige.runs.gene_sets import describe_sets, sets_of_fold

GENES = ("CD3E", "Cd19", "MS4A1", "ACTA2", "EPCAM", "MKI67", "TOP2A", "KRT8")


@pytest.fixture
def fold(small_samples):
    rng = np.random.default_rng(0)
    n = 400
    train = Observations(np.repeat([0, 1], n // 2), np.arange(n), rng.uniform(0, 190, (n, 2)))
    y = rng.normal(1.0, 0.1, (n, len(GENES))).astype(np.float32)
    y[:, 3] += 3.0  # the most expressed
    y[:, 4] += rng.normal(0, 2.0, n)  # the most variable, in no order
    y[:, 5] += np.sin(train.xy_px[:, 0] / 30)  # the most spatially variable
    y[:, 6] += 5.0 * train.slide_index  # differs between the slides alone
    panel = Panel(GENES, 100.0, y.mean(axis=0).astype(float), y.std(axis=0).astype(float))
    return small_samples, panel, train, y


def config(**changes) -> GeneSetConfig:
    chosen = {"most_expressed": 1, "most_variable": 1, "most_spatially_variable": 1, "min_genes": 2}
    return GeneSetConfig.model_validate(chosen | {"shipped": []} | changes)


def test_sets_are_chosen_by_what_the_training_side_shows(fold) -> None:
    found = sets_of_fold(config(), *fold)
    members = {name: one.members for name, one in found.items()}
    assert members["most variable"] == ("EPCAM",)
    assert members["most spatially variable"] == ("MKI67",)
    assert members["most expressed"] in {("ACTA2",), ("TOP2A",)}
    assert not any(one.scored for one in found.values())  # a set of one gene is too small


def test_a_chosen_set_as_large_as_the_panel_is_not_made(fold) -> None:
    found = sets_of_fold(config(most_expressed=8, most_variable=9, most_spatially_variable=None), *fold)
    assert found == {}


def test_sets_of_a_file_are_found_by_case_and_alias(fold, tmp_path: Path) -> None:
    (tmp_path / "mine.gmt").write_text("B cells\tmine\tCD19\tCD20\tPAX5\n")
    asked = config(files=[GmtFile(path=tmp_path / "mine.gmt")], most_expressed=None)
    told = describe_sets(sets_of_fold(asked, *fold))
    assert told["B cells"].genes == ("Cd19", "MS4A1")
    assert told["B cells"].missing == ("PAX5",)
    assert told["B cells"].scored


def test_a_missing_file_is_told(fold, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.gmt"):
        sets_of_fold(config(files=[GmtFile(path=tmp_path / "none.gmt")]), *fold)
