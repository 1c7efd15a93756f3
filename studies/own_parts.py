"""Parts of studies/own_parts.yaml: functions that a study names as own_parts:<function>.

docs/parts.md says what each kind of function is given, and returns.
"""

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import nn


def small_cnn(channels, classes, width, dropout, kernel: int = 3):
    """A convolution, the mean over all places, and a linear layer."""
    size = round(32 * width)
    return nn.Sequential(
        nn.Conv2d(channels, size, kernel, padding="same"),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(dropout),
        nn.Linear(size, classes),
    )


class Lion(torch.optim.Optimizer):
    """Steps along the sign of a running mean of gradients (Chen et al. 2023, arXiv:2302.06675)."""

    def __init__(self, params, lr, weight_decay, betas: list = (0.9, 0.99)):
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "betas": betas})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            one, two = group["betas"]
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                mean = self.state[parameter].setdefault("mean", torch.zeros_like(parameter))
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.sub_(mean.lerp(parameter.grad, 1 - one).sign_(), alpha=group["lr"])
                mean.lerp_(parameter.grad, 1 - two)


def stripes(samples: int = 200, size: int = 12, noise: float = 120.0):
    """Horizontal, vertical and diagonal stripes in noise: training and test split."""
    draws = np.random.default_rng(0)
    labels = draws.integers(0, 3, 2 * samples)
    y, x = np.mgrid[:size, :size]
    waves = np.stack([y, x, y + x])[labels] + draws.uniform(0, 4, (len(labels), 1, 1))
    images = 128 + 60 * np.sin(np.pi / 2 * waves) + noise * draws.normal(size=waves.shape)
    images = images.clip(0, 255).astype(np.uint8)
    return (images[:samples], labels[:samples]), (images[samples:], labels[samples:])


def cutout(inputs, generator, size: int = 4):
    """Grey squares at random places (DeVries & Taylor 2017, arXiv:1708.04552)."""
    height, width = inputs.shape[-2:]
    draws = torch.rand(2, len(inputs), 1, generator=generator, device=inputs.device)
    rows, columns = (
        (torch.arange(side, device=inputs.device) - (draws[axis] * side).long()).abs() < size / 2
        for axis, side in enumerate((height, width))
    )
    return inputs.masked_fill((rows[:, :, None] & columns[:, None, :])[:, None], 128)


def logit_curvature(model, inputs, batch_size: int = 1000):
    """Mean trace of the loss's Hessian along the logits: 1 − Σ p²."""
    with torch.no_grad():
        logits = torch.cat([model(batch) for batch in inputs.split(batch_size)])
    return 1 - logits.double().softmax(1).square().sum(1).mean()


def worst_class(logits, labels, classes):
    """Accuracy of the class that is recognised worst."""
    right = logits.argmax(1) == labels
    return min(right[labels == label].double().mean() for label in range(len(classes)))


def spread(seed_values):
    """The smallest and the largest value over seeds."""
    keys = ["dataset", "network", "condition", "measure"]
    return seed_values.groupby(keys, sort=False)["value"].agg(["min", "max"]).reset_index()


def ranges(seed_values, dataset, network, measure: str = "test_accuracy"):
    """Each seed's value of one measure."""
    wanted = "dataset == @dataset and network == @network and measure == @measure"
    rows = seed_values.query(wanted)
    figure = Figure()
    axes = figure.subplots()
    axes.plot(rows["condition"], rows["value"], "o")
    axes.set_ylabel(measure)
    return figure
