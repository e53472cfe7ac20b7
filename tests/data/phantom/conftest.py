from __future__ import annotations

import pytest

from prestige.data.phantom import PhantomConfig, Section, make_section


@pytest.fixture(scope="session")
def phantom_config() -> PhantomConfig:
    """Return the default phantom, on smaller sections."""
    return PhantomConfig(size_px=900, patients=2)


@pytest.fixture(scope="session")
def phantom_sections(phantom_config: PhantomConfig) -> tuple[Section, ...]:
    """Return three sections of that phantom, as they would be written."""
    return tuple(make_section(phantom_config, patient, 0) for patient in range(3))
