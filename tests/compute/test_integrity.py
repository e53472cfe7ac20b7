"""A file is as it was written, or it is said what is wrong with it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prestige.compute.integrity import damage, vouch

BLOCK = 1 << 16


def test_what_is_as_it_was_written_has_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "a"
    for content in (b"", b"x", bytes(range(256)) * 9000):
        path.write_bytes(content)
        vouched = vouch(path)
        assert vouched["bytes"] == len(content)
        assert damage(path, vouched) is None
        assert damage(path, vouched, whole_bytes=None) is None
        assert damage(path, vouched, whole_bytes=0) is None


def test_the_checksum_is_crc_32(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"123456789")  # the check value of CRC-32/ISO-HDLC
    assert vouch(tmp_path / "a")["crc32"] == "cbf43926"


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x" * 2000)
    vouched = vouch(path)
    path.write_bytes(b"x" * 1000)
    assert damage(path, vouched) == "is cut off (1,000 of 2,000 bytes)"
    path.write_bytes(b"x" * 2001)
    assert damage(path, vouched) == "is too long (2,001 of 2,000 bytes)"
    path.write_bytes(b"x" * 1999 + b"y")
    assert damage(path, vouched) == "holds other bytes than were written"
    path.unlink()
    assert damage(path, vouched) == "is missing"
    assert damage(path / "below", vouched) == "is missing"
    path.mkdir()
    with pytest.raises(OSError, match="directory"):
        damage(path, {"crc32": ""})


def test_of_a_large_file_the_ends_and_blocks_between_are_read(tmp_path: Path) -> None:
    path, size = tmp_path / "a", 40 * BLOCK
    path.write_bytes(bytes(size))
    vouched = vouch(path)

    def changed(at: int, **options: int) -> str | None:
        with path.open("r+b") as file:
            file.seek(at)
            file.write(b"x")
        found = damage(path, vouched, **options)
        with path.open("r+b") as file:
            file.seek(at)
            file.write(bytes(1))
        return found

    assert changed(0) == changed(size - 1) == changed(BLOCK - 1) == "holds other bytes than were written"
    between = 2 * BLOCK  # blocks begin at multiples of 39/15 blocks
    assert changed(between) is None
    assert changed(between, whole_bytes=size) == "holds other bytes than were written"


@given(content=st.binary(min_size=1, max_size=300), at=st.integers(0, 299), bit=st.integers(0, 7))
def test_one_bit_is_met(tmp_path_factory: pytest.TempPathFactory, content: bytes, at: int, bit: int) -> None:
    path = tmp_path_factory.mktemp("bits") / "a"
    path.write_bytes(content)
    vouched = vouch(path)
    other = bytearray(content)
    other[at % len(other)] ^= 1 << bit
    path.write_bytes(other)
    assert damage(path, vouched) == "holds other bytes than were written"
