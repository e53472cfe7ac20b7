"""Whether the page of a TIFF can be read: its colours, its compression, its tiles and what it claims."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prestige.data.slides.tiff import directories as tags
from prestige.data.slides.tiff.directories import WHOLE
from prestige.errors import AGAIN, DataError

if TYPE_CHECKING:
    from prestige.data.slides.tiff.pages import Level0

REMEDY = "save the H&E image as 8 bit RGB"
RGB = "an RGB image, 3 channels of 8 bit"
YCBCR = 6
_PHOTOMETRICS = {
    0: "MinIsWhite", 4: "a mask", 5: "CMYK or other inks", 8: "CIELab", 9: "ICCLab", 10: "ITULab",
    32803: "the filters of a camera (CFA)", 32844: "LogL", 32845: "LogLuv", 34892: "LinearRaw",
}  # fmt: skip
# Lossless: stored, LZW, deflate, PackBits, LERC, LZMA, Zstandard.
STORED = 1
_BYTES = {STORED, 5, 8, 32773, 32946, 34887, 34925, 34926, 50000}
JPEG = {6, 7, 33007, 34892}
# Aperio's two forms of JPEG 2000 say by their number what their colours are, whatever other tags say.
APERIO_YCBCR, APERIO_RGB = 33003, 33005
_JPEG_2000 = {APERIO_YCBCR, 33004, APERIO_RGB, 34712}
WEBP = {34927, 50001}  # whose decoder always gives red, green and blue
_FURTHER = {22610, 34933, 34934, 50002, 52546}  # JPEG XR, PNG, JPEG XL
_OF_ALPHA = _BYTES | {APERIO_RGB, 34712}
_READ = _BYTES | JPEG | _JPEG_2000 | WEBP | _FURTHER

_MOST_EXPANSION = 10_000
_SMALL_BYTES = 1 << 28  # what may be claimed by a file of any size


def check_colours(level: Level0) -> None:
    """Refuse what is not red, green and blue of 8 bit, and cannot be turned into it."""
    page, where = level.page, str(level.image)

    def refused(what: str) -> DataError:
        return DataError(f"the image {what}", where=where, expected=RGB, remedy=REMEDY)

    photometric = page.number(tags.PHOTOMETRIC, -1)
    bits, kind = page.same(tags.BITS, 1), page.same(tags.SAMPLE_FORMAT, 1)
    if photometric == 3:
        raise refused("holds numbers of a palette of colours")
    if bits != 8 or kind not in (1, 4):
        words = {2: "signed", 3: "floating point", 5: "complex", 6: "complex"}.get(kind, "")
        said = ", ".join(str(bit) for bit in page.numbers.get(tags.BITS, (1,))[:4]) if bits < 0 else str(bits)
        raise refused(f"is {said} bit{f' ({words})' if words else ''}")
    if photometric not in (1, 2, 6, -1):
        named = _PHOTOMETRICS.get(photometric, f"numbers of the kind {photometric}")
        raise refused(f"has 1 channel ({named})" if level.samples == 1 else f"has its colours as {named}")
    if level.samples != 3 and not (level.alpha and photometric == 2 and level.compression in _OF_ALPHA):
        known = ", the fourth of which is not said to be how opaque a pixel is" if level.samples == 4 else ""
        raise refused(f"has {level.samples} channel{'s' if level.samples > 1 else ''}{known}")
    if level.is_ycbcr and level.n_planes > 1:
        raise refused("has its colours as YCbCr in planes of their own")
    if level.is_ycbcr and level.compression in _FURTHER:
        raise refused(f"has its colours as YCbCr under the compression {level.compression}")
    subsampling = page.numbers.get(tags.YCBCR_SUBSAMPLING, (2, 2))  # so the default of TIFF 6.0
    if level.is_ycbcr and level.compression in _BYTES and subsampling != (1, 1):
        fewer = " x ".join(str(number) for number in subsampling[:2])
        raise refused(f"has its colours as YCbCr, one colour for {fewer} pixels")
    if page.number(tags.DEPTH, 1) > 1:
        raise refused(f"is a volume of {page.number(tags.DEPTH)} planes")


def check_layout(level: Level0) -> None:
    """Refuse a page with other tiles than its size asks for, or that claims far more than is there."""
    page = level.page

    def broken(what: str) -> DataError:
        return DataError(what, where=level.image, expected=WHOLE, remedy=AGAIN)

    if level.compression not in _READ:
        raise DataError(
            f"its pixels are compressed in a way that is not read ({level.compression})",
            where=level.image,
            expected="JPEG, JPEG 2000, LZW, deflate, or none",
            remedy=REMEDY,
        )
    rows, columns = level.segment_px
    if rows < 1 or columns < 1:
        raise broken(f"its {level.segments} are of {columns} x {rows} px")
    most = max(1 << 16, 4 * max(page.width, page.height))
    if max(rows, columns) > most:
        raise broken(
            f"its {level.segments} are of {columns} x {rows} px, the image {page.width} x {page.height}"
        )
    needed = -(-page.height // rows) * -(-page.width // columns) * level.n_planes
    offsets, sizes = (
        (tags.TILE_OFFSETS, tags.TILE_BYTES) if page.is_tiled else (tags.STRIP_OFFSETS, tags.STRIP_BYTES)
    )
    there = page.counts.get(offsets, 0)
    if there != needed:
        raise broken(
            f"lists {there:,} {level.segments}, and its {page.width} x {page.height} px are {needed:,}"
        )
    one_of_known_size = needed == 1 and level.compression == STORED and sizes not in page.counts
    if page.counts.get(sizes, 0) != needed and not one_of_known_size:
        raise broken(f"lists the sizes of {page.counts.get(sizes, 0):,} of its {needed:,} {level.segments}")
    bytes_there = level.image.stat().st_size
    claimed = level.samples * max(page.width * page.height, rows * columns)
    if claimed > _SMALL_BYTES and claimed > _MOST_EXPANSION * bytes_there:
        raise broken(f"a file of {bytes_there:,} bytes claims {page.width} x {page.height} px")
