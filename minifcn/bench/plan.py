"""What every kernel must move and compute: its limit, before anything is measured.

    python -m minifcn.bench.plan

writes the table into tests/benchmarks/README.md anew.

Bytes are the least there can be: every number is read from memory once and written
once, however often the caches serve it again. An addition, a product, a quotient, a
comparison of floats and one exp, log or pow count as one operation each (the last three
cost more), whole numbers as none. float32 throughout.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path

BANDWIDTH = 4.8e12  # bytes/s of an H200, as published
ARITHMETIC = 67e12  # float32 operations/s of an H200, outside of its tensor cores
README = Path(__file__).resolve().parents[2] / "tests" / "benchmarks" / "README.md"
BEGIN, END = "<!-- plan -->", "<!-- end of plan -->"

Map = tuple[int, int, int, int]  # N C H W

# FCN-8s on one image of 500 × 500 in Caffe's geometry, 21 classes.
VGG16: Mapping[str, Map] = {
    "conv1_2": (1, 64, 698, 698),
    "fc6": (1, 4096, 16, 16),
    "fc6.weight": (4096, 512, 7, 7),
    "coarse": (1, 21, 63, 63),  # scores at 1/8
    "score": (1, 21, 500, 500),
}
F, K, POOL, WINDOW = 8, 3, 2, 5  # upsampling, convolution, pooling, normalization


@dataclass(frozen=True)
class Plan:
    """One call of a kernel.

    Attributes:
        file, kernel: whose it is; "cuBLAS" for a matrix product.
        at: the map of `VGG16` that it works on.
        items: how many its threads share.
        read, written: bytes.
        flops: operations on floats.
        bound: what limits it, where that is neither memory nor arithmetic.
    """

    file: str
    kernel: str
    at: str
    items: int
    read: int
    written: int
    flops: int
    bound: str = ""

    @property
    def intensity(self) -> float:
        """Operations for each byte."""
        return self.flops / (self.read + self.written)

    @property
    def limit(self) -> str:
        """What limits it."""
        ridge = ARITHMETIC / BANDWIDTH
        return self.bound or ("compute" if self.intensity > ridge else "memory")

    @property
    def seconds(self) -> float:
        """The least time that memory and arithmetic allow."""
        memory = (self.read + self.written) / BANDWIDTH
        return max(memory, self.flops / ARITHMETIC)


def plans(maps: Mapping[str, Map] = VGG16) -> list[Plan]:
    """Return a plan for each kernel there is, in the order of files and kernels."""
    rows = [
        *_elementwise(maps),
        *_pooling(maps),
        *_windows(maps),
        *_moving(maps),
        *_softmax(maps),
        *_losses(maps),
        *_counting(maps),
    ]
    return sorted(rows, key=lambda plan: (plan.file, plan.kernel))


def products(maps: Mapping[str, Map] = VGG16) -> list[Plan]:
    """Return plans of convolutions as one matrix product, forward, by cuBLAS."""
    N, C, H, W = maps["conv1_2"]
    O, D, KH, KW = maps["fc6.weight"]
    pixels = prod(maps["fc6"]) // O
    return [
        _product("conv1_2", C, C * K * K, N * H * W),
        _product("fc6", O, D * KH * KW, pixels),
    ]


def _product(at: str, rows: int, inner: int, columns: int) -> Plan:
    read = 4 * (rows * inner + inner * columns)
    flops = 2 * rows * inner * columns
    out = rows * columns
    return Plan("cuBLAS", "matmul", at, out, read, 4 * out, flops)


def _elementwise(maps: Mapping[str, Map]) -> list[Plan]:
    n, fc, w = (prod(maps[name]) for name in ("conv1_2", "fc6", "fc6.weight"))
    O = maps["fc6"][1]
    s, at = prod(maps["score"]), "conv1_2"
    return [
        Plan("activation", "relu", at, n, 4 * n, 4 * n, n),
        Plan("activation", "relu_backward", at, n, 8 * n, 4 * n, 2 * n),
        # scaling what was drawn, comparing it, multiplying
        Plan("activation", "dropout", "fc6", fc, 4 * fc, 4 * fc, 3 * fc),
        # bias, ReLU, and dropout's three
        Plan("epilogue", "epilogue", "fc6", fc, 4 * (fc + O), 4 * fc, 5 * fc),
        Plan("fusion", "maximum", "score", s, 8 * s, 4 * s, 2 * s),
        Plan("fusion", "maximum_backward", "score", s, 12 * s, 8 * s, 4 * s),
        Plan("optim", "sgd", "fc6.weight", w, 12 * w, 8 * w, 7 * w),
    ]


def _pooling(maps: Mapping[str, Map]) -> list[Plan]:
    """2 × 2, stride 2: each pixel is in one window."""
    at = "conv1_2"
    N, C, H, W = maps[at]
    n, window = prod(maps[at]), (H // POOL) * (W // POOL)
    o, taps = N * C * window, POOL * POOL
    divisor = 4 * window
    return [
        Plan("averaging", "avg_pool_divisor", at, window, 0, divisor, 0),
        Plan(
            "averaging",
            "avg_pool",
            at,
            o,
            4 * n + divisor,
            4 * o,
            (taps + POOL + 1) * o,
        ),
        Plan("averaging", "avg_pool_backward", at, n, 4 * o + divisor, 4 * n, 3 * n),
        Plan("pooling", "max_pool", at, o, 4 * n, 4 * o, 3 * taps * o),
        Plan("pooling", "max_pool_indices", at, o, 4 * n + 4 * o, 8 * o, taps * o),
        # Each pixel is compared with its window's maximum, and few go on.
        Plan(
            "pooling",
            "max_pool_backward",
            at,
            n,
            4 * n + 8 * o,
            4 * n,
            n + (taps + 1) * o,
        ),
        Plan("unpooling", "last_windows", at, o, 8 * o, 8 * o, 0, "atomics"),
        Plan("unpooling", "max_unpool", at, n, 8 * n + 4 * o, 4 * n, 0),
        # The pixels that the indices name lie scattered; whole sectors come along.
        Plan("unpooling", "max_unpool_backward", at, o, 20 * o, 4 * o, 0),
    ]


def _windows(maps: Mapping[str, Map]) -> list[Plan]:
    at, taps = "conv1_2", K * K
    n = prod(maps[at])
    norm, back = 2 * WINDOW + 4, 3 * WINDOW + 3
    return [
        Plan("im2col", "im2col", at, n, 4 * n, 4 * taps * n, 0),
        Plan("im2col", "col2im", at, n, 4 * taps * n, 4 * n, taps * n),
        Plan("normalization", "response_norm", at, n, 4 * n, 8 * n, norm * n),
        Plan("normalization", "response_norm_backward", at, n, 12 * n, 4 * n, back * n),
    ]


def _moving(maps: Mapping[str, Map]) -> list[Plan]:
    s, coarse = prod(maps["score"]), prod(maps["coarse"])
    dense, rows = F * F * coarse, F * coarse
    # Two rows of two pixels, each with its triangle.
    up = 2 * (2 * 4 + 4)
    return [
        Plan("resampling", "cut", "score", s, 4 * s, 4 * s, 0),
        Plan("resampling", "deinterleave", "score", s, 4 * s, 4 * s, 0),
        Plan("resampling", "interleave", "score", s, 4 * s, 4 * s, 0),
        Plan(
            "upsampling", "upsample", "coarse", dense, 4 * coarse, 4 * dense, up * dense
        ),
        # Along the rows; the columns come after, with 1/F of it.
        Plan(
            "upsampling",
            "gather_axis",
            "coarse",
            F * coarse,
            4 * dense,
            4 * rows,
            4 * 2 * F * rows,
        ),
    ]


def _softmax(maps: Mapping[str, Map]) -> list[Plan]:
    """A thread walks over its C scores two or three times; memory gives them once."""
    s = prod(maps["score"])
    p = s // maps["score"][1]  # pixels
    file, at = "softmax", "score"
    return [
        Plan(file, "softmax", at, p, 4 * s, 4 * s, 7 * s),
        Plan(file, "softmax_backward", at, p, 8 * s, 4 * s, 4 * s),
        Plan(file, "log_softmax", at, p, 4 * s, 4 * s, 6 * s + p),
        Plan(file, "log_softmax_backward", at, p, 8 * s, 4 * s, 4 * s),
    ]


def _losses(maps: Mapping[str, Map]) -> list[Plan]:
    """Classes are 8 bytes each, weights and losses 4."""
    s, C = prod(maps["score"]), maps["score"][1]
    p = s // C
    file, at = "softmax", "score"
    both = 7 * s + 4 * p
    return [
        Plan(file, "pixel_weights", at, p, 8 * p + 4 * C, 12 * p, 0),
        Plan(file, "nll_loss", at, p, 16 * p, 4 * p, 2 * p),  # one score of each C
        Plan(file, "nll_loss_backward", at, p, 12 * p, 4 * s, p),
        Plan(file, "cross_entropy", at, p, 4 * s + 12 * p, 4 * s + 4 * p, both),
        Plan(file, "cross_entropy_backward", at, p, 4 * s + 12 * p, 4 * s, 2 * s),
    ]


def _counting(maps: Mapping[str, Map]) -> list[Plan]:
    from minifcn.ops import summing

    s, C = prod(maps["score"]), maps["score"][1]
    p = s // C
    shares = min(-(-p // (summing.THREADS * summing.EACH)), summing.MOST_SHARES)
    threads, table = summing.THREADS * shares, 8 * (C * C + 1)
    return [
        # The sum of the losses of all pixels, in float64.
        Plan("summing", "channel_sums", "score", threads, 4 * p, 8 * shares, p),
        Plan("metrics", "most_likely", "score", p, 4 * s, 8 * p, 3 * (s - p)),
        Plan("metrics", "count_pairs", "score", p, 16 * p, table, 0, "atomics"),
        Plan("pictures", "paint", "score", 3 * p, p + 3 * 256, 3 * p, 0),
    ]


def table(rows: list[Plan]) -> str:
    """Lay plans out in Markdown."""
    lines = [
        "| kernel | at | work items | MB read | MB written | flops per item "
        "| flops per byte | limit | least time |",
        "|---|---|--:|--:|--:|--:|--:|---|--:|",
    ]
    lines += [
        f"| {p.file} `{p.kernel}` | {p.at} | {p.items:,} | {p.read / 1e6:,.2f} | "
        f"{p.written / 1e6:,.2f} | {p.flops / p.items:,.4g} | {p.intensity:.2f} | "
        f"{p.limit} | {p.seconds * 1e6:,.1f} µs |"
        for p in rows
    ]
    return "\n".join(lines)


def rewritten(text: str) -> str:
    """Return the README's text with its table anew."""
    head, rest = text.split(BEGIN)
    _, tail = rest.split(END)
    whole = f"{table(plans())}\n\nMatrix products, for comparison:\n\n"
    return f"{head}{BEGIN}\n{whole}{table(products())}\n{END}{tail}"


if __name__ == "__main__":
    text = README.read_text(encoding="utf-8")
    README.write_text(rewritten(text), encoding="utf-8")
