"""What the tests of kernels share."""

from pathlib import Path

import numpy as np
import pytest

from minifcn.cuda import Kernels
from minifcn.cuda.nvrtc import PACKAGE
from minifcn.emulated import NoCompiler, compiler, to_emulated

HERE = Path(__file__).parent
SUMS = Kernels(HERE / "kernels" / "sums.cu")
SAMPLE = Kernels(HERE / "kernels" / "sample.cu")
FILES = sorted(PACKAGE.rglob("*.cu"))


def why_no_compiler():
    """What is missing; "" where the emulated device can be had."""
    try:
        compiler()
    except NoCompiler as error:
        return str(error)
    return ""


needs_compiler = pytest.mark.skipif(
    bool(why_no_compiler()), reason=why_no_compiler() or "a compiler is here"
)


def put(*values, dtype="float32"):
    """Numbers on the emulated device."""
    return to_emulated(np.array(values, dtype))


def zeros(count, dtype="float32"):
    return to_emulated(np.zeros(count, dtype))
