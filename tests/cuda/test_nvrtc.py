"""NVIDIA's compiler takes every kernel, for each architecture, without a spill."""

import subprocess
import sys

import pytest

from minifcn.cuda import nvrtc
from minifcn.cuda.source import read

from .common import FILES


def why_none():
    try:
        nvrtc.library()
    except nvrtc.NoNvrtc as error:
        return str(error)
    return ""


needs_nvrtc = pytest.mark.skipif(bool(why_none()), reason=why_none() or "it is here")


@needs_nvrtc
def test_nvrtc_knows_the_architectures():
    assert set(nvrtc.architectures()) >= {"sm_80", "sm_90"}


@needs_nvrtc
@pytest.mark.parametrize("architecture", nvrtc.ARCHITECTURES)
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_kernel_compiles_without_a_spill(path, architecture):
    if architecture not in nvrtc.architectures():
        pytest.skip(f"this NVRTC does not know {architecture}")
    source = read(path)
    usages = nvrtc.usages(source, architecture)
    assert [usage.kernel for usage in usages] == [
        k.expression(v) for k in source.kernels.values() for v in k.variants()
    ]
    for usage in usages:
        assert usage.spills == 0, usage
        assert 0 < usage.registers <= 128, usage  # two blocks of 256 at a time


@needs_nvrtc
def test_spills_and_shared_memory_are_seen(tmp_path):
    path = tmp_path / "heavy.cu"
    path.write_text(
        """
        __global__ void __launch_bounds__(1024, 2) heavy(float* x, Index n) {
            __shared__ float kept[512];
            float many[96];
        #pragma unroll
            for (Index i = 0; i < 96; i++) many[i] = x[i * n];
            kept[threadIdx.x % 512] = many[0];
            __syncthreads();
        #pragma unroll
            for (Index i = 0; i < 96; i++) x[i * n] = many[95 - i] + kept[i];
        }
        """
    )
    (usage,) = nvrtc.usages(read(path), "sm_80")
    assert usage.kernel == "heavy"
    assert usage.shared == 512 * 4
    assert usage.registers <= 32
    assert usage.spills > 0
    assert nvrtc.main([str(path)]) == 1


@needs_nvrtc
def test_compiler_words_name_file_and_line(tmp_path):
    path = tmp_path / "broken.cu"
    path.write_text("// A comment.\n__global__ void broken(float* x) { x[0] = y; }\n")
    with pytest.raises(nvrtc.DoesNotCompile, match=r"broken\.cu for sm_80") as error:
        nvrtc.usages(read(path), "sm_80")
    assert "broken.cu(2): error: identifier" in str(error.value)


@needs_nvrtc
def test_table_has_a_row_for_each_kernel(capsys):
    path = nvrtc.PACKAGE / "ops" / "activation.cu"
    assert nvrtc.main([str(path)]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split()[-2:] == ["shared", "spills"]
    assert rows[0].startswith("activation.cu relu<float> ")
    assert len(rows) == sum(len(k.variants()) for k in read(path).kernels.values())


def test_without_nvrtc_the_sentence_says_what_to_install():
    code = (
        "import sys\nfrom minifcn.cuda import nvrtc\n"
        "nvrtc.find_spec = lambda name: None\nsys.exit(nvrtc.main([]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=nvrtc.PACKAGE.parent,
    )
    assert done.returncode == 2
    assert "is not installed: pip install nvidia-cuda-nvrtc-cu12" in done.stdout
