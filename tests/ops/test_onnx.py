"""The ONNX project's own conformance vectors: what another project expects of us.

The package `onnx` holds models of a single node with inputs and expected outputs, for
every operator of the standard; those it made itself ("node") and those it took from
PyTorch's tests ("converted"). Each one with images of one or two dimensions runs here
through minifcn.ops; what is left out stands in SKIPPED with its reason.

Source: https://github.com/onnx/onnx/tree/main/onnx/backend/test
"""

import fnmatch
import importlib
import pkgutil
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from minifcn import Tensor, ops

onnx = pytest.importorskip("onnx", reason="the package onnx is not installed")
from onnx.backend.test import case as onnx_cases  # noqa: E402
from onnx.backend.test.case import node as onnx_nodes  # noqa: E402

MODULES = (  # of onnx.backend.test.case.node; the last one has had two names
    *("conv", "convtranspose", "maxpool", "averagepool", "maxunpool", "lrn"),
    *("softmax", "logsoftmax", "negativeloglikelihoodloss"),
    *("softmaxcrossentropy", "softmax_cross_entropy_loss"),
)

SKIPPED = {  # pattern of names: reason
    "*_expanded*": "the same case as the node it expands, in many nodes we do not have",
    "test_AvgPool1d*": "several nodes: it squeezes and unsqueezes too",
    "test_Softmin": "several nodes: it negates too",
    "test_*pool_3d_*": "three-dimensional",
    "test_convtranspose_3d": "three-dimensional",
    "test_AvgPool3d*": "three-dimensional",
    "test_Conv3d*": "three-dimensional",
    "test_MaxPool3d*": "three-dimensional",
    "test_maxpool_2d_uint8": "uint8; the operators take float32 and float64",
}
LEAST = {"node": 114, "converted": 37}  # vectors that ran when this was written

# Expected outputs that stand in the package with four digits.
ROUNDED = "test_averagepool_2d_ceil_last_window_starts_on_pad"


class Vector(NamedTuple):
    """A model with its inputs and the outputs that ONNX expects of it."""

    kind: str
    model: Any
    inputs: list[np.ndarray]
    outputs: list[np.ndarray]

    @property
    def nodes(self):
        return self.model.graph.node

    @property
    def attributes(self):
        values = {
            a.name: onnx.helper.get_attribute_value(a) for a in self.nodes[0].attribute
        }
        return {k: v.decode() if isinstance(v, bytes) else v for k, v in values.items()}


def skip_reason(name):
    matching = (SKIPPED[p] for p in SKIPPED if fnmatch.fnmatchcase(name, p))
    return next(matching, None)


# ---- the operators of the standard, by ours; all take and return arrays


def call(op, *arrays, **arguments):
    """Arrays in, array out."""
    given = [None if x is None else Tensor(np.array(x)) for x in arrays]
    return op(*given, **arguments).data


def flat(x):
    """An array with one spatial axis as an image (or filter) of height 1."""
    return x[:, :, None] if x is not None and x.ndim == 3 else x


def pair(values, missing):
    """(height, width); where only a width is given the height is `missing`."""
    values = [missing] * 2 if values is None else list(values)
    return tuple([missing] * (2 - len(values)) + values)


