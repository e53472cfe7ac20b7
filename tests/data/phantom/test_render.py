from __future__ import annotations

import numpy as np
import pytest

from prestige.data.phantom import PhantomConfig, Section, make_section
from prestige.data.phantom.render import as_labels, centroids
from prestige.data.phantom.tissue import LYMPHOCYTE, MACROPHAGE


def test_centroids_of_a_drawn_label():
    label = np.zeros((6, 8), np.int64)
    label[1:3, 2:5] = 4
    label[5, 7] = 9
    present, xy = centroids(label)
    assert present.tolist() == [4, 9]
    np.testing.assert_allclose(xy, [[3.0, 1.5], [7.0, 5.0]])
    renumbered = as_labels(label, present)
    assert renumbered.dtype == np.uint32
    assert renumbered[1, 2] == 1
    assert renumbered[5, 7] == 2
    assert renumbered[0, 0] == 0


def test_each_label_is_one_measurable_nucleus(phantom_sections: tuple[Section, ...]):
    section = phantom_sections[0]
    area = np.bincount(section.label.ravel())[1:]
    assert len(area) == len(section.xy_px)
    assert area.min() >= 25
    _, xy = centroids(section.label.astype(np.int64))
    np.testing.assert_allclose(xy, section.xy_px)


def test_nuclei_look_like_their_type(phantom_sections: tuple[Section, ...]):
    section = phantom_sections[0]
    inside = section.label > 0
    who = section.label[inside].astype(int) - 1
    red = np.bincount(who, section.pixels[..., 0][inside].astype(float)) / np.bincount(who)
    kind = section.cell_type
    assert red[kind == LYMPHOCYTE].mean() < red[kind == MACROPHAGE].mean() - 30  # small, dark, round
    area = np.bincount(who)
    assert area[kind == LYMPHOCYTE].mean() < 0.6 * area[kind == MACROPHAGE].mean()
    for number in range(4):  # and a darker look makes a darker nucleus
        of = kind == number
        assert np.corrcoef(section.look[of], red[of])[0, 1] < -0.8


def test_the_tissue_is_stained_like_he(phantom_sections: tuple[Section, ...]):
    section = phantom_sections[0]
    red, green, blue = section.pixels[section.label == 0].mean(0)
    assert red > blue > green  # pink
    red, green, blue = section.pixels[section.label > 0].mean(0)
    assert blue > red > green  # violet
    assert np.mean(section.pixels.min(axis=2) > 225) > 0.01  # empty lumina


def test_the_colour_of_the_ring_tells_the_environment_and_that_of_the_cell_does_not(
    phantom_config: PhantomConfig, phantom_sections: tuple[Section, ...]
):
    section = phantom_sections[0]
    rows, columns = np.mgrid[: section.label.shape[0], : section.label.shape[1]]
    ground = section.label == 0
    warm = section.pixels[..., 0].astype(float) - section.pixels[..., 2]
    told, nucleus = [], []
    chosen = np.flatnonzero(section.scored)[:300]
    for i in chosen:
        x, y = section.xy_px[i].astype(int)
        near = np.s_[y - 32 : y + 33, x - 32 : x + 33]
        away = np.hypot(rows[near] - section.xy_px[i, 1], columns[near] - section.xy_px[i, 0]) / 2
        ring = ground[near] & (away > 4.5) & (away < 15)
        told.append((warm[near][ring] - warm[ground].mean()).sum())
        nucleus.append(section.pixels[section.label == i + 1].mean(0))
    environment = section.environment[chosen]
    assert np.corrcoef(told, environment)[0, 1] > 0.7  # crudely: wall and fibres differ in warmth too
    for channel in np.transpose(nucleus):
        assert abs(np.corrcoef(channel, environment)[0, 1]) < 4 / np.sqrt(len(chosen))
    for kind in range(4):
        of = section.environment[section.cell_type == kind]
        assert abs(of.mean()) < 8 / np.sqrt(len(of))  # neighbours share granules: wider than 4


def test_patients_differ_in_stain_by_as_much_as_is_asked():
    def mean_colour(shift: float) -> np.ndarray:
        config = PhantomConfig(size_px=300, widths_um=(8.0, 64.0), stain_shift=shift, replicates=2)
        sections = [make_section(config, patient, 0) for patient in range(4)]
        return np.array([s.pixels[(s.label == 0) & (s.pixels.min(axis=2) < 225)].mean(0) for s in sections])

    assert mean_colour(0.3).std(axis=0).max() > 2 * mean_colour(0.0).std(axis=0).max()


@pytest.mark.parametrize("radius", [7.5, 60.0])
def test_other_radii_draw_too(radius: float):
    config = PhantomConfig(size_px=256, radius_um=radius, widths_um=(8.0, 64.0), replicates=2)
    section = make_section(config, 0, 0)
    assert section.pixels.shape == (256, 256, 3)
    assert np.std(section.environment) > 0.3
