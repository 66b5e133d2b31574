"""Answers to the exercises of lesson 5 that a learner could give, wrong and right."""

import numpy as np

# --------------------------------------------------------------------------- softmax


def right_softmax(scores):
    e = np.exp(scores - scores.max(axis=1)[:, None])
    return e / e.sum(axis=1)[:, None]


def overflowing(scores):
    with np.errstate(all="ignore"):
        e = np.exp(scores)
        return e / e.sum(axis=1, keepdims=True)


def over_images(scores):
    e = np.exp(scores - scores.max())
    return e / e.sum(axis=0, keepdims=True)


def over_all(scores):
    e = np.exp(scores - scores.max())
    return e / e.sum()


def not_divided(scores):
    return np.exp(scores - scores.max(axis=1, keepdims=True))


def shares_without_e(scores):
    low = scores - scores.min(axis=1, keepdims=True) + 1
    return low / low.sum(axis=1, keepdims=True)


def the_largest_alone(scores):
    return (scores == scores.max(axis=1, keepdims=True)).astype(float)


def signs_turned(scores):
    return right_softmax(-scores)


# ------------------------------------------------------------------------ label_loss


def right_loss(p, label):
    return float(-np.log(p[np.arange(len(p)), label]).mean())


def summed(p, label):
    return right_loss(p, label) * len(p)


def sign_lost(p, label):
    return -right_loss(p, label)


def of_all_classes(p, label):
    return float(-np.log(p).mean())


def of_the_mean(p, label):
    return float(-np.log(p[np.arange(len(p)), label].mean()))


def of_class_zero(p, label):
    return right_loss(p, 0 * label)


def one_minus(p, label):
    return float((1 - p[np.arange(len(p)), label]).mean())


def to_base_two(p, label):
    return right_loss(p, label) / float(np.log(2))


# -------------------------------------------------------------------------- sgd_step


def right_step(weight, velocity, gradient, lr, momentum, decay):
    velocity = momentum * velocity + lr * (gradient + decay * weight)
    return weight - velocity, velocity


def uphill(weight, velocity, gradient, lr, momentum, decay):
    _, velocity = right_step(weight, velocity, gradient, lr, momentum, decay)
    return weight + velocity, velocity


def momentum_ignored(weight, velocity, gradient, lr, momentum, decay):
    return right_step(weight, velocity, gradient, lr, 0, decay)


def decay_ignored(weight, velocity, gradient, lr, momentum, decay):
    return right_step(weight, velocity, gradient, lr, momentum, 0)


def rate_outside(weight, velocity, gradient, lr, momentum, decay):
    velocity = momentum * velocity + gradient + decay * weight
    return weight - lr * velocity, velocity


def old_velocity(weight, velocity, gradient, lr, momentum, decay):
    _, new = right_step(weight, velocity, gradient, lr, momentum, decay)
    return weight - velocity, new


def decay_outside(weight, velocity, gradient, lr, momentum, decay):
    velocity = momentum * velocity + lr * gradient
    return weight - velocity - decay * weight, velocity


def in_place(weight, velocity, gradient, lr, momentum, decay):
    velocity *= momentum
    velocity += lr * (gradient + decay * weight)
    weight -= velocity
    return weight, velocity


def weight_alone(weight, velocity, gradient, lr, momentum, decay):
    return right_step(weight, velocity, gradient, lr, momentum, decay)[0]


RIGHT = {"softmax": right_softmax, "label_loss": right_loss, "sgd_step": right_step}
WRONG = {
    "softmax": [
        overflowing,
        over_images,
        over_all,
        not_divided,
        shares_without_e,
        the_largest_alone,
        signs_turned,
    ],
    "label_loss": [
        summed,
        sign_lost,
        of_all_classes,
        of_the_mean,
        of_class_zero,
        one_minus,
        to_base_two,
    ],
    "sgd_step": [
        uphill,
        momentum_ignored,
        decay_ignored,
        rate_outside,
        old_velocity,
        decay_outside,
        in_place,
        weight_alone,
    ],
}
