"""Changes of TIFF files: header, directories, tags, places of tiles and strips, coded bytes, OME's words."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import tifffile

from campaign.kinds import VALUE, Change
from campaign.values import bytes_of, replaced

IMAGES = ("*/wsis/*.tif",)
_SIZES = {int(code): struct.calcsize(form) for code, form in tifffile.TIFF.DATA_FORMATS.items()}
_CODES = {3: "H", 4: "I", 8: "h", 9: "i", 16: "Q", 17: "q", 18: "Q", 1: "B", 6: "b", 13: "I"}
_KNOWN = (
    254,
    256,
    257,
    258,
    259,
    262,
    266,
    270,
    273,
    274,
    277,
    278,
    279,
    282,
    283,
    284,
    296,
    317,
    320,
    322,
    323,
    324,
    325,
    330,
    338,
    339,
    347,
    530,
    532,
    34675,
    65000,
)
_ODD_LONGS = (0, 1, 2, 3, 5, 7, 8, 16, 255, 256, 4096, 65535, 2**24, 2**31 - 1, 2**31, 2**32 - 1)
_COMPRESSIONS = (
    0,
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    32773,
    32946,
    33003,
    33005,
    34712,
    34925,
    34933,
    50000,
    50001,
    50002,
    65535,
)


@dataclass
class Entry:
    """One entry of a directory: where it lies and what it says."""

    at: int
    tag: int
    type: int
    count: int
    value_at: int


class Tiff:
    """The directories of a TIFF, classic or big, for changing them in place."""

    def __init__(self, path: Path) -> None:
        self.path, self.data = path, bytearray(path.read_bytes())
        self.order = "<" if self.data[:2] == b"II" else ">"
        self.big = struct.unpack_from(self.order + "H", self.data, 2)[0] == 43
        self.entries: list[Entry] = []
        self.links: list[int] = []  # where the offset of a directory stands
        at = 8 if self.big else 4
        seen: set[int] = set()
        while at and self._offset(at) and self._offset(at) not in seen:
            self.links.append(at)
            seen.add(self._offset(at))
            at = self._directory(self._offset(at))
        self.links.append(at)

    def _offset(self, at: int) -> int:
        return struct.unpack_from(self.order + ("Q" if self.big else "I"), self.data, at)[0]

    def _directory(self, at: int) -> int:
        head, width = ("Q", 20) if self.big else ("H", 12)
        n = struct.unpack_from(self.order + head, self.data, at)[0]
        first = at + struct.calcsize(head)
        for k in range(n):
            place = first + width * k
            tag, kind = struct.unpack_from(self.order + "HH", self.data, place)
            count = struct.unpack_from(self.order + ("Q" if self.big else "I"), self.data, place + 4)[0]
            field, room = (place + 12, 8) if self.big else (place + 8, 4)
            inside = _SIZES.get(kind, 1) * count <= room
            self.entries.append(Entry(place, tag, kind, count, field if inside else self._offset(field)))
        return first + width * n

    def put(self, code: str, at: int, value: int) -> None:
        """Write a number of the code's width, cut to it."""
        width = struct.calcsize(code)
        if at + width <= len(self.data):
            self.data[at : at + width] = (value % (1 << 8 * width)).to_bytes(
                width, "little" if self.order == "<" else "big"
            )

    def set(self, entry: Entry, value: int, index: int = 0) -> None:
        """Write one value of an entry."""
        code = _CODES.get(entry.type, "B")
        self.put(code, entry.value_at + struct.calcsize(code) * index, value)

    def get(self, entry: Entry, index: int = 0) -> int:
        """Read one value of an entry."""
        code = _CODES.get(entry.type, "B")
        return struct.unpack_from(
            self.order + code, self.data, entry.value_at + struct.calcsize(code) * index
        )[0]

    def save(self) -> None:
        """Write the file."""
        self.path.write_bytes(bytes(self.data))