class Geometry(NamedTuple):
    """The attributes of a node that slides windows over an image."""

    kernel: tuple
    stride: tuple
    dilation: tuple
    auto_pad: str
    pads: tuple | None  # ((top, bottom), (left, right))

    @classmethod
    def of(cls, attributes, kernel=None):
        kernel = pair(attributes.get("kernel_shape", kernel), 1)
        stride = pair(attributes.get("strides"), 1)
        dilation = pair(attributes.get("dilations"), 1)
        ends = attributes.get("pads", [0] * 4)
        half = len(ends) // 2
        pads = tuple(zip(pair(ends[:half], 0), pair(ends[half:], 0)))
        return cls(kernel, stride, dilation, attributes.get("auto_pad", "NOTSET"), pads)

    def spans(self):
        return [(k - 1) * d + 1 for k, d in zip(self.kernel, self.dilation)]

    def shared_out(self, totals):
        """Halve what is added to each axis; the odd pixel where auto_pad wants it."""
        halves = [(total // 2, total - total // 2) for total in totals]
        upper = self.auto_pad == "SAME_UPPER"
        return tuple(half if upper else half[::-1] for half in halves)

    def padding(self, size):
        """((top, bottom), (left, right)) for an image of this size."""
        if not self.auto_pad.startswith("SAME"):
            return self.pads
        totals = [
            max(0, (-(-n // s) - 1) * s + span - n)  # an output of ceil(n / s)
            for n, s, span in zip(size, self.stride, self.spans())
        ]
        return self.shared_out(totals)


def conv(attributes, x, weight, bias=None):
    g = Geometry.of(attributes, weight.shape[2:])
    x, weight = flat(x), flat(weight)
    y = call(
        ops.conv2d,
        *(x, weight, bias),
        stride=g.stride,
        padding=g.padding(x.shape[2:]),
        dilation=g.dilation,
        groups=attributes.get("group", 1),
    )
    return [y]


def conv_transpose(attributes, x, weight, bias=None):
    g = Geometry.of(attributes, weight.shape[2:])
    x, weight, extra = flat(x), flat(weight), pair(attributes.get("output_padding"), 0)
    size = x.shape[2:]
    wanted = attributes.get("output_shape")
    if wanted is None and g.auto_pad.startswith("SAME"):
        wanted = [n * s for n, s in zip(size, g.stride)]
    padding = g.pads
    if wanted is not None:
        full = [(n - 1) * s + w for n, s, w in zip(size, g.stride, g.spans())]
        cut = [f + e - n for f, e, n in zip(full, extra, wanted)]
        padding = g.shared_out([max(0, c) for c in cut])
        extra = tuple(e + max(0, -c) for e, c in zip(extra, cut))
    y = call(
        ops.conv_transpose2d,
        *(x, weight, bias),
        stride=g.stride,
        padding=padding,
        output_padding=extra,
        groups=attributes.get("group", 1),
        dilation=g.dilation,
    )
    return [y]


def pooling(attributes, x, fill):
    """The image to pool and how; padding wider than half a window is laid on before."""
    g, x = Geometry.of(attributes), flat(x)
    padding = g.padding(x.shape[2:])
    if any(2 * max(ends) > span for ends, span in zip(padding, g.spans())):
        x, padding = call(ops.pad, x, padding=padding, value=fill), 0
    how = dict(stride=g.stride, padding=padding, dilation=g.dilation)
    how |= dict(kernel_size=g.kernel, ceil_mode=bool(attributes.get("ceil_mode", 0)))
    return x, how


def max_pool(attributes, x):
    x, how = pooling(attributes, x, -np.inf)
    y, indices = ops.max_pool2d(Tensor(x), **how, return_indices=True)
    N, C, H, W = x.shape  # no vector asks where a maximum was in an image padded before
    if attributes.get("storage_order", 0) == 1:  # down the columns first
        indices = indices % W * H + indices // W
    planes = np.arange(N * C).reshape(N, C, 1, 1)  # theirs number the whole tensor
    return [y.data, indices + planes * H * W]


def average_pool(attributes, x):
    include = bool(attributes.get("count_include_pad", 0))
    wide, how = pooling(attributes, x, 0)
    y = call(ops.avg_pool2d, wide, **how, count_include_pad=include)
    if include or how["padding"] != 0:
        return [y]
    inside, how = pooling(attributes, np.ones_like(x), 0)  # what share was no padding
    return [y / call(ops.avg_pool2d, inside, **how)]


def max_unpool(attributes, x, indices, output_shape=None):
    g = Geometry.of(attributes)
    small = [(n - 1) * s + k for n, s, k in zip(x.shape[2:], g.stride, g.kernel)]
    size = small if output_shape is None else list(output_shape[2:])
    # Theirs number the smallest output, over the whole tensor; ours each plane given.
    rows, cols = np.divmod(indices % np.prod(small), small[1])
    y = ops.max_unpool2d(
        Tensor(x), rows * size[1] + cols, g.kernel, g.stride, output_size=tuple(size)
    )
    return [y.data]


def lrn(attributes, x):
    constants = {k: attributes[k] for k in ("alpha", "beta") if k in attributes}
    k = attributes.get("bias", 1.0)
    return [call(ops.local_response_norm, x, size=attributes["size"], k=k, **constants)]


def softmax(attributes, x):
    return [call(ops.softmax, x, dim=attributes.get("axis", -1))]


def log_softmax(attributes, x):
    return [call(ops.log_softmax, x, dim=attributes.get("axis", -1))]


def nll_loss(attributes, x, target, weight=None, op="nll_loss"):
    loss = getattr(ops, op)(
        Tensor(x),
        target,
        weight=weight,
        ignore_index=attributes.get("ignore_index", -100),  # no class has this number
        reduction=attributes.get("reduction", "mean"),
    )
    return [loss.data]


def cross_entropy(attributes, x, target, weight=None):
    loss = nll_loss(attributes, x, target, weight, op="cross_entropy")
    return [*loss, call(ops.log_softmax, x, dim=1)]


TRANSLATIONS = {
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "MaxPool": max_pool,
    "AveragePool": average_pool,
    "MaxUnpool": max_unpool,
    "LRN": lrn,
    "Softmax": softmax,
    "LogSoftmax": log_softmax,
    "NegativeLogLikelihoodLoss": nll_loss,
    "SoftmaxCrossEntropyLoss": cross_entropy,
}


# ---- the vectors


def node_vectors():
    """Those that the package computes when its modules are imported."""
    state = np.random.get_state()  # noqa: NPY002
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in pkgutil.iter_modules(onnx_nodes.__path__):
            if module.name in MODULES:
                importlib.import_module(f"{onnx_nodes.__name__}.{module.name}")
    np.random.set_state(state)  # noqa: NPY002
    return {
        case.name: Vector("node", case.model, *map(list, case.data_sets[0]))
        for case in onnx_nodes._NodeTestCases
    }


def read_arrays(folder, pattern):
    files = sorted(folder.glob(pattern), key=lambda path: (len(path.name), path.name))
    return [onnx.numpy_helper.to_array(onnx.load_tensor(path)) for path in files]


def converted_vectors():
    """Those that lie in the package as files."""
    data, found = Path(onnx_cases.__file__).parent.parent / "data", {}
    for path in sorted(data.glob("pytorch-*/*/model.onnx")):
        folder, model = path.parent / "test_data_set_0", onnx.load(path)
        given = read_arrays(folder, "input_*.pb")
        weights = [onnx.numpy_helper.to_array(t) for t in model.graph.initializer]
        inputs = given if len(given) > 1 else given + weights
        outputs = read_arrays(folder, "output_*.pb")
        found[path.parent.name] = Vector("converted", model, inputs, outputs)
    return found


def of_our_operators(vectors):
    """Those in which one of the operators here has a part."""
    return {
        name: vector
        for name, vector in vectors.items()
        if {node.op_type for node in vector.nodes} & set(TRANSLATIONS)
        or (name.partition("_expanded")[0] in vectors and "_expanded" in name)
    }


VECTORS = of_our_operators(node_vectors() | converted_vectors())


def compare(actual, expected, tolerance=1e-5):
    if expected.ndim == 3 and actual.ndim == 4:
        actual = actual[:, :, 0]  # the height of 1 that `flat` added
    assert actual.shape == expected.shape
    assert actual.dtype == expected.dtype
    exact = expected.dtype.kind == "i"  # where a maximum was
    rtol = 0 if exact else tolerance
    atol = 0.1 * rtol * np.abs(expected).max(initial=0)
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=atol)


def run(vector):
    (node,) = vector.nodes
    results = TRANSLATIONS[node.op_type](vector.attributes, *vector.inputs)
    assert len(results) >= len(vector.outputs) > 0
    for actual, expected in zip(results, vector.outputs):
        rounded = vector.model.graph.name == ROUNDED
        compare(actual, expected, 1e-3 if rounded else 1e-5)


@pytest.mark.parametrize("name", sorted(VECTORS))
def test_vector(name):
    if reason := skip_reason(name):
        pytest.skip(reason)
    run(VECTORS[name])


def test_no_vector_of_floating_images_is_left_out():
    for name, (_, model, (x, *_), _) in VECTORS.items():
        alone = len(model.graph.node) == 1 and "_expanded" not in name
        if alone and x.ndim <= 4 and x.dtype.kind == "f":
            assert skip_reason(name) is None


def test_no_vector_vanished():
    taken = [vector for name, vector in VECTORS.items() if not skip_reason(name)]
    for kind, least in LEAST.items():
        assert sum(vector.kind == kind for vector in taken) >= least
    assert {vector.nodes[0].op_type for vector in taken} == set(TRANSLATIONS)
    for pattern in SKIPPED:
        assert fnmatch.filter(VECTORS, pattern), f"{pattern} skips nothing"


# ---- the check itself: operators that ignore an argument must not pass


def fails(vector):
    try:
        run(vector)
    except (AssertionError, ValueError):
        return True
    return False


@pytest.mark.parametrize(
    "node, name, argument",
    [
        *(("Conv", "conv2d", a) for a in ("stride", "padding", "dilation", "groups")),
        *(
            ("ConvTranspose", "conv_transpose2d", a)
            for a in ("stride", "padding", "output_padding", "groups", "dilation")
        ),
        *(
            ("MaxPool", "max_pool2d", a)
            for a in ("stride", "padding", "dilation", "ceil_mode")
        ),
        *(
            ("AveragePool", "avg_pool2d", a)
            for a in ("stride", "padding", "dilation", "ceil_mode", "count_include_pad")
        ),
        ("MaxUnpool", "max_unpool2d", "output_size"),
        *(("LRN", "local_response_norm", a) for a in ("alpha", "beta", "k")),
        ("Softmax", "softmax", "dim"),
        ("LogSoftmax", "log_softmax", "dim"),
        *(
            ("NegativeLogLikelihoodLoss", "nll_loss", a)
            for a in ("weight", "ignore_index", "reduction")
        ),
        *(
            ("SoftmaxCrossEntropyLoss", "cross_entropy", a)
            for a in ("weight", "ignore_index", "reduction")
        ),
    ],
)
def test_ignoring_an_argument_fails(monkeypatch, node, name, argument):
    right = getattr(ops, name)

    def wrong(*inputs, **arguments):
        arguments.pop(argument, None)
        return right(*inputs, **arguments)

    monkeypatch.setattr(ops, name, wrong)
    vectors = [v for n, v in VECTORS.items() if not skip_reason(n)]
    assert any(fails(v) for v in vectors if v.nodes[0].op_type == node)
