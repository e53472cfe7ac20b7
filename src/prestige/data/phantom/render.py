"""From the plan of a section to labels of nuclei and to pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, UInt8, UInt32

from prestige.data.phantom.settings import PhantomConfig
from prestige.data.phantom.tissue import Granules, Layout, smooth_field

#: Optical density of one unit of dye in red, green and blue: haematoxylin, eosin, and the two
#: colours of granules (orange-brown, grey-violet).
DYES = np.array([[0.68, 0.72, 0.30], [0.10, 0.80, 0.46], [0.16, 0.50, 0.86], [0.74, 0.40, 0.08]])
_GRANULE_DENSITY = 0.75
#: Haematoxylin and eosin in a nucleus, by type.
_NUCLEUS_H = np.array([0.78, 0.82, 1.30, 0.52])
_NUCLEUS_E = np.array([0.22, 0.34, 0.12, 0.30])
_MIN_PX = 25


@dataclass(frozen=True, eq=False)
class Nuclei:
    """The labels, 0 for none, else the nucleus' number in ``Layout`` + 1, and depth 0..1 towards the edge."""

    label: Int[np.ndarray, "h w"]
    rim: Float32[np.ndarray, "h w"]


def draw_nuclei(config: PhantomConfig, layout: Layout, rng: np.random.Generator) -> Nuclei:
    """Draw every nucleus as a wobbly ellipse; where two meet, each pixel goes to the nearer one.

    Nuclei of which fewer than 25 pixels are in the image are left out.
    """
    size, scale = config.size_px, config.um_per_px
    axes = layout.axes_um / scale
    half = int(np.ceil(1.15 * axes.max()))
    centre = layout.xy_um / scale
    corner = np.rint(centre).astype(np.int64)
    offset = np.arange(-half, half + 1)
    dy, dx = np.meshgrid(offset, offset, indexing="ij")
    n = len(centre)
    x = (corner[:, 0, None] + dx.ravel()).astype(np.int32)
    y = (corner[:, 1, None] + dy.ravel()).astype(np.int32)
    relx = (x - centre[:, 0, None]).astype(np.float32)
    rely = (y - centre[:, 1, None]).astype(np.float32)
    cos, sin = (f(layout.angle).astype(np.float32)[:, None] for f in (np.cos, np.sin))
    u = (cos * relx + sin * rely) / axes[:, :1].astype(np.float32)
    v = (cos * rely - sin * relx) / axes[:, 1:].astype(np.float32)
    phase = rng.uniform(0, 2 * np.pi, (n, 1)).astype(np.float32)
    distance = np.hypot(u, v) * (1 + 0.07 * np.cos(3 * np.arctan2(v, u) + phase))
    hit = (distance < 1) & (x >= 0) & (x < size) & (y >= 0) & (y < size)
    who = np.nonzero(hit)[0]
    value = distance[hit]
    order = np.argsort(-value, kind="stable")
    flat = (y[hit].astype(np.int64) * size + x[hit])[order]
    label = np.zeros(size * size, np.int64)
    rim = np.zeros(size * size, np.float32)
    label[flat] = who[order] + 1
    rim[flat] = value[order]
    small = np.bincount(label, minlength=n + 1) < _MIN_PX
    label[small[label]] = 0
    return Nuclei(label.reshape(size, size), rim.reshape(size, size))


def centroids(label: Int[np.ndarray, "h w"]) -> tuple[Int[np.ndarray, "n"], Float[np.ndarray, "n 2"]]:
    """Return the labels present and their centroids (x, y) in pixels."""
    area = np.bincount(label.ravel())
    area[0] = 0
    present = np.flatnonzero(area)
    rows, columns = np.indices(label.shape)
    x = np.bincount(label.ravel(), columns.ravel())[present] / area[present]
    y = np.bincount(label.ravel(), rows.ravel())[present] / area[present]
    return present, np.column_stack([x, y])


@dataclass(frozen=True, eq=False)
class Regions:
    """Which pixels are gland wall and lumen, and how much immune infiltrate there is (0..1)."""

    wall: Bool[np.ndarray, "h w"]
    lumen: Bool[np.ndarray, "h w"]
    immune: Float32[np.ndarray, "h w"]


def draw_regions(config: PhantomConfig, layout: Layout) -> Regions:
    """Draw glands and aggregates as pixel maps."""
    size, scale = config.size_px, config.um_per_px
    wall, lumen = np.zeros((size, size), bool), np.zeros((size, size), bool)
    for gland in layout.glands:
        window, x, y = _window(gland.centre_um, 1.4 * gland.radius_um, size, scale)
        away = np.hypot(x, y) - gland.outline_um(np.arctan2(y, x))
        wall[window] |= away < 0
        lumen[window] |= away < -17.0  # thickness of the wall, um
    immune = np.zeros((size, size), np.float32)
    for x0, y0, radius in layout.aggregates_um:
        window, x, y = _window(np.array([x0, y0]), 1.5 * radius, size, scale)
        inside = np.clip(2.5 * (1.15 - np.hypot(x, y) / radius), 0, 1)
        immune[window] = np.maximum(immune[window], inside)
    return Regions(wall & ~lumen, lumen, immune * ~wall)


def _window(centre_um: Float[np.ndarray, "2"], half_um: float, size: int, scale: float):
    low = np.clip(np.floor((centre_um - half_um) / scale).astype(int), 0, size)
    high = np.clip(np.ceil((centre_um + half_um) / scale).astype(int) + 1, 0, size)
    rows, columns = np.arange(low[1], high[1]), np.arange(low[0], high[0])
    x, y = np.meshgrid(columns * scale - centre_um[0], rows * scale - centre_um[1])
    return (slice(low[1], high[1]), slice(low[0], high[0])), x, y


