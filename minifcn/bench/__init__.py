"""How fast minifcn is, measured fairly, and beside PyTorch.

Each contender runs in a process of its own. They take turns, so that a machine which
speeds up or slows down does so for all; what counts is the median of the repeats, and
the ratio of medians. The peer is the better of PyTorch's two memory layouts.

`network` measures the whole FCN-8s, `operators` each operator in each direction, and
`scaling` how time and memory grow. `plan` reckons what a GPU's kernels must move.
"""
