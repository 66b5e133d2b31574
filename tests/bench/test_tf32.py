"""TF32: off unless asked for, on the environment variable that CuPy goes by.

That CuPy's products then differ is seen only on a GPU, and not tested here.
"""

import os
import sys
from types import ModuleType

import pytest

from minifcn import arrays
from minifcn.cli import main


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch):
    monkeypatch.setenv("CUPY_TF32", "")
    monkeypatch.delitem(sys.modules, "cupy", raising=False)


def test_it_is_off_until_it_is_set():
    assert not arrays.has_tf32()
    arrays.set_tf32(True)
    assert os.environ["CUPY_TF32"] == "1"
    assert arrays.has_tf32()
    arrays.set_tf32(False)
    assert os.environ["CUPY_TF32"] == "0"
    assert not arrays.has_tf32()


@pytest.mark.parametrize("allowed", [True, False])
def test_after_cupy_it_is_too_late(monkeypatch, allowed):
    monkeypatch.setenv("CUPY_TF32", str(int(not allowed)))
    monkeypatch.setitem(sys.modules, "cupy", ModuleType("cupy"))
    with pytest.raises(ValueError, match=rf"call .*set_tf32\({allowed}\) before"):
        arrays.set_tf32(allowed)
    assert arrays.has_tf32() != allowed
    arrays.set_tf32(not allowed)  # as it is: nothing to say


@pytest.mark.parametrize("before", ["0", "1"])
@pytest.mark.parametrize("flags", [[], ["--tf32"]])
def test_the_flag_decides_with_device_cuda(monkeypatch, capsys, flags, before):
    monkeypatch.setenv("CUPY_TF32", before)

    def none_here():
        raise ValueError("no GPU")

    monkeypatch.setattr(arrays, "cupy", none_here)
    assert main(["verify", "--device", "cuda", "--only", "relu", *flags]) == 2
    assert "no GPU" in capsys.readouterr().err
    assert os.environ["CUPY_TF32"] == str(len(flags))


@pytest.mark.parametrize("device", ["cpu", "emulated"])
def test_the_flag_is_refused_elsewhere(capsys, device):
    assert main(["verify", "--device", device, "--tf32", "--list"]) == 2
    assert f"--tf32 goes with --device cuda, and it is {device}" in (
        capsys.readouterr().err
    )
    assert os.environ["CUPY_TF32"] == ""
