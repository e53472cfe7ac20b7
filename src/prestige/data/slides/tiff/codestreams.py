"""The size that a compressed image states in its own head: told before its decoder claims memory for it."""

from __future__ import annotations

_JPEG, _PNG, _JPEG_2000 = b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"\xff\x4f\xff\x51"
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD9)}
_START_OF_FRAME = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_LOOKED_THROUGH = 1 << 16


def size_px(data: bytes) -> tuple[int, int] | None:
    """Return (height, width) of a JPEG, JPEG 2000 or PNG image; None of others, and where it states none.

    Sources: ITU-T T.81 (JPEG), B.2.2; ITU-T T.800 (JPEG 2000), A.5.1; W3C PNG, 11.2.2.
    """
    if data.startswith(_JPEG):
        return _of_jpeg(data)
    if data.startswith(_PNG) and len(data) >= 24:
        return int.from_bytes(data[20:24], "big"), int.from_bytes(data[16:20], "big")
    start = data.find(_JPEG_2000, 0, _LOOKED_THROUGH)
    if start < 0 or (start and not data.startswith(b"\0\0\0\x0cjP")) or len(data) < start + 24:
        return None
    width, height, x, y = (int.from_bytes(data[start + at : start + at + 4], "big") for at in (8, 12, 16, 20))
    return height - y, width - x


def _of_jpeg(data: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:  # a filling byte
            at += 1
        elif marker in _WITHOUT_LENGTH:
            at += 2
        elif marker in _START_OF_FRAME:
            return int.from_bytes(data[at + 5 : at + 7], "big"), int.from_bytes(data[at + 7 : at + 9], "big")
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def bits_of(data: bytes) -> int | None:
    """Return the most bits of a channel of a PNG or JPEG 2000 image; None of others.

    Sources: W3C PNG, 11.2.2; ITU-T T.800, A.5.1.
    """
    if data.startswith(_PNG) and len(data) >= 25:
        return data[24]
    start = data.find(_JPEG_2000, 0, _LOOKED_THROUGH)
    if start < 0 or (start and not data.startswith(b"\0\0\0\x0cjP")) or len(data) < start + 42:
        return None
    channels = int.from_bytes(data[start + 40 : start + 42], "big")
    depths = data[start + 42 : start + 42 + 3 * channels : 3]
    return max(((depth & 0x7F) + 1 for depth in depths), default=None)
