"""The plan of bytes and operations: one for each kernel, as the operators launch it."""

import re
from pathlib import Path

import numpy as np
import pytest

import minifcn
from minifcn import Tensor, arrays, metrics, nn, ops, optim, pictures
from minifcn.bench import plan
from minifcn.cuda import launch, source
from minifcn.ops import summing

PACKAGE = Path(minifcn.__file__).parent
KERNELS = {
    (path.stem, name)
    for path in PACKAGE.rglob("*.cu")
    for name in source.read(path).kernels
}
SMALL = {
    "conv1_2": (2, 3, 6, 10),
    "fc6": (1, 3, 2, 4),
    "fc6.weight": (2, 3, 3, 5),
    "coarse": (2, 3, 4, 5),
    "score": (2, 3, 8, 12),
}
READ_TOO = {"sgd", "cross_entropy_backward"}  # read what they write over
# Arrays that are larger than what is touched of them.
PARTLY = {
    ("last_windows", "written"),  # a pixel for each window
    ("max_unpool_backward", "read"),  # the same pixels
    ("nll_loss", "read"),  # one score of each C
    ("cut", "read"),  # the part that stays
}


def test_every_kernel_has_one_plan():
    rows = [(row.file, row.kernel) for row in plan.plans()]
    assert len(rows) == len(set(rows))
    assert set(rows) == KERNELS


def test_readme_has_the_table_of_now():
    if not plan.README.exists():
        pytest.skip("the tests are not beside the package")
    text = plan.README.read_text(encoding="utf-8")
    assert plan.rewritten(text) == text, "run: python -m minifcn.bench.plan"
    for file, kernel in KERNELS:
        assert re.search(rf"^\| {file} `{kernel}` \|", text, re.MULTILINE)


def test_limits():
    row = plan.Plan("a", "b", "c", 10, 3, 1, 56)
    assert row.intensity == 14
    assert row.limit == "compute"  # the ridge is 67 / 4.8 = 13.96
    assert row.seconds == pytest.approx(56 / 67e12)
    row = plan.Plan("a", "b", "c", 10, 3, 1, 55)
    assert row.limit == "memory"
    assert row.seconds == pytest.approx(4 / 4.8e12)


def test_conv1_2_by_hand():
    rows = {row.kernel: row for row in plan.plans()}
    pixels = 698 * 698
    assert rows["im2col"].written == 4 * 280_629_504  # as cuda/kernel.h has it
    assert rows["max_pool"].items == 64 * 349 * 349
    product = plan.products()[0]
    assert product.flops == 2 * 64 * 576 * pixels
    assert product.read == 4 * (64 * 576 + 576 * pixels)


def test_items_and_bytes_are_those_launched(monkeypatch, rng):
    device = "emulated"
    try:
        arrays.check_device(device)
    except ValueError as error:
        pytest.skip(str(error))
    launched = {}

    def spy(source, kernel, size, *arguments):
        read = written = 0
        for parameter, argument in zip(kernel.parameters, arguments, strict=True):
            if parameter.is_written:
                written += argument.nbytes
            if parameter.is_array and (
                not parameter.is_written or kernel.name in READ_TOO
            ):
                read += argument.nbytes
        launched.setdefault(kernel.name, (size, read, written))  # the first
        return real(source, kernel, size, *arguments)

    real = launch.launch
    monkeypatch.setattr(launch, "launch", spy)
    _launch_all(rng, device)
    rows = {row.kernel: row for row in plan.plans(SMALL)}
    assert launched.keys() == rows.keys()
    for name, (items, read, written) in launched.items():
        row = rows[name]
        assert row.items == items, name
        for side, true, planned in (
            ("read", read, row.read),
            ("written", written, row.written),
        ):
            same = planned < true if (name, side) in PARTLY else planned == true
            assert same, f"{name}: {side} {true} bytes, planned {planned}"


def _launch_all(rng, device):
    """Run every kernel once, on the maps of SMALL."""

    def there(array):
        return arrays.to_device(array, device)

    def both(operator, name, *more, **how):
        x = Tensor(there(rng.normal(size=SMALL[name]).astype("f")), requires_grad=True)
        y = operator(x, *more, **how)
        y = y[0] if isinstance(y, tuple) else y
        y.backward(there(np.ones(y.shape, "f")))

    both(ops.relu, "conv1_2")
    both(ops.dropout, "fc6")
    both(ops.avg_pool2d, "conv1_2", 2)
    both(ops.max_pool2d, "conv1_2", 2, return_indices=True)
    both(
        lambda x: ops.max_unpool2d(*ops.max_pool2d(x, 2, return_indices=True), 2),
        "conv1_2",
    )
    both(ops.im2col, "conv1_2", 3, padding=1)
    both(ops.local_response_norm, "conv1_2", 5)
    both(ops.deinterleave, "score", 4)
    both(ops.upsample, "coarse", 8)
    both(ops.softmax, "score", 1)
    both(ops.log_softmax, "score", 1)
    N, C, H, W = SMALL["score"]
    score = rng.normal(size=(N, C, H, W)).astype("f")
    both(lambda x: ops.maximum(x, Tensor(there(score))), "score")
    target = there(rng.integers(0, C, (N, H, W)))
    both(ops.nll_loss, "score", target)
    both(ops.cross_entropy, "score", target)
    whole = Tensor(there(np.pad(score, [(0, 0), (0, 0), (1, 2), (2, 1)])))
    launched_cut = ops.crop(whole, (1, 2), (H, W))
    assert launched_cut.shape == (N, C, H, W)
    summing.total(there(score[:, 0]))
    kernel = Tensor(there(rng.normal(size=(3, 3, 1, 1)).astype("f")))
    bias = Tensor(there(rng.normal(size=3).astype("f")))
    both(ops.conv2d_relu, "fc6", kernel, bias, p=0.5)
    metrics.confusion_matrix(metrics.most_likely(there(score)), target, C)
    palette = np.zeros((C, 3), np.uint8)
    pictures.colour(there(np.zeros((N * H, W), np.uint8)), palette)
    weight = nn.Parameter(np.zeros(SMALL["fc6.weight"], "f"))
    weight.data = there(weight.data)
    weight.grad = there(np.ones(SMALL["fc6.weight"], "f"))
    optim.SGD([("w", weight)], 0.1, 0.9).step()