def _on(change: Callable[[Tiff, Random], str]) -> Callable[[Path, Random], str]:
    def apply(folder: Path, rng: Random) -> str:
        found = sorted(path for pattern in IMAGES for path in folder.glob(pattern) if path.is_file())
        tiff = Tiff(rng.choice(found))
        words = change(tiff, rng)
        tiff.save()
        return f"{tiff.path.name}: {words}"

    return apply


def _value(tiff: Tiff, rng: Random) -> str:
    entry = rng.choice(tiff.entries)
    index = rng.randrange(min(entry.count, 64) or 1)
    value = rng.choice(
        (*_ODD_LONGS, tiff.get(entry, 0) + 1, tiff.get(entry, 0) * 2, len(tiff.data), rng.randrange(2**16))
    )
    tiff.set(entry, value, index)
    return f"tag {entry.tag}[{index}] is {value}"


def _type(tiff: Tiff, rng: Random) -> str:
    entry = rng.choice(tiff.entries)
    kind = rng.choice((0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 16, 18, 129, 65535))
    tiff.put("H", entry.at + 2, kind)
    return f"tag {entry.tag} of type {kind}"


def _count(tiff: Tiff, rng: Random) -> str:
    entry = rng.choice(tiff.entries)
    count = rng.choice((0, 1, 2, 3, entry.count + 1, max(entry.count - 1, 0), 2**16, 2**31, 2**32 - 1))
    tiff.put("Q" if tiff.big else "I", entry.at + 4, count)
    return f"tag {entry.tag} has {count} values"


def _place(tiff: Tiff, rng: Random) -> str:
    entry = rng.choice(tiff.entries)
    at = rng.choice((0, 4, 8, entry.at, len(tiff.data) - 1, len(tiff.data) + 100, 2**31, 2**32 - 1))
    tiff.put("Q" if tiff.big else "I", entry.at + (12 if tiff.big else 8), at)
    return f"values of tag {entry.tag} at {at}"


def _tag(tiff: Tiff, rng: Random) -> str:
    entry = rng.choice(tiff.entries)
    tag = rng.choice(_KNOWN)
    tiff.put("H", entry.at, tag)
    return f"tag {entry.tag} is tag {tag}"


def _named(tiff: Tiff, rng: Random) -> str:
    tag, values = rng.choice(
        (
            (259, _COMPRESSIONS),
            (262, (0, 1, 2, 3, 4, 5, 6, 8, 9, 32803, 34892)),
            (258, (0, 1, 2, 4, 7, 8, 12, 16, 32, 64)),
            (277, (0, 1, 2, 3, 4, 5, 100)),
            (284, (0, 1, 2, 3)),
            (317, (0, 1, 2, 3, 4, 34892)),
            (339, (0, 1, 2, 3, 4, 5, 6)),
            (256, _ODD_LONGS),
            (257, _ODD_LONGS),
            (322, _ODD_LONGS),
            (323, _ODD_LONGS),
            (278, _ODD_LONGS),
            (254, (0, 1, 2, 4, 7)),
            (266, (0, 1, 2, 3)),
            (274, (1, 3, 6, 8)),
        )
    )
    entries = [entry for entry in tiff.entries if entry.tag == tag] or tiff.entries
    entry, value = rng.choice(entries), rng.choice(values)
    tiff.set(entry, value)
    return f"tag {entry.tag} is {value}"


def _tiles(tiff: Tiff, rng: Random) -> str:
    entries = [entry for entry in tiff.entries if entry.tag in (273, 279, 324, 325)]
    entry = rng.choice(entries)
    index = rng.randrange(entry.count or 1)
    value = rng.choice(
        (0, 1, 8, tiff.get(entry, 0), len(tiff.data) - 1, len(tiff.data) + 1, 2**31, 2**32 - 1)
    )
    tiff.set(entry, value, index)
    return f"tag {entry.tag}[{index}] is {value}"


