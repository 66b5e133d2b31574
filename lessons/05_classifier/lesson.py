# %% [markdown]
# Until now we chose the kernels ourselves. In this lesson a small network finds its
# own. It looks at pictures of one toy each and says which toy it is: a ball, a block, a
# star, a pennant or a lollipop. Such a network is a *classifier*: one image, one name.

# %%
import numpy as np

from minifcn import Tensor, nn, no_grad, ops, optim
from minifcn.course import drawing, picture
from minifcn.data import to_input
from minifcn.data.drawing import portrait
from minifcn.data.shapes import TOYS

names = [toy.name for toy in TOYS]
drawn = [portrait((48, 48), seed=0, index=i) for i in range(600)]
x = np.stack([to_input(image) for image, _ in drawn]) / 60  # (N, 3, H, W)
label = np.array([kind for _, kind in drawn])               # (N,), 0 … 4
print(x.shape, x.dtype, "labels:", label[:8])

# %% [drawing]
figure, axes = drawing.canvas(6, 1, width=1.8, height=2.0)
for place, (image, kind) in zip(axes, drawn):
    drawing.photo(place, image, names[kind])
picture(figure, "portraits", "What there is to learn from: 48 × 48 pixels and a name.")

# %% [markdown]
# `to_input` makes numbers of a photograph as the paper's authors did: blue first, and
# the mean colour subtracted. Divided by 60 the numbers are about as large as 1.
#
# ## From scores to probabilities
#
# The last layer gives five numbers for an image, one **score** for each class. They can
# be anything. To speak of probabilities they must be positive and add up to 1. So take
# eˣ of each, and divide by the sum. That is **softmax**:

# %%
scores = np.array([2.0, 1.0, 0.0, -1.0, 0.0])
p = np.exp(scores) / np.exp(scores).sum()
print(p.round(3), "sum", round(p.sum(), 6))

# %% [markdown]
# How wrong is that? If the true class is 1, the network gave it the probability 0.218.
# The loss is −log of that probability: 0 if it is sure and right, and larger and larger
# the less it believed in the truth. This is called **cross-entropy**.

# %%
print("true class 0: loss", round(-np.log(p[0]), 3))
print("true class 1: loss", round(-np.log(p[1]), 3))
print("true class 3: loss", round(-np.log(p[3]), 3))

# %% [markdown]
# Its gradient is beautiful: for each score it is p, and p − 1 for the true class. So
# the gradient is the error itself. You can check it with what you wrote in lesson 3.

# %%
leaf = Tensor(scores.reshape(1, 5, 1, 1), requires_grad=True)
ops.cross_entropy(leaf, np.array([[[1]]])).backward()
print("tape:   ", leaf.grad.ravel().round(3))
print("p, p − 1:", (p - np.eye(5)[1]).round(3))

# %% [markdown]
# ## The network
#
# Three times a convolution, ReLU and pooling: 48 pixels become 24, 12 and 6. Then a
# kernel as large as the whole map, 6 × 6, sees everything at once.

# %%
def build(scale=1.0):
    """Make the network; `scale` is for the last layer's weights."""
    nn.seed(0)
    net = nn.Sequential(
        conv1=nn.Conv2d(3, 16, 3, padding=1), relu1=nn.ReLU(), pool1=nn.MaxPool2d(2),
        conv2=nn.Conv2d(16, 32, 3, padding=1), relu2=nn.ReLU(), pool2=nn.MaxPool2d(2),
        conv3=nn.Conv2d(32, 48, 3, padding=1), relu3=nn.ReLU(), pool3=nn.MaxPool2d(2),
        fc=nn.Conv2d(48, 64, 6), relu4=nn.ReLU(), score=nn.Conv2d(64, 5, 1),
    )
    net.score.weight.data *= scale
    return net


net = build(scale=0.1)
print(net(Tensor(x[:2])).shape, f"{nn.count_parameters(net):,} numbers to learn")

# %% [markdown]
# ## How weights begin
#
# Their **initialisation** is random, but not with any spread. A sum of n products grows
# like √n. If each layer made its numbers 3 times larger, ten layers would make them
# 59,049 times larger. He's rule takes weights with the deviation √(2 / n), where n is
# the count of numbers under the kernel; then the size stays from layer to layer:

# %%
y, sizes = Tensor(x[:50]), []
for name, layer in net.children():
    y = layer(y)
    if name.startswith("relu"):
        sizes.append(round(float(np.sqrt((y.data**2).mean())), 1))
print("size after each ReLU:", sizes)

# %% [markdown]
# (It grows a little all the same: pooling keeps the largest numbers.)
#
# ## Before you train: three checks
#
# Training takes long, and mistakes hide well. These three checks take seconds.
#
# **1. The loss at the start.** A network that knows nothing gives all five classes
# about the same probability, 1/5. Its loss is then −log(1/5) = log 5 = 1.609.

# %%
def loss_of(net, chosen):
    """Return the mean loss over some images."""
    return ops.cross_entropy(net(Tensor(x[chosen])), label[chosen][:, None, None])


