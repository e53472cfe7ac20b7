"""The kernel that a GPU runs, interpreted: turned and restained patches against plain indexing."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from prestige.data.patches import on_device as module
from prestige.data.patches.augment import AugmentConfig, augment, draw_parameters
from prestige.data.patches.on_device import DeviceReader, StreamedReader
from prestige.data.patches.reader import Patch, PatchReader

TritonError = pytest.importorskip("triton.errors", reason="there is no Triton for this machine").TritonError
CPU = torch.device("cpu")
NAME = "prestige.data.patches.gather"


@pytest.fixture(scope="module", autouse=True)
def gather() -> Iterator[ModuleType]:
    """The module as Triton's interpreter runs it, on the CPU; whether it does is settled on import."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRITON_INTERPRET", "1")
        patch.delitem(sys.modules, NAME, raising=False)
        yield importlib.import_module(NAME)
        patch.delitem(sys.modules, NAME)


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    yield
    module._held.clear()


@settings(max_examples=40, deadline=None)
@given(
    width=st.integers(1, 24),
    shown=st.none() | st.integers(1, 24),
    places=st.lists(
        st.tuples(st.integers(0, 1), st.floats(-3, 42), st.floats(-3, 32)), min_size=1, max_size=8
    ),
    jitter=st.sampled_from([0.0, 0.05]),
)
def test_patches_are_those_of_the_cpu(make_slide, width, shown, places, jitter) -> None:
    slides = [make_slide(30, 40, 0.5, seed=1), make_slide(33, 37, 0.5, seed=2)]
    patch = Patch(width * 0.5, width, None if shown is None else min(shown, width) * 0.5)
    where = np.array([p[0] for p in places], dtype=np.int64)
    xy = np.array([p[1:] for p in places], np.float64).reshape(-1, 2)
    parameters = draw_parameters(
        len(xy), AugmentConfig(stain_jitter=jitter), torch.Generator().manual_seed(3)
    )
    reader = DeviceReader(slides, patch, CPU)
    reader._at_once = True
    found = reader.augmented(where, xy, parameters)
    expected = augment(PatchReader(slides, patch)(where, xy), parameters)
    assert found.dtype == torch.float32
    assert found.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(found, expected, atol=2e-6, rtol=0)


def test_every_symmetry_and_many_pixels(make_slide) -> None:
    # 40 x 40 px are more than one block of the kernel, and no multiple of it.
    slide, xy = make_slide(60, 70, 0.5, seed=4), np.full((8, 2), 31.0)
    parameters = draw_parameters(8, AugmentConfig(stain_jitter=0.1), torch.Generator().manual_seed(0))
    parameters.element[:] = torch.arange(8)
    reader = DeviceReader([slide], Patch(20.0, 40), CPU)
    reader._at_once = True
    where = np.zeros(8, np.int64)
    found = reader.augmented(where, xy, parameters, torch.bfloat16)
    expected = augment(PatchReader([slide], Patch(20.0, 40))(where, xy), parameters)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), expected, atol=2**-8, rtol=0)


def test_a_batch_that_was_cropped_beside_is_looked_at_alike(
    make_slide, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_has_kernels", lambda _: True)
    slides = [make_slide(30, 40, 0.5, seed=1), make_slide(33, 37, 0.5, seed=2)]
    rng = np.random.default_rng(0)
    where, xy = rng.integers(0, 2, 9), rng.uniform(-3, 40, (9, 2))
    parameters = draw_parameters(9, AugmentConfig(), torch.Generator().manual_seed(3))
    reader = PatchReader(slides, Patch(5.0, 10, 4.0))
    found = StreamedReader(reader, CPU).augmented(where, xy, parameters)
    torch.testing.assert_close(found, augment(reader(where, xy), parameters), atol=2e-6, rtol=0)
    assert found.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    "fault", [RuntimeError("no C compiler"), OSError("no such file"), TritonError("old")]
)
def test_a_kernel_that_cannot_be_compiled_is_done_without(
    gather: ModuleType, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, fault: Exception
) -> None:
    monkeypatch.setattr(gather, "gather", Mock(side_effect=fault))
    assert not gather.works(CPU)
    assert str(fault) in caplog.text


def test_a_defect_of_the_kernel_is_not_passed_over(
    gather: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "synchronize", lambda _: None)
    assert gather.works(CPU)
    monkeypatch.setattr(gather, "gather", Mock(side_effect=TypeError("an argument too many")))
    with pytest.raises(TypeError, match="too many"):
        gather.works(CPU)


def test_patches_of_several_slides_are_one_launch_and_one_table(
    gather: ModuleType, make_slide, monkeypatch: pytest.MonkeyPatch
) -> None:
    slides = [make_slide(30 + n, 40, 0.5, seed=n) for n in range(5)]
    rng = np.random.default_rng(0)
    where, xy = rng.integers(0, 5, 64), rng.uniform(0, 30, (64, 2))
    parameters = draw_parameters(16, AugmentConfig(), *(torch.Generator().manual_seed(n) for n in range(4)))
    reader = DeviceReader(slides, Patch(4.0, 8), CPU)
    reader._at_once = True
    launched, packed = Mock(side_effect=gather.gather), Mock(side_effect=gather.pack)
    monkeypatch.setattr(gather, "gather", launched)
    monkeypatch.setattr(gather, "pack", packed)
    found = reader.augmented(where, xy, parameters)
    assert launched.call_count == packed.call_count == 1
    expected = augment(PatchReader(slides, Patch(4.0, 8))(where, xy), parameters)
    torch.testing.assert_close(found, expected, atol=2e-6, rtol=0)


@pytest.mark.parametrize(("kind", "words"), [("fp32", True), ("bf16", True), ("fp32", False)])
def test_it_compiles_for_a_gpu_without_one(kind: str, words: bool, tmp_path: Path) -> None:
    code = f"""
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from prestige.data.patches.gather import _kernel
kinds = dict(out="*{kind}", slides="*i64", places="*i32")
fixed = dict(side=64, words={words})
source = ASTSource(_kernel, kinds | dict.fromkeys(fixed, "constexpr"), fixed)
gpu, options = GPUTarget("cuda", 80, 32), dict(enable_fp_fusion=True)
print(triton.compile(source, target=gpu, options=options).asm["ptx"].count("st.global"))
"""
    plain = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    plain["TRITON_CACHE_DIR"] = str(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=plain
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 0
