"""Fully convolutional networks: FCN-32s, 16s and 8s on a VGG trunk.

    image → trunk → score_fr → enlarge → [+ score of an earlier pool → enlarge] → crop

and, for comparison, two that predict from an earlier pool alone: FCN-pool4 and pool3.

Every layer carries a coordinate map (see `geometry`), and each crop is worked out from
the maps of the two layers that it brings together: with Caffe's padding 19 for FCN-32s,
5 and 27 for 16s, 5, 9 and 31 for 8s.

Source: Long, Shelhamer and Darrell 2015, section 4; FCN-pool4 and pool3: 4.2.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from .. import nn, ops
from ..autograd import Tensor, is_recording
from ..geometry import CoordMap, Deconv, crop_offset
from . import strips
from .trunks import ConvLayer, Table, vgg

# How each network climbs back: (name of the enlargement, factor, pool added after it).
STREAMS: dict[str, tuple[tuple[str, int, str | None], ...]] = {
    "fcn32s": (("upscore", 32, None),),
    "fcn16s": (("upscore2", 2, "pool4"), ("upscore16", 16, None)),
    "fcn8s": (
        ("upscore2", 2, "pool4"),
        ("upscore_pool4", 2, "pool3"),
        ("upscore8", 8, None),
    ),
    "fcn_pool4": (("upscore16", 16, None),),
    "fcn_pool3": (("upscore8", 8, None),),
}

# What each network predicts from, if not from the trunk's end.
TOPS = {"fcn_pool4": "pool4", "fcn_pool3": "pool3"}

# How the scores of two streams become one.
FUSIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "sum": ops.add,
    "max": ops.maximum,
}

# The constants by which FCN-8s at once scales the pools, so that all three streams
# learn at a like pace from the start (the staged networks: 1).
AT_ONCE = {"pool4": 0.01, "pool3": 0.0001}


class FCN(nn.Module):
    """A trunk made fully convolutional, with skips and enlargements.

    Attributes:
        config: what `models.create` needs to build the same network again.
        crops: {name of a layer: offset of the crop that aligns it}, in pixels.
        beyond: the trunk's layers above the pool that it predicts from, which it
            therefore has not; () if it has the whole trunk.
        score_layer: name of the layer that scores the end of what it has.
    """

    score_fr: nn.Conv2d  # of nets with a whole trunk
    upscore: nn.Upsample  # of FCN-32s

    def __init__(
        self,
        table: Table,
        n_classes: int,
        streams: Sequence[tuple[str, int, str | None]],
        skip_scales: dict[str, float] | None = None,
        dropout: float = 0.5,
        learned_upsampling: bool = False,
        initialiser: str = "he",
        fusion: str = "sum",
        top: str | None = None,
    ):
        if fusion not in FUSIONS:
            raise ValueError(f"fusion is {fusion!r}; it must be 'sum' or 'max'")
        if initialiser not in nn.INITIALISERS:
            raise ValueError(
                f"initialiser is {initialiser!r}; it must be one of "
                f"{', '.join(nn.INITIALISERS)}"
            )
        if n_classes < 1:
            raise ValueError(f"n_classes is {n_classes}; it must be 1 or more")
        names = [layer.name for layer in table]
        height = len(table) if top is None else names.index(top) + 1
        self.table, self.beyond = table[:height], tuple(names[height:])
        self.score_layer = "score_fr" if top is None else f"score_{top}"
        self.streams, self.fusion = tuple(streams), fusion
        self.skip_scales = dict(skip_scales or {})
        self.config: dict[str, Any] = {}
        self.drop = nn.Dropout(dropout)  # one for fc6 and fc7: it keeps no state
        self.crops: dict[str, int] = {}
        widths = self._build_trunk(nn.INITIALISERS[initialiser])
        self._build_head(widths, n_classes, learned_upsampling)

    def _build_trunk(self, initialiser: Any) -> dict[str, int]:
        """Make the convolutions; return the number of channels after each layer."""
        channels, widths = 3, {}  # 3: the image's colours
        self.maps = {"data": CoordMap.identity()}
        here = CoordMap.identity()  # from pixels of the image to this layer's
        for layer in self.table:
            if isinstance(layer, ConvLayer):
                shape = layer.geometry
                conv = nn.Conv2d(
                    channels,
                    layer.channels,
                    shape.kernel,
                    shape.stride,
                    shape.padding,  # type: ignore[arg-type]
                    initialiser=initialiser,
                )
                setattr(self, layer.name, conv)
                channels = layer.channels
            # First from the image to the layer below, then through this one.
            here = layer.geometry.coord_map().compose(here)
            widths[layer.name], self.maps[layer.name] = channels, here
        return widths

    def _build_head(
        self, widths: dict[str, int], n_classes: int, learned: bool
    ) -> None:
        top = self.table[-1].name
        # A 1 × 1 kernel scores each pixel: (N, C, h, w) → (N, n_classes, h, w).
        score = nn.Conv2d(widths[top], n_classes, 1, initialiser=nn.zeros)
        setattr(self, self.score_layer, score)
        here = self.maps[top]
        for name, factor, pool in self.streams:
            up = nn.Upsample(n_classes, factor, learned=learned)
            setattr(self, name, up)
            here = Deconv(up.kernel_size, factor).coord_map().compose(here)
            if pool:
                score = nn.Conv2d(widths[pool], n_classes, 1, initialiser=nn.zeros)
                setattr(self, f"score_{pool}", score)
                # The sum lies where the stream lies that is not cropped.
                here = self._align(name, here, f"score_{pool}", self.maps[pool])
        # The last crop brings the scores back onto the image's pixels.
        self.crops[self.streams[-1][0]] = crop_offset(here, self.maps["data"])

    def _align(
        self, up: str, up_map: CoordMap, skip: str, skip_map: CoordMap
    ) -> CoordMap:
        """Note which of the two is to be cropped; return the other's map."""
        # The larger shift has the wider margin at the top left, and is cropped.
        if skip_map.shift >= up_map.shift:
            self.crops[skip] = crop_offset(skip_map, up_map)
            return up_map
        self.crops[up] = crop_offset(up_map, skip_map)
        return skip_map

    def coarse(self) -> nn.Sequential:
        """Return the layers up to `score_layer`, under their names, not enlarged.

        One score for every 32 × 32 pixels (pool4 alone: 16 × 16, pool3: 8 × 8); the
        modules are this network's own, not copies. `models.shift_and_stitch` and
        `models.a_trous` make it dense.
        """
        layers: dict[str, nn.Module] = {}
        for layer in self.table:
            shape = layer.geometry
            if isinstance(layer, ConvLayer):
                layers[layer.name] = getattr(self, layer.name)
                # Over the convolution's output, which it does not keep for backward.
                layers[f"relu_{layer.name}"] = nn.ReLU(inplace=True)
                if layer.dropout:
                    layers[f"drop_{layer.name}"] = self.drop
            else:
                layers[layer.name] = nn.MaxPool2d(
                    shape.kernel, shape.stride, ceil_mode=True
                )
        layers[self.score_layer] = getattr(self, self.score_layer)
        chain = nn.Sequential(**layers)
        chain.training = self.training
        return chain

    def forward(self, *inputs: Tensor) -> Tensor:
        """Images (N, 3, H, W), as of `data.to_input` → scores (N, n_classes, H, W).

        Raises:
            ValueError: the input has not this shape.
        """
        (x,) = inputs
        if x.ndim != 4 or x.shape[1] != 3:
            raise ValueError(f"x has shape {x.shape}; the network needs (N, 3, H, W)")
        size = x.shape[2:]  # (H, W)
        y, pools = self._run_coarse(x)  # (N, n_classes, h, w), {name: (N, C, h, w)}
        for name, _, pool in self.streams:
            y = getattr(self, name)(y)  # about factor times as large
            if pool:
                # Popped, so that it is freed once used.
                y = self._fuse(name, y, pool, pools.pop(pool))
        # (N, n_classes, H, W), as large as the images.
        return ops.crop(y, self.crops[self.streams[-1][0]], size)

    def _run_coarse(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Run the coarse stream; return its scores, and the pools of the skips."""
        wanted = {pool for _, _, pool in self.streams}
        kept = {}
        for name, step in self._steps():
            x = step(x)
            if name in wanted:
                kept[name] = x
        return x, kept

    def _steps(self) -> Iterator[tuple[str, nn.Step]]:
        """Yield the coarse stream's steps; without a tape, a block at a time in strips.

        A block ends with a pool, whose name it has. Its larger maps then never exist as
        a whole.
        """
        layers = list(self.coarse().children())
        if is_recording():
            yield from nn.fused(layers)
            return
        block: list[nn.Module] = []
        for name, layer in layers:
            block.append(layer)
            if isinstance(layer, nn.MaxPool2d):
                yield name, partial(strips.run, block)
                block = []
        yield from nn.fused(layers[len(layers) - len(block) :])

    def _fuse(self, up: str, y: Tensor, pool: str, skip: Tensor) -> Tensor:
        """Score the pool, crop it or the enlarged scores, and fuse the two."""
        # A pool scaled down scales down the gradient of its score's weight, too.
        if pool in self.skip_scales:
            skip = ops.scale(skip, self.skip_scales[pool])
        score, fuse = getattr(self, f"score_{pool}")(skip), FUSIONS[self.fusion]
        if up in self.crops:  # as _align found
            return fuse(ops.crop(y, self.crops[up], score.shape[2:]), score)
        return fuse(y, ops.crop(score, self.crops[f"score_{pool}"], y.shape[2:]))


@dataclass(frozen=True)
class Settings:
    """What the networks have in common.

    Attributes:
        n_classes: scores per pixel, background included.
        trunk: "vgg11", "vgg13", "vgg16" or "vgg19".
        width: a factor for VGG's widths, or the five widths themselves.
        geometry: "caffe" (the authors', to the pixel: conv1_1 padded by 100) or "same"
            (padded by 1, fc6 by 3: nothing is wasted on borders).
        fc_channels: outputs of fc6 and fc7, one number or two; 4096 · width if None.
        fc_kernel: size of fc6's kernel, odd.
        dropout: probability of dropout after fc6 and fc7.
        learned_upsampling: let training change the bilinear enlargements.
        skip_scales: factors of pools before they are scored, {"pool4": 0.01}.
        initialiser: of the trunk, "he" or "xavier"; score layers begin at zero.
        fusion: how scores of two streams become one, "sum" or "max" (element by
            element, the gradient going to the larger; Long et al. 2015, footnote 6).
    """

    n_classes: int = 21
    trunk: str = "vgg16"
    width: float | Sequence[int] = 1.0
    geometry: str = "caffe"
    fc_channels: int | Sequence[int] | None = None
    dropout: float = 0.5
    learned_upsampling: bool = False
    skip_scales: dict[str, float] | None = None
    fc_kernel: int = 7
    initialiser: str = "he"
    fusion: str = "sum"

    def build(self, name: str, streams: str) -> FCN:
        """Build the network, which remembers the settings in its `config`."""
        net = FCN(
            vgg(
                self.trunk,
                self.width,
                self.geometry,
                self.fc_channels,
                self.fc_kernel,
            ),
            self.n_classes,
            STREAMS[streams],
            self.skip_scales,
            self.dropout,
            self.learned_upsampling,
            self.initialiser,
            self.fusion,
            TOPS.get(streams),
        )
        # Through JSON (tuples become lists): as it will be read from a checkpoint.
        net.config = {"name": name, **json.loads(json.dumps(asdict(self)))}
        return net


def fcn32s(
    n_classes: int = 21, trunk: str = "vgg16", width: Any = 1.0, **options: Any
) -> FCN:
    """Build FCN-32s: one stream, enlarged 32 times.

    `options` are the other attributes of `Settings`. Source: Long et al. 2015, section
    4.1.

    Raises:
        ValueError, TypeError: a setting out of range; an unknown one.
    """
    return Settings(n_classes, trunk, width, **options).build("fcn32s", "fcn32s")


def fcn16s(
    n_classes: int = 21, trunk: str = "vgg16", width: Any = 1.0, **options: Any
) -> FCN:
    """Build FCN-16s: scores of pool4 are added to the enlarged ones (see `fcn32s`)."""
    return Settings(n_classes, trunk, width, **options).build("fcn16s", "fcn16s")


def fcn8s(
    n_classes: int = 21, trunk: str = "vgg16", width: Any = 1.0, **options: Any
) -> FCN:
    """Build FCN-8s: scores of pool4, then of pool3 are added (see `fcn32s`)."""
    return Settings(n_classes, trunk, width, **options).build("fcn8s", "fcn8s")


def fcn8s_at_once(
    n_classes: int = 21, trunk: str = "vgg16", width: Any = 1.0, **options: Any
) -> FCN:
    """Build FCN-8s to be trained in one go: pools are scaled before they are scored.

    `skip_scales` are the authors' 0.01 and 0.0001 if left out; they were made for the
    feature norms of the full VGG-16. The rest as in `fcn32s`.
    """
    options = {"skip_scales": AT_ONCE, **options}  # the caller's own win
    return Settings(n_classes, trunk, width, **options).build("fcn8s_at_once", "fcn8s")


def fcn_pool4(
    n_classes: int = 21, trunk: str = "vgg16", width: Any = 1.0, **options: Any
) -> FCN:
    """Build a network cut short: pool4 is scored alone, and enlarged 16 times.

    It has no layer above pool4, so that `fc_channels`, `fc_kernel` and `dropout` change
    nothing; the rest as in `fcn32s`. What FCN-16s adds to its coarse stream is all it
    has. Source: Long et al. 2015, section 4.2.
    """
    return Settings(n_classes, trunk, width, **options).build("fcn_pool4", "fcn_pool4")


def fcn_pool3(
    n_classes: int = 21, trunk: str = "vgg16", width: Any = 1.0, **options: Any
) -> FCN:
    """Build a network cut short: pool3 alone, enlarged 8 times (see `fcn_pool4`)."""
    return Settings(n_classes, trunk, width, **options).build("fcn_pool3", "fcn_pool3")