print("expected:", round(np.log(5), 3))
print("it is close:", abs(loss_of(net, np.arange(100)).item() - np.log(5)) < 0.3)

# %% [markdown]
# **2. The gradient.** You know how to check it (lesson 3).
#
# **3. Learn a handful by heart.** Give it eight images again and again. If it cannot
# even learn those, something is broken, and more images will not help.
#
# A step of learning takes the gradient and moves each weight a little against it. How
# far is decided by the **learning rate**:
#
#     weight ← weight − lr · gradient
#
# Taking the gradient of a few images at a time, drawn at random, is called **SGD**,
# stochastic gradient descent. With **momentum** the steps have a memory, like a ball
# that rolls: of the last step a share, 0.9 say, is taken again.
#
#     velocity ← momentum · velocity + lr · (gradient + decay · weight)
#     weight   ← weight − velocity
#
# The decay pulls all weights a little towards 0, so that none grows without need.
# (Caffe writes it so, with the learning rate inside the velocity. So do we.)

# %%
def train(net, images, steps, lr):
    """Train on the first so many images; return the loss of every step."""
    rng = np.random.default_rng(0)
    sgd = optim.SGD(net.named_parameters(), lr=lr, momentum=0.9, weight_decay=5e-4)
    losses = []
    for _ in range(steps):
        loss = loss_of(net, rng.integers(images, size=min(16, images)))
        net.zero_grad()
        loss.backward()
        sgd.step()
        losses.append(loss.item())
    return losses


losses = train(build(0.1), images=8, steps=60, lr=0.01)
print("eight images by heart:", losses[-1] < 0.05)

# %% [markdown]
# ## Train
#
# Five hundred images to learn from. One hundred are **held-out**: the network never
# learns from them, and only they tell whether it has understood something, or has just
# learned by heart.

# %% [varies]
net = build(0.1)
losses = train(net, images=500, steps=350, lr=0.01)
with no_grad():
    found = net(Tensor(x)).data[:, :, 0, 0].argmax(axis=1)  # the highest score
print(f"loss of the last steps {np.mean(losses[-20:]):.2f}")
print(f"right, of those learned from: {100 * (found == label)[:500].mean():.0f} %")
print(f"right, of those held out:     {100 * (found == label)[500:].mean():.0f} %")

# %% [drawing]
mean = [np.mean(losses[max(0, i - 19):i + 1]) for i in range(len(losses))]
figure, axes = drawing.canvas(2, width=4.4, height=3.4)
labels = ("step", "loss, mean of 20 steps")
drawing.chart(axes[0], range(len(mean)), mean, labels, color="#4c78a8", lw=2)
axes[0].axhline(np.log(5), color="#777777", ls="--")
axes[0].text(len(mean), np.log(5), "log 5", va="bottom", ha="right", size=11)
axes[0].set_title("It learns", fontsize=12)
taken = np.zeros((5, 5))
np.add.at(taken, (label[500:], found[500:]), 1)
drawing.matrix(axes[1], taken, "rows: true; columns: what it said", size=11)
axes[1].set_yticks(range(5), names, fontsize=11)
axes[1].set_xticks(range(5), names, fontsize=11, rotation=35)
picture(figure, "learning", "The loss falls; most held-out images are on the diagonal.")

# %% [drawing]
kernels = net.conv1.weight.data[:, ::-1].transpose(0, 2, 3, 1)  # red first
kernels = (kernels - kernels.min()) / np.ptp(kernels)
figure, axes = drawing.canvas(8, 2, width=1.1, height=1.1)
for place, kernel in zip(axes, kernels):
    drawing.photo(place, kernel)
picture(figure, "kernels", "The sixteen kernels of the first layer, 3 × 3, in colour.")

# %% [markdown]
# ## A trap: begin with zeros
#
# Why not simply start with zeros? Because then all outputs are zero, and the gradient
# of every weight is made of them. Nothing moves, except the bias of the last layer:

# %%
dead = build()
for parameter in dead.parameters():
    parameter.data[...] = 0
losses = train(dead, images=500, steps=40, lr=0.01)
moved = [name for name, p in dead.named_parameters() if p.data.any()]
print("what has moved:", moved)

# %% [markdown]
# Zeros are fine for the *last* layer alone: its gradient is made of the features below,
# and those are not zero. The paper does exactly that (lesson 12).
#
# ## A second trap: too large a learning rate
#
# If the step is too long, it jumps over the valley, lands higher on the other side, and
# the next step is longer still. Soon there are no numbers any more:

# %%
with np.errstate(all="ignore"):
    losses = train(build(0.1), images=500, steps=40, lr=1.0)
print("the loss at the end is a number:", bool(np.isfinite(losses[-1])))

# %% [markdown]
# The right rate depends on how the loss is made: if it is a sum over many pixels
# instead of a mean, gradients are so many times larger, and the rate must be so many
# times smaller. That is why the paper's code has rates like 0.0000000001 (lesson 11).
#
# ## In three lines
#
# - Softmax makes probabilities of scores; cross-entropy is −log of the true one's.
# - SGD moves each weight against its gradient, with a memory called momentum.
# - Look at the first loss, learn a handful by heart, keep some images apart.
