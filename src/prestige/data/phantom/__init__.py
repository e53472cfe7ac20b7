"""Synthetic H&E tissue whose true answer is known: a test of the benchmark itself.

Between nuclei and fibres lie small granules of two colours, each a fair coin.  Some genes follow
the sum of the marks (+1 orange-brown, -1 grey-violet) of all granules between ``hole_share *
radius_um`` and ``radius_um`` from the cell, others the type and darkness of the own nucleus, others
nothing visible.  A window narrower than twice the radius shows only a part of that ring, and what
it shows tells nothing about the rest; so the best score for every width can be worked out.
"""

from prestige.data.phantom.settings import PhantomConfig
from prestige.data.phantom.write import SCHEMA, Section, make_section, read_truth, write_phantom

__all__ = ["SCHEMA", "PhantomConfig", "Section", "make_section", "read_truth", "write_phantom"]
