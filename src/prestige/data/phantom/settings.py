"""The knobs of the phantom: how much tissue, what drives the genes, how far that reaches."""

from __future__ import annotations

from pydantic import Field, model_validator

from prestige.data.spec import Name
from prestige.settings import Settings


class PhantomConfig(Settings):
    """Synthetic H&E tissue whose right patch size is known.

    Parameters
    ----------
    patients, sections
        Number of patients, and of sections of each.
    size_px, um_per_px
        Side of the square image in pixels, and micrometres per pixel.
    radius_um
        How far from a cell's centre its surroundings act on its genes (the planted answer).
    hole_share
        Granules nearer than ``hole_share * radius_um`` do not act, so nothing is learnt from the
        colour of the cell itself.
    granule_um
        Spacing of the granules; by default a quarter of the radius, between 3 pixels and 12 um.
    widths_um
        Patch widths for which the oracle is worked out.
    margin
        The right width is the smallest whose oracle is within ``margin`` of the best one.
    n_genes
        Genes of the panel.
    own_share, neighbourhood_share
        Shares of the variance of the log rates, over all genes, that the own nucleus and the
        surroundings have; the rest is visible nowhere.
    purity
        Share of a gene's variance that its own group's driver has; the rest follows the shares.
    effect
        Standard deviation of a gene's log rate.
    depth, depth_spread
        Mean counts of a cell, and the standard deviation of their logarithm.
    total
        Total to which counts are scaled before log1p when the oracle is worked out.
    unmeasured_share
        Share of the cells without counts.
    stain_shift
        Standard deviation of the logarithm of each dye's strength between patients.
    no_signal
        Expression independent of the image, though both vary smoothly in space.
    replicates
        Redrawn measurements of each cell from which the oracle is estimated.
    seed
        Everything random follows from it.

    Examples
    --------
    >>> import prestige
    >>> prestige.PhantomConfig(radius_um=30).widths_um
    (8.0, 16.0, 32.0, 64.0)
    """

    name: Name = "phantom"
    patients: int = Field(default=5, ge=1)
    sections: int = Field(default=1, ge=1)
    size_px: int = Field(default=1200, ge=128, le=100_000)
    um_per_px: float = Field(default=0.5, gt=0)
    radius_um: float = Field(default=15.0, gt=0)
    hole_share: float = Field(default=0.3, ge=0, lt=1)
    granule_um: float | None = Field(default=None, gt=0)
    widths_um: tuple[float, ...] = (8.0, 16.0, 32.0, 64.0)
    margin: float = Field(default=0.03, gt=0)
    n_genes: int = Field(default=40, ge=4)
    own_share: float = Field(default=0.25, ge=0, le=1)
    neighbourhood_share: float = Field(default=0.55, ge=0, le=1)
    purity: float = Field(default=0.8, ge=0, le=1)
    effect: float = Field(default=0.7, gt=0)
    depth: float = Field(default=160.0, gt=0)
    depth_spread: float = Field(default=0.25, ge=0)
    total: float = Field(default=100.0, gt=0)
    unmeasured_share: float = Field(default=0.02, ge=0, lt=1)
    stain_shift: float = Field(default=0.06, ge=0)
    no_signal: bool = False
    replicates: int = Field(default=12, ge=2)
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _fits(self) -> PhantomConfig:
        if self.own_share + self.neighbourhood_share > 1 + 1e-9:
            raise ValueError("own_share and neighbourhood_share add up to more than 1")
        if not self.widths_um or min(self.widths_um) <= 0 or len(set(self.widths_um)) < len(self.widths_um):
            raise ValueError("widths_um needs different widths above 0")
        if max(self.widths_um) > 0.8 * self.size_px * self.um_per_px:
            raise ValueError("the largest of widths_um does not fit the image: take a larger size_px")
        return self

    @property
    def spacing_um(self) -> float:
        """Spacing of the granules in micrometres."""
        if self.granule_um is not None:
            return self.granule_um
        return max(3 * self.um_per_px, min(12.0, self.radius_um / 4))

    @property
    def unseen_share(self) -> float:
        """Share of the variance that nothing visible explains."""
        return max(0.0, 1.0 - self.own_share - self.neighbourhood_share)
