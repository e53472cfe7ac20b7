"""What the OME-XML of a TIFF says of other files and of pixel sizes."""

from __future__ import annotations

from pathlib import Path

import pytest

from prestige.data.slides.tiff.ome import check_in_one_file, stated_um
from prestige.errors import DataError

IMAGE = Path("S1.tif")


def xml(parts: str, *, own: str = "urn:uuid:a", sizes: str = "", root: str = "") -> str:
    uuid = f' UUID="{own}"' if own else ""
    return (
        f'<?xml version="1.0"?>{root}<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"{uuid}>'
        f'<Image ID="Image:0"><Pixels SizeX="9" SizeY="8" {sizes}>{parts}</Pixels></Image>'
        '<Image ID="Image:1"><Pixels SizeX="3" SizeY="2" PhysicalSizeX="7" PhysicalSizeY="7"/></Image></OME>'
    )


def block(uuid: str, name: str) -> str:
    return f'<TiffData IFD="0"><UUID FileName="{name}">{uuid}</UUID></TiffData>'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a plain description",
        xml(""),
        xml("<TiffData/>"),
        xml(block("urn:uuid:a", "renamed.tif")),
        xml(block("urn:uuid:a", "renamed.tif"), own=""),
        xml(block("urn:uuid:a", "S1.tif"), own=""),
    ],
)
def test_an_image_in_one_file_is_read(text: str) -> None:
    check_in_one_file(text, 9, 8, IMAGE)


@pytest.mark.parametrize(
    "text",
    [
        xml(block("urn:uuid:b", "other.ome.tif") + block("urn:uuid:a", "S1.tif")),
        xml(block("urn:uuid:b", "other.ome.tif")),
        xml(block("urn:uuid:b", "other.ome.tif") + block("urn:uuid:a", "S1.tif"), own=""),
    ],
)
def test_a_part_in_another_file_is_refused(text: str) -> None:
    with pytest.raises(DataError, match=r"a part of the image lies in another file \(other.ome.tif\)"):
        check_in_one_file(text, 9, 8, IMAGE)
    check_in_one_file(text, 3, 2, IMAGE)  # another image of the set


@pytest.mark.parametrize(
    ("sizes", "wanted"),
    [
        ('PhysicalSizeX="0.5" PhysicalSizeY="0.25"', (0.5, 0.25)),
        (
            'PhysicalSizeX="500" PhysicalSizeXUnit="nm" PhysicalSizeY="0.0005" PhysicalSizeYUnit="mm"',
            (0.5, 0.5),
        ),
        ('PhysicalSizeX="1" PhysicalSizeXUnit="pixel" PhysicalSizeY="1" PhysicalSizeYUnit="pixel"', None),
        ('PhysicalSizeX="x" PhysicalSizeY="1"', None),
        ('PhysicalSizeX="1"', None),
        ("", None),
    ],
)
def test_pixel_sizes(sizes: str, wanted: tuple[float, float] | None) -> None:
    found = stated_um(xml("", sizes=sizes), 9, 8, IMAGE)
    assert found == (None if wanted is None else pytest.approx(wanted))


@pytest.mark.parametrize(
    "text",
    [
        "<OME",
        xml("</Pixels>"),
        xml("&a;", root='<!DOCTYPE OME [<!ENTITY a "aaaa">]>'),
        '<?xml version="1.0" encoding="nonsense"?><OME/>',
    ],
)
def test_broken_xml_is_told(text: str) -> None:
    with pytest.raises(DataError, match=r"S1.tif: its OME-XML"):
        check_in_one_file(text, 9, 8, IMAGE)