def _missing_tile(tiff: Tiff, rng: Random) -> str:
    entries = [entry for entry in tiff.entries if entry.tag in (273, 279, 324, 325)]
    index = rng.randrange(min(entry.count for entry in entries) or 1)
    for entry in entries:
        tiff.set(entry, 0, index)
    return f"tile {index} is not stored"


def _directories(tiff: Tiff, rng: Random) -> str:
    at = rng.choice(tiff.links)
    there = [tiff._offset(link) for link in tiff.links[:-1]]
    value = rng.choice((0, 1, 8, *there, len(tiff.data), len(tiff.data) - 2, 2**31, 2**32 - 1))
    tiff.put("Q" if tiff.big else "I", at, value)
    return f"a directory at {value}"


def _header(tiff: Tiff, rng: Random) -> str:
    at = rng.randrange(16)
    value = rng.choice((0, 1, 42, 43, 73, 77, 255))
    tiff.data[at] = value
    return f"byte {at} of the header is {value}"


def _entries(tiff: Tiff, rng: Random) -> str:
    at = tiff._offset(rng.choice(tiff.links[:-1] or tiff.links))
    value = rng.choice((0, 1, 5, 255, 65535))
    tiff.put("Q" if tiff.big else "H", at, value)
    return f"{value} entries in the directory at {at}"


def _ome(tiff: Tiff, rng: Random) -> str:
    words = [entry for entry in tiff.entries if entry.tag == 270]
    if not words:
        return _value(tiff, rng)
    entry = rng.choice(words)
    end = entry.value_at + entry.count
    text = bytes(tiff.data[entry.value_at : end])
    old, new = rng.choice(
        (
            (b'SizeX="', b'SizeX="9'),
            (b'SizeY="', b'SizeY="-'),
            (b'SizeC="3', b'SizeC="4'),
            (b'SizeC="3', b'SizeC="1'),
            (b"<TiffData", b"<TiffDatx"),
            (b'Type="uint8', b'Type="float'),
            (b"XYCZT", b"XYZTC"),
            (b"<Pixels", b"<Pixelz"),
            (b"<?xml", b"<!ENT"),
            (b"</OME>", b"<OME/>"),
            (b"xmlns", b"xmlnz"),
            (b"UUID", b"UIUD"),
            (b"IFD=", b"IFE="),
            (b'SizeX="', b'SizeX=""'),
            (b"<TiffData ", b'<TiffData PlaneCount="99999999" '),
            (b"<TiffData", b'<TiffData><UUID FileName="/etc/hostname">urn:uuid:1</UUID></TiffData><TiffData'),
        )
    )
    changed = text.replace(old, new, 1)[: len(text)].ljust(len(text))
    if changed == text:
        at = rng.randrange(len(text))
        changed = text[:at] + bytes([rng.choice(b'<>&"\x00\xff0')]) + text[at + 1 :]
    tiff.data[entry.value_at : end] = changed
    return f"words: {old.decode()} -> {new.decode()[:30]}"


_TAGS = "a tag said otherwise what the same bytes are: size, order, kind of colour"
CHANGES = (
    Change("tag value", _on(_value), _TAGS),
    Change("tag that matters", _on(_named), _TAGS),
    Change("tag type", _on(_type), _TAGS),
    Change("tag count", _on(_count), _TAGS),
    Change("tag place", _on(_place), _TAGS),
    Change("tag number", _on(_tag), _TAGS),
    Change("tile place or size", _on(_tiles), "the bytes of another tile, or a shorter one, that decode"),
    Change("tile not stored", _on(_missing_tile), "a tile that is not stored is background"),
    Change("directory place", _on(_directories), "another page is the largest that is left"),
    Change("entries", _on(_entries), _TAGS),
    Change("header", _on(_header), _TAGS),
    Change("OME words", _on(_ome), _TAGS),
    Change("bytes", bytes_of(*IMAGES), VALUE),
    Change("replaced", replaced(*IMAGES)),
)