def paint(
    config: PhantomConfig,
    layout: Layout,
    nuclei: Nuclei,
    regions: Regions,
    granules: Granules,
    *,
    stain: Float[np.ndarray, "2"],
    rng: np.random.Generator,
) -> UInt8[np.ndarray, "h w 3"]:
    """Return the pixels: light that four dyes let through, I = 255 exp(-sum of amount x density).

    Parameters
    ----------
    stain
        The patient's strength of haematoxylin and eosin (1, 1: as it should be).
    rng
        Draws texture and the camera's noise.

    Notes
    -----
    Pseudo-H&E by absorption as in Giacomelli et al. (2016), with two dyes more for the granules.
    """
    h, e = _ground(config, layout, regions, rng)
    _stain_nuclei(config, layout, nuclei, h, e, rng)
    brown, violet = _granule_maps(config, granules, nuclei.label > 0)
    amounts = np.stack([h * stain[0], e * stain[1], brown, violet], axis=-1).astype(np.float32)
    light = np.exp(-(amounts.reshape(-1, 4) @ DYES.astype(np.float32)))
    light = 250.0 * light + rng.standard_normal(light.shape, np.float32) * 2.0
    return np.clip(np.rint(light), 0, 255).astype(np.uint8).reshape(config.size_px, config.size_px, 3)


def _ground(config: PhantomConfig, layout: Layout, regions: Regions, rng: np.random.Generator):
    """Amounts of haematoxylin and eosin outside the nuclei: fibres, cytoplasm, lumen."""
    size, scale = config.size_px, config.um_per_px
    fine, broad = smooth_field(rng, size, 0.9 / scale), smooth_field(rng, size, 4.0 / scale)
    grid = np.minimum((np.arange(size) * len(layout.flow)) // size, len(layout.flow) - 1)
    flow = layout.flow[np.ix_(grid, grid)]
    rows, columns = np.indices((size, size)) * scale
    across = columns * -np.sin(flow) + rows * np.cos(flow)
    fibre = np.sin(across * 1.5 + 1.6 * broad) ** 2
    e = np.clip(0.30 + 0.18 * fibre + 0.05 * fine + 0.05 * broad, 0.05, None)
    h = np.clip(0.05 + 0.02 * fine, 0, None)
    e = np.where(regions.wall, 0.36 + 0.05 * fine + 0.03 * broad, e)
    h = np.where(regions.wall, 0.15 + 0.03 * fine, h)
    e = e * (1 - 0.35 * regions.immune)
    h = h + 0.08 * regions.immune
    e = np.where(regions.lumen, 0.035 + 0.01 * fine, e)
    h = np.where(regions.lumen, 0.01, h)
    return h.astype(np.float32), e.astype(np.float32)


def _stain_nuclei(
    config: PhantomConfig,
    layout: Layout,
    nuclei: Nuclei,
    h: Float32[np.ndarray, "h w"],
    e: Float32[np.ndarray, "h w"],
    rng: np.random.Generator,
) -> None:
    """Lay chromatin, a darker membrane and the type's tint over the ground, in place."""
    inside = nuclei.label > 0
    who = nuclei.label[inside] - 1
    kind, rim = layout.cell_type[who], nuclei.rim[inside]
    chromatin = smooth_field(rng, config.size_px, 0.7 / config.um_per_px)[inside]
    dark = _NUCLEUS_H[kind] * np.exp(0.20 * layout.look[who])
    grain = np.array([0.14, 0.10, 0.16, 0.10])[kind]
    membrane = np.where(rim > 0.78, 0.25, 0.0) - np.where(rim > 0.95, 0.2, 0.0)
    nucleolus = np.where((kind != 2) & (kind != 1) & (rim < 0.28), 0.3, 0.0)
    h[inside] = dark * np.clip(1 + grain * chromatin + membrane + nucleolus, 0.3, None)
    e[inside] = _NUCLEUS_E[kind]


def _granule_maps(config: PhantomConfig, granules: Granules, covered: Bool[np.ndarray, "h w"]):
    """Amounts of the two colours of granules, each granule a disc of ``half_px``; nuclei cover them."""
    size, half = config.size_px, granules.half_px
    offset = np.arange(-half, half + 1)
    dy, dx = (part.ravel() for part in np.meshgrid(offset, offset, indexing="ij"))
    weight = np.clip(half + 0.6 - np.hypot(dx, dy), 0, 1)
    maps = []
    for mark in (1, -1):
        xy = granules.xy_px[granules.mark == mark]
        x, y = xy[:, :1] + dx, xy[:, 1:] + dy
        hit = (x >= 0) & (x < size) & (y >= 0) & (y < size)
        amount = np.broadcast_to(weight, x.shape)[hit]
        total = np.bincount(y[hit] * size + x[hit], amount, minlength=size * size).reshape(size, size)
        maps.append(_GRANULE_DENSITY * np.minimum(total, 1.0) * ~covered)
    return maps


def as_labels(label: Int[np.ndarray, "h w"], present: Int[np.ndarray, "n"]) -> UInt32[np.ndarray, "h w"]:
    """Return the labels renumbered 1, 2, ... in the order of ``present``: the cell ids of the store."""
    table = np.zeros(int(label.max()) + 1, np.uint32)
    table[present] = np.arange(1, len(present) + 1)
    return table[label]
