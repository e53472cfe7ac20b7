"""How fast tissue tiles come out of a large slide, beside openslide's own reader.

Writes a pyramid of JPEG tiles (256 px, levels of 1, 4 and 16, as Aperio's) of any size, tile by tile, and in
processes of their own measures: the seconds until it is open, until its tissue is known, and for a number of
tissue tiles at 0.5 um/px, with the most memory that each process held.  Beside them openslide's
``read_region`` at the best level and a resize of what it gives, in one thread, and, where the package wsidata
is installed, LazySlide's reader of tiles at the same places.  The ways take turns; medians are told.

    python benchmarks/slide_tiles.py --side-px 60000 --tiles 10000 --folder /tmp/slide --record
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from measured import Figure, show

TILE, UM, FACTORS = 256, 0.25, (1, 4, 16)
TILE_PX, TILE_UM = 224, 0.5
PATTERN = 4
"""The tissue repeats itself after so many tiles: distinct ones cost time to make and none to read."""


def main() -> None:
    """Write the slide unless it is there, and measure each way of reading it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--side-px", type=int, default=4096)
    parser.add_argument("--tiles", type=int, default=200)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/prestige-slide-tiles"))
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--record", action="store_true", help="keep the figures")
    parser.add_argument("--only", choices=WAYS, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    path = asked.folder / f"slide-{asked.side_px}.svs"
    if asked.only:
        found = WAYS[asked.only](path, asked.tiles, asked.folder / "corners.npy")
        found["peak MB"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        print(json.dumps(found))
        return
    asked.folder.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        began = time.perf_counter()
        write(path, asked.side_px)
        print(f"written in {time.perf_counter() - began:.0f} s: {path.stat().st_size / 1e6:,.0f} MB")
    contenders = [("prestige", 1), ("openslide", 1)]
    contenders += [("prestige", asked.threads)] if asked.threads > 1 else []
    contenders += [("LazySlide", 1)] if importlib.util.find_spec("wsidata") else []
    turns = [{way: timed(*way, asked) for way in contenders} for _ in range(asked.rounds)]
    found = {
        way: {key: median(turn[way][key] for turn in turns) for key in turns[0][way]} for way in contenders
    }
    for (name, threads), one in found.items():
        told = ", ".join(f"{key} {value:g}" for key, value in one.items())
        print(f"{name}, {threads} thread{'s' * (threads > 1)}: {told}")
    show(figures(found, asked), record=asked.record)


def timed(name: str, threads: int, asked: argparse.Namespace) -> dict[str, float]:
    """Measure a way in a process of its own."""
    command = [sys.executable, __file__, "--only", name, "--side-px", str(asked.side_px)]
    command += ["--tiles", str(asked.tiles), "--folder", str(asked.folder)]
    env = {**os.environ, "OMP_NUM_THREADS": str(threads), "NUMBA_NUM_THREADS": str(threads)}
    done = subprocess.run(command, env=env, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def figures(found: dict[tuple[str, int], dict[str, float]], asked: argparse.Namespace) -> list[Figure]:
    """Return the figures: opening, memory, and the rate beside every other way."""
    own, case = found["prestige", 1], f"{asked.side_px:,} px, JPEG pyramid"
    opens = own["open s"]
    rows = [
        Figure("a large slide opens", case, f"{opens:.2f} s", "2 s", opens / 2, "<= 1"),
        Figure("memory of its tiles", case, f"{own['peak MB'] / 1000:.2f} GB", "all its pixels "
               f"{asked.side_px**2 * 3 / 1e9:.1f} GB", own["peak MB"] * 1e6 / (asked.side_px**2 * 3)),
    ]  # fmt: skip
    for (name, _), other in found.items():
        if name != "prestige":
            against = f"{other['tiles/s']:,.0f} a second, {name}"
            rate = f"{own['tiles/s']:,.0f} a second"
            what = f"{own['tiles']:,.0f} tissue tiles of {TILE_PX} px at {TILE_UM:g} um/px, 1 thread"
            rows.append(
                Figure(what, f"{case}, {name}", rate, against, own["tiles/s"] / other["tiles/s"], ">= 1")
            )
    return rows


def of_prestige(path: Path, most: int, corners: Path) -> dict[str, Any]:
    """Open, look for tissue, and read the first tiles; leave where they begin for the other reader."""
    from prestige.data.slides.images import image_of
    from prestige.data.slides.on_demand.areas import area_mean
    from prestige.data.slides.on_demand.tissue_tiles import TissueTiles

    area_mean(np.zeros((4, 4, 3), np.uint8), 0.0, 0.0, 2.0, (2, 2))  # compiled once a machine
    began = time.perf_counter()
    image = image_of(path)
    um = next(iter(image.stated_um().values()))
    opened = time.perf_counter()
    tiles = TissueTiles(image, um_per_px=um, tile_px=TILE_PX, tile_um_per_px=TILE_UM)
    looked = time.perf_counter()
    mean, number = 0.0, 0
    for number, tile in enumerate(tiles, start=1):
        mean += float(tile[::16, ::16].mean())
        if number == most:
            break
    read = time.perf_counter()
    np.save(corners, tiles.corners_px[:most])
    image.close()
    return told(opened - began, looked - opened, read - looked, number) | {
        "mean": round(mean / max(number, 1), 2)
    }


def of_openslide(path: Path, most: int, corners: Path) -> dict[str, Any]:
    """Open it, and read tiles at the same places as LazySlide does: a region of the best level, resized."""
    import openslide
    from PIL import Image

    began = time.perf_counter()
    slide = openslide.OpenSlide(path)
    opened = time.perf_counter()
    places = np.load(corners)[:most]
    level = slide.get_best_level_for_downsample(TILE_UM / UM)
    side = round(TILE_PX * TILE_UM / UM / slide.level_downsamples[level])
    mean = 0.0
    looked = time.perf_counter()
    for x, y in places:
        region = slide.read_region((round(x), round(y)), level, (side, side)).convert("RGB")
        tile = np.asarray(region.resize((TILE_PX, TILE_PX), Image.Resampling.BOX))
        mean += float(tile[::16, ::16].mean())
    read = time.perf_counter()
    return told(opened - began, 0.0, read - looked, len(places)) | {
        "mean": round(mean / max(len(places), 1), 2)
    }


def of_lazyslide(path: Path, most: int, corners: Path) -> dict[str, Any]:
    """Open it by LazySlide's reader, and read tiles at the same places as its data set of tiles does."""
    from wsidata.reader import OpenSlideReader  # type: ignore[import-not-found]

    began = time.perf_counter()
    reader = OpenSlideReader(path)
    opened = time.perf_counter()
    factors = reader.reader.level_downsamples
    level = max(number for number, factor in enumerate(factors) if factor <= TILE_UM / UM + 1e-6)
    side = round(TILE_PX * TILE_UM / UM / factors[level])
    places = np.load(corners)[:most]
    mean = 0.0
    looked = time.perf_counter()
    for x, y in places:
        region = reader.get_region(round(x), round(y), side, side, level=level)
        tile = reader.resize_img(region, dsize=(TILE_PX, TILE_PX))
        mean += float(tile[::16, ::16].mean())
    read = time.perf_counter()
    return told(opened - began, 0.0, read - looked, len(places)) | {
        "mean": round(mean / max(len(places), 1), 2)
    }


def told(opened: float, looked: float, read: float, tiles: int) -> dict[str, Any]:
    """Return the seconds of the three steps."""
    return {
        "open s": round(opened, 2),
        "tissue s": round(looked, 2),
        "tiles": tiles,
        "read s": round(read, 2),
        "tiles/s": round(tiles / max(read, 1e-9)),
    }


def write(path: Path, side: int) -> None:
    """Write a round section on glass, tile by tile: each level by coded tiles, none of it whole in memory."""
    import tifffile

    text = f"Aperio Image Library v12.0.0\r\n{side}x{side} (256x256) JPEG/RGB Q=80|AppMag = 40|MPP = {UM}"
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        for factor in FACTORS:
            height = width = side // factor
            file.write(
                coded(height, width, factor),
                shape=(height, width, 3),
                dtype=np.uint8,
                tile=(TILE, TILE),
                photometric="ycbcr",
                compression="jpeg",
                subsampling=(2, 2),
                metadata=None,
                description=text,
                subfiletype=0 if factor == 1 else 1,
            )


def coded(height: int, width: int, factor: int) -> Iterator[bytes]:
    """Give the tiles of a level as JPEG; those of the same content are coded once."""
    import imagecodecs

    pattern = tissue()
    kept: dict[Any, bytes] = {}
    side = max(height, width)
    for row in range(-(-height // TILE)):
        for column in range(-(-width // TILE)):
            y = np.arange(TILE)[:, None] + row * TILE + 0.5
            x = np.arange(TILE)[None, :] + column * TILE + 0.5
            ends = [
                (a * TILE - side / 2, b * TILE - side / 2)
                for a in (row, row + 1)
                for b in (column, column + 1)
            ]
            radii = [float(np.hypot(*end)) for end in ends]
            inside, outside = max(radii) < 0.45 * side, min(radii) > 0.45 * side + TILE
            place = row * TILE * factor % (PATTERN * TILE), column * TILE * factor % (PATTERN * TILE)
            key = (*place, factor) if inside else "glass" if outside else None
            if key not in kept or key is None:
                pixels = np.full((TILE, TILE, 3), 243, np.uint8)
                if not outside:
                    rows, columns = ((begin + np.arange(TILE) * factor) % (PATTERN * TILE) for begin in place)
                    shown = reduced(pattern, rows, columns, factor)
                    within = np.hypot(y - side / 2, x - side / 2) < 0.45 * side
                    pixels[within] = shown[within]
                kept[key] = bytes(imagecodecs.jpeg_encode(pixels, level=80, subsampling="420"))
            yield kept[key]


def reduced(pattern: np.ndarray, rows: np.ndarray, columns: np.ndarray, factor: int) -> np.ndarray:
    """Return the means of squares of the pattern, which goes on for ever."""
    size = len(pattern)
    total = np.zeros((len(rows), len(columns), 3), np.uint32)
    for down in range(factor):
        for across in range(factor):
            total += pattern[np.ix_((rows + down) % size, (columns + across) % size)]
    return (total // factor**2).astype(np.uint8)


def tissue() -> np.ndarray:
    """Return pink stroma with violet nuclei and the noise of a camera."""
    rng = np.random.default_rng(0)
    size = PATTERN * TILE
    pixels = np.full((size, size, 3), (225, 170, 205), np.float32)
    reach = np.arange(-16, 17)
    for _ in range(900):
        y, x = rng.integers(0, size, 2)
        disc = np.hypot(reach[:, None], reach[None, :]) < rng.uniform(8, 16)
        rows, columns = np.nonzero(disc)
        pixels[(y + reach[rows]) % size, (x + reach[columns]) % size] = (95, 60, 140)
    return (pixels + rng.normal(0, 5, pixels.shape)).clip(0, 255).astype(np.uint8)


WAYS = {"prestige": of_prestige, "openslide": of_openslide, "LazySlide": of_lazyslide}

if __name__ == "__main__":
    main()
