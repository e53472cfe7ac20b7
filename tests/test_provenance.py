import numpy as np

from prestige.provenance import hardware, peak_memory_bytes, versions


def test_versions_name_what_numbers_depend_on() -> None:
    found = versions()
    assert {"python", "torch", "numpy", "prestige-st"} <= set(found)
    assert found["numpy"] == np.__version__


def test_hardware_says_processor_and_threads() -> None:
    found = hardware("cpu")
    assert found["device"] == "cpu"
    assert int(found["threads"]) >= 1
    assert found["cpu"]


def test_peak_memory_follows_what_is_held() -> None:
    held = np.ones(30_000_000)
    assert held.nbytes < peak_memory_bytes() < 2**40
