from __future__ import annotations

import numpy as np
import pytest

from prestige.data.patches.reader import window_start
from prestige.data.phantom import PhantomConfig, Section, make_section
from prestige.data.phantom.expression import Ring, find_ring, log_normalised
from prestige.data.phantom.oracle import inside_image, right_width, see
from prestige.data.phantom.tissue import Granules


def test_inside_image_at_the_edge():
    config = PhantomConfig(size_px=160, widths_um=(16.0,))
    centres = np.array([[15.5, 80.0], [14.4, 80.0], [143.5, 80.0], [144.6, 80.0]])
    assert inside_image(config, centres, 16.0).tolist() == [True, False, True, False]


def test_visibility_is_what_drawn_granules_show_in_the_window():
    rng = np.random.default_rng(5)
    config = PhantomConfig(size_px=160, radius_um=15.0, widths_um=(8.0, 16.0))
    xy = rng.uniform(50, 110, (12, 2))
    granules = Granules(rng.integers(0, 160, (400, 2)), rng.choice([-1, 1], 400), 2)
    ring = find_ring(config, xy, granules)
    for width_um in (8.0, 16.0, 32.0):
        seen = see(config, xy, granules, ring, width_um)
        width = int(2 * width_um)
        for i, (x0, y0) in enumerate(window_start(xy, width)):
            shown = []
            for granule in ring.granule[ring.cell == i]:
                drawn = np.zeros((200, 200), bool)  # each granule on its own sheet, 20 pixels of margin
                x, y = granules.xy_px[granule] + 20
                drawn[y - 2 : y + 3, x - 2 : x + 3] = True
                if drawn[y0 + 20 : y0 + 20 + width, x0 + 20 : x0 + 20 + width].any():
                    shown.append(granule)
            assert seen.visible_sum[i] == granules.mark[shown].sum()
            assert seen.n_hidden[i] == np.sum(ring.cell == i) - len(shown)


def test_a_ring_without_granules_hides_none():
    config = PhantomConfig(size_px=160, widths_um=(8.0,))
    ring = Ring(np.empty(0, np.int64), np.empty(0, np.int64), 3)
    seen = see(config, np.full((3, 2), 80.0), Granules(np.zeros((1, 2), int), np.ones(1, int), 2), ring, 8.0)
    assert seen.n_hidden.tolist() == [0, 0, 0]
    assert seen.visible_sum.tolist() == [0, 0, 0]


def test_the_right_width_is_the_smallest_within_the_margin():
    scores = {64.0: 0.5, 8.0: 0.2, 16.0: 0.46, 32.0: 0.48}
    assert right_width(scores, 0.03) == 32.0
    assert right_width(scores, 0.05) == 16.0
    assert right_width(scores, 0.001) == 64.0


def test_the_oracle_rises_with_the_width_and_stops_at_twice_the_radius(
    phantom_config: PhantomConfig, phantom_sections: tuple[Section, ...]
):
    for section in phantom_sections:
        means = [float(section.oracle[w].mean()) for w in phantom_config.widths_um]
        assert means[0] < means[1] - 0.1 < means[2] - 0.2
        # From 2 x radius (30 um) up every window shows the whole ring: the very same number.
        np.testing.assert_array_equal(section.oracle[32.0], section.oracle[64.0])
        np.testing.assert_allclose(section.visible[32.0], section.environment)


@pytest.mark.parametrize(("radius", "right"), [(7.5, 16.0), (15.0, 32.0), (30.0, 64.0)])
def test_the_right_width_follows_the_radius_with_clear_water(radius: float, right: float):
    config = PhantomConfig(size_px=700, radius_um=radius)
    oracle = make_section(config, 0, 0).oracle
    means = {w: float(score.mean()) for w, score in oracle.items()}
    assert right_width(means, config.margin) == right
    assert means[right] > means[right / 2] + 3 * config.margin
    assert means[right] > max(means.values()) - config.margin / 3


def _features(section: Section, seen: np.ndarray) -> np.ndarray:
    kind = np.eye(4)[section.cell_type]
    numbers = np.column_stack([np.ones(len(seen)), section.look, seen])
    by_kind = (kind[:, :, None] * numbers[:, None, :]).reshape(len(seen), -1)
    x, v = section.look, seen
    return np.column_stack([by_kind, x**2, v**2, x * v, v**3, x**2 * v, x * v**2])


def test_a_fit_on_all_that_a_window_shows_reaches_the_oracle_and_not_more(
    phantom_sections: tuple[Section, ...],
):
    """Measured counts regressed on what is visible, on other sections: another way to the same number."""
    *train, test = phantom_sections
    truth = log_normalised(test.counts.astype(float), 100.0)[test.scored]
    y = np.concatenate([log_normalised(s.counts.astype(float), 100.0) for s in train])
    for width in (8.0, 16.0, 32.0):
        x = np.concatenate([_features(s, s.visible[width]) for s in train])
        weights = np.linalg.lstsq(x, y, rcond=None)[0]
        predicted = _features(test, test.visible[width])[test.scored] @ weights
        score = np.array([np.corrcoef(p, t)[0, 1] for p, t in zip(predicted.T, truth.T, strict=True)])
        oracle = test.oracle[width]
        assert float(np.mean(score - oracle)) == pytest.approx(0.0, abs=0.025)
        assert float(np.max(score - oracle)) < 0.10  # standard error of one gene: about 0.02 to 0.03


def test_what_lies_outside_the_window_would_beat_the_oracle(phantom_sections: tuple[Section, ...]):
    """The check above can fail: a reader that sees the whole ring is far above the oracle of 16 um."""
    section = phantom_sections[0]
    y = log_normalised(section.counts.astype(float), 100.0)[section.scored]
    x = _features(section, section.environment)[section.scored]
    fitted = x @ np.linalg.lstsq(x, y, rcond=None)[0]
    score = np.mean([np.corrcoef(p, t)[0, 1] for p, t in zip(fitted.T, y.T, strict=True)])
    assert score > section.oracle[16.0].mean() + 0.1
