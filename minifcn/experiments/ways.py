"""Ways from coarse scores to pixels: trained, gathered, with what each costs to count.

The same FCN-32s, whose trunk answers once for every 32 × 32 pixels, made dense:

(a) nearest            each pixel has the scores of its cell
(b) bilinear           fixed: the net as trained
(c) transposed         a transposed convolution that learns, the trunk as it is
(d) stack              five of them by 2, with ReLU between, that learn likewise
(e) shift-and-stitch   the trunk run on the image shifted by every number of pixels
(f) à trous            the trunk without strides, its filters with holes
(g) skips              scores of earlier pools added: FCN-16s and FCN-8s, staged

(e) and (f) give the same answers, at any output stride from 16 to 1; what is then left
to enlarge is done as in (b). In (g) the whole net goes on learning. So an FCN-32s that
did so for as many steps without a skip is there too, as a control: as (b), and as (f).

Source: Long, Shelhamer and Darrell 2015, sections 3.2, 3.3 and 4.2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from minifcn import Tensor, models, nn, ops
from minifcn.arrays import to_device
from minifcn.data import open_dataset
from minifcn.models import FCN
from minifcn.training.setup import choose_class_weights

from . import costs, enlarging
from .costs import Size
from .lab import Lab, Trained

STRIDES = (16, 8, 4, 2, 1)  # of shift-and-stitch and à trous
OWN = 8  # the stride at which FCN-8s answers

SHARE = 0.5  # of a whole training's steps in which an enlargement learns
# The rates of least loss on training images, of 0.1 to 100, and of 0.001 to 0.1.
RATES = {"c": 10.0, "d": 0.04}


class Way(NamedTuple):
    """A way to dense scores.

    Attributes:
        name: as the table has it.
        stride: of the answers, before an enlargement to pixels.
        net: images (N, 3, H, W) → scores (N, classes, H, W), in evaluation mode.
        count: the multiply-adds over an image of a size.
        learned: how many parameters were learned, in all.
        anew: those of them that the coarse net has not.
    """

    name: str
    stride: int
    net: nn.Module
    count: Callable[[Size], int]
    learned: int
    anew: int = 0


Ways = Mapping[str, Way]


class Stitched(nn.Module):
    """An FCN of one stream, by shift-and-stitch at an output stride."""

    def __init__(self, net: FCN, stride: int) -> None:
        self.net, self.stride = net, stride
        self.training = net.training

    def forward(self, *inputs: Tensor) -> Tensor:
        """Images (N, 3, H, W) → scores (N, classes, H, W)."""
        return models.shift_and_stitch(self.net, inputs[0], self.stride)


def of_seeds(lab: Lab) -> list[Ways]:
    """Train what learns; return the ways of each seed, by key, (a) first."""
    coarse = lab.coarse_nets()
    sixteen = _go_on(lab, "fcn16s", "fcn16s", coarse)
    eight = _go_on(lab, "fcn8s", "fcn8s", sixteen)
    longer = _go_on(lab, "fcn32s-longer", "fcn32s", coarse)
    longest = _go_on(lab, "fcn32s-longest", "fcn32s", longer)
    stages = zip(lab.seeds, coarse, sixteen, eight, longest, strict=True)
    return [_of_seed(lab, seed, *nets) for seed, *nets in stages]


def _go_on(lab: Lab, run: str, net: str, before: Sequence[Trained]) -> list[Trained]:
    """Train nets that begin as others, seed by seed, half as long as those."""
    recipes = [lab.recipe(net, 0.5, init_from=str(one.last)) for one in before]
    return lab.train_all(run, recipes)


def _of_seed(lab: Lab, seed: int, *trained: Trained) -> Ways:
    nets: Any = [one.net().to(lab.settings.device) for one in trained]
    coarse, sixteen, eight, longest = nets
    heads = learned(lab, coarse, seed)
    skips = skipped(coarse, {"g16": sixteen, "g8": eight})
    return enlarged(coarse, heads) | dense(coarse) | skips | controls(longest)


def enlarged(net: FCN, learned: Mapping[str, FCN]) -> dict[str, Way]:
    """Return (a) to (d), which keep the coarse net and change its enlargement."""
    nearest = enlarging.with_enlargement(net, enlarging.nearest(*_scale(net)))
    trunk, own = partial(costs.of_trunk, net), parameters(net)
    new = {key: nn.count_parameters(_head(other)) for key, other in learned.items()}
    transposed, stack = (learned[key] for key in "cd")

    def by_stack(size: Size) -> int:
        return trunk(size) + _head(stack).multiply_adds(costs.cells(net, size))

    a, b, c, d = "nearest", "fixed bilinear", "learned transposed", "learned stack"
    by_transposed = partial(models.multiply_adds, transposed)
    by_bilinear, f = partial(costs.of_fixed, net), _scale(net)[1]
    return {
        "a": Way(f"(a) {a}", f, nearest, trunk, own),
        "b": Way(f"(b) {b}", f, net, by_bilinear, own),
        "c": Way(f"(c) {c}", f, transposed, by_transposed, own + new["c"], new["c"]),
        "d": Way(f"(d) {d}", f, stack, by_stack, own + new["d"], new["d"]),
    }


def dense(net: FCN) -> dict[str, Way]:
    """Return (e) and (f) at every output stride."""
    found, own = {}, parameters(net)
    for s in STRIDES:
        count = partial(_dense_cost, net, s, "shift_and_stitch")
        stitched = Stitched(net, s)
        found[f"e{s}"] = Way("(e) shift-and-stitch", s, stitched, count, own)
    return found | {f"f{s}": _a_trous(net, s, "(f) à trous") for s in STRIDES}


def skipped(net: FCN, skips: Mapping[str, FCN]) -> dict[str, Way]:
    """Return (g), nets with skips that began as the coarse net."""
    found, before = {}, parameters(net)
    for key, other in skips.items():
        stride, own = int(key[1:]), parameters(other)
        count = partial(costs.of_fixed, other)
        name = f"(g) skips: FCN-{stride}s"
        found[key] = Way(name, stride, other, count, own, own - before)
    return found


def controls(net: FCN) -> dict[str, Way]:
    """Return (b) and (f) of the net that learned for as long as those with skips."""
    by_bilinear, own = partial(costs.of_fixed, net), parameters(net)
    bilinear = Way("(b) learned for longer", _scale(net)[1], net, by_bilinear, own)
    return {"b+": bilinear, "f+": _a_trous(net, OWN, "(f) learned for longer")}


def _a_trous(net: FCN, stride: int, name: str) -> Way:
    count = partial(_dense_cost, net, stride, "a_trous")
    return Way(name, stride, models.a_trous(net, stride), count, parameters(net))


def _dense_cost(net: FCN, stride: int, which: str, size: Size) -> int:
    return models.dense_costs(net, size, stride)[which]


def parameters(net: FCN) -> int:
    """Count what a net has learned: all but its fixed enlargements."""
    named = net.named_parameters()
    return sum(p.size for name, p in named if not name.startswith("upscore"))


def _scale(net: FCN) -> tuple[int, int]:
    """Return the number of classes, and by how much the coarse scores are enlarged."""
    return len(net.score_fr.weight), net.streams[0][1]


def _head(net: FCN) -> Any:
    return getattr(net, net.streams[0][0])


def learned(lab: Lab, net: FCN, seed: int) -> dict[str, FCN]:
    """Train enlargements (c) and (d) on the scores of a net that stays as it is.

    Both by the same batches, and by the loss that the net learned by, as a mean.
    """
    recipe, device = lab.recipe("fcn32s"), lab.settings.device
    images = open_dataset(recipe.data, recipe.train_split)
    weights = choose_class_weights(recipe, images)
    loss_of = partial(
        ops.cross_entropy,
        weight=None if weights is None else to_device(weights, device),
        ignore_index=images.ignore_index,
    )
    steps = max(1, round(SHARE * lab.steps))
    drawn = enlarging.draw(net, images, steps, seed, device)
    found = {}
    for key, make in {"c": enlarging.transposed, "d": enlarging.stack}.items():
        enlargement = make(*_scale(net))
        enlargement.layer.to(device)
        found[key] = enlarging.with_enlargement(net, enlargement)
        enlarging.learn(found[key], drawn, RATES[key], loss_of, device)
    return found
