"""Small scanners' files, written after the descriptions of their formats: Philips TIFF and Leica SCN."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import tifffile

SCN = "http://www.leica-microsystems.com/scn/2010/10/01"
UM = 0.25


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Return squares of pink, violet and near white."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(120, 250, (-(-height // 8), -(-width // 8), 3))
    return np.kron(coarse, np.ones((8, 8, 1)))[:height, :width].astype(np.uint8)


def halved(pixels: np.ndarray, times: int) -> np.ndarray:
    """Return the mean of squares of pixels."""
    height, width = (side // times for side in pixels.shape[:2])
    cut = pixels[: height * times, : width * times].reshape(height, times, width, times, 3)
    return cut.mean(axis=(1, 3)).astype(np.uint8)


def padded(pixels: np.ndarray, tile: int) -> np.ndarray:
    """Return an image filled up with white to whole tiles."""
    height, width = (-(-side // tile) * tile for side in pixels.shape[:2])
    out = np.full((height, width, 3), 255, np.uint8)
    out[: pixels.shape[0], : pixels.shape[1]] = pixels
    return out


def _attribute(name: str, group: str, element: str, kind: str, value: str) -> str:
    return f'<Attribute Name="{name}" Group="{group}" Element="{element}" PMSVR="{kind}">{value}</Attribute>'


def philips(path: Path, pixels: np.ndarray, *, tile: int = 64, absent: Sequence[int] = ()) -> Path:
    """Write a Philips TIFF of two levels of ``UM``, some of whose tiles in the larger one are not stored."""
    levels = [padded(pixels, tile), padded(halved(pixels, 2), tile)]

    def spacing(factor: int) -> str:
        side = f"&quot;{UM * factor / 1000:.6f}&quot;"
        return _attribute("DICOM_PIXEL_SPACING", "0x0028", "0x0030", "IDoubleArray", f"{side} {side}")

    of_levels = "".join(
        '<DataObject ObjectType="PixelDataRepresentation">'
        + spacing(2**number)
        + _attribute(
            "PIIM_PIXEL_DATA_REPRESENTATION_COLUMNS", "0x301D", "0x2008", "IUInt32", str(one.shape[1])
        )
        + _attribute("PIIM_PIXEL_DATA_REPRESENTATION_ROWS", "0x301D", "0x2007", "IUInt32", str(one.shape[0]))
        + _attribute("PIIM_PIXEL_DATA_REPRESENTATION_NUMBER", "0x301D", "0x2006", "IUInt16", str(number))
        + "</DataObject>"
        for number, one in enumerate(levels)
    )
    scanned = (
        '<DataObject ObjectType="DPScannedImage">'
        + _attribute("PIM_DP_IMAGE_TYPE", "0x301D", "0x1004", "IString", "WSI")
        + spacing(1)
        + _attribute(
            "PIIM_PIXEL_DATA_REPRESENTATION_SEQUENCE",
            "0x1001",
            "0x8B01",
            "IDataObjectArray",
            f"<Array>{of_levels}</Array>",
        )
        + "</DataObject>"
    )
    text = (
        '<?xml version="1.0" encoding="UTF-8" ?><DataObject ObjectType="DPUfsImport">'
        + _attribute("DICOM_MANUFACTURER", "0x0008", "0x0070", "IString", "PHILIPS")
        + _attribute(
            "PIM_DP_SCANNED_IMAGES", "0x301D", "0x1003", "IDataObjectArray", f"<Array>{scanned}</Array>"
        )
        + "</DataObject>"
    )

    def tiles(level: np.ndarray, gaps: Sequence[int]) -> Iterator[np.ndarray | None]:
        places = [(y, x) for y in range(0, level.shape[0], tile) for x in range(0, level.shape[1], tile)]
        for number, (y, x) in enumerate(places):
            yield None if number in gaps else np.ascontiguousarray(level[y : y + tile, x : x + tile])

    with tifffile.TiffWriter(path) as file:
        for number, level in enumerate(levels):
            file.write(
                tiles(level, () if number else absent),
                shape=level.shape,
                dtype=np.uint8,
                tile=(tile, tile),
                photometric="rgb",
                compression="zlib",
                metadata=None,
                software="Philips DP v1.0",
                description=f"level={number}" if number else text,
                subfiletype=1 if number else 0,
            )
    return path


def scn(path: Path, regions: Sequence[tuple[np.ndarray, int, int]], frame: tuple[int, int]) -> Path:
    """Write a Leica SCN: a macro picture and regions (pixels, x, y) of one frame (height, width)."""

    def nm(px: int) -> int:
        return int(px * UM * 1000)

    def image(
        name: str, sizes: str, view: tuple[int, int, int, int], objective: str, first: tuple[int, int]
    ) -> str:
        height, width = first
        return (
            f'<image name="{name}" uuid="urn:uuid:{name}"><creationDate>2020-01-01T00:00:00Z</creationDate>'
            f'<device model="Leica SCN400;x" version="1.5"/>'
            f'<pixels sizeX="{width}" sizeY="{height}">{sizes}</pixels>'
            f'<view sizeX="{view[0]}" sizeY="{view[1]}" offsetX="{view[2]}" offsetY="{view[3]}" '
            'spacingZ="0"/>'
            f"<scanSettings><objectiveSettings><objective>{objective}</objective></objectiveSettings>"
            "<illuminationSettings><numericalAperture>0.6</numericalAperture>"
            "<illuminationSource>brightfield</illuminationSource></illuminationSettings>"
            "</scanSettings></image>"
        )

    collection = nm(frame[1]), nm(frame[0])
    macro = np.full((64, 96, 3), 230, np.uint8)
    pages, images = (
        [macro],
        [
            image(
                "macro",
                '<dimension sizeX="96" sizeY="64" r="0" ifd="0"/>',
                (*collection, 0, 0),
                "0.6",
                (64, 96),
            )
        ],
    )
    for number, (pixels, x, y) in enumerate(regions):
        levels = [pixels, halved(pixels, 4)]
        sizes = "".join(
            f'<dimension sizeX="{one.shape[1]}" sizeY="{one.shape[0]}" r="{r}" ifd="{len(pages) + r}"/>'
            for r, one in enumerate(levels)
        )
        view = nm(pixels.shape[1]), nm(pixels.shape[0]), nm(x), nm(y)
        images.append(image(f"region{number}", sizes, view, "40", pixels.shape[:2]))
        pages += levels
    text = (
        f'<?xml version="1.0"?><scn xmlns="{SCN}" uuid="urn:uuid:9"><collection name="c" uuid="urn:uuid:8" '
        f'sizeX="{collection[0]}" sizeY="{collection[1]}"><barcode>QQ==</barcode>'
        f"{''.join(images)}</collection></scn>"
    )
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        for number, page in enumerate(pages):
            smaller = 4 if number and number % 2 == 0 else 1
            dots = 10_000 / UM / (smaller if number else frame[1] / 96)
            file.write(
                page,
                tile=(32, 32),
                photometric="rgb",
                compression="zlib",
                metadata=None,
                description=None if number else text,
                resolution=(dots, dots),
                resolutionunit="CENTIMETER",
            )
    return path
