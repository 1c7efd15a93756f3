"""Averages of the weights that a training passes through; the training ends with the average.

Stochastic weight averaging (Izmailov et al. 2018, arXiv:1803.05407) takes the mean of the weights
at the ends of the last epochs, the exponential moving average that of all steps. torch computes
both; here is when a training hands its weights over. An average draws no random numbers.
"""

from collections.abc import Iterable

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, get_swa_avg_fn, update_bn


class Average(AveragedModel):
    """A running average of a model's weights; ``module`` has them."""

    def after_step(self, model: nn.Module) -> None:
        """Take note of the weights after a step, if the average wants them."""

    def after_epoch(self, model: nn.Module, finished: int, epochs: int) -> None:
        """Take note of the weights after ``finished`` epochs, likewise."""

    def hand_over(self, model: nn.Module, batches: Iterable[torch.Tensor]) -> None:
        """Give a model the averaged weights, and BatchNorm the statistics that belong to them.

        The activations of averaged weights are none that were seen in training, so their means
        and variances are taken in one more pass over the data (Izmailov et al. 2018, section
        3.2): the mean over the batches of each batch's own.

        Args:
            model: whose weights and statistics are replaced.
            batches: inputs as in training.
        """
        update_bn(batches, self.module)
        model.load_state_dict(self.module.state_dict())


class StochasticWeightAverage(Average):
    """The mean of the weights at the end of every epoch after the first share of a run.

    Args:
        model: what is going to be trained; it is copied.
        start: that share, 0 … 1; the weights that the run would end with always count.
    """

    def __init__(self, model: nn.Module, start: float):
        super().__init__(model, avg_fn=get_swa_avg_fn())
        self.start = start

    def after_epoch(self, model: nn.Module, finished: int, epochs: int) -> None:
        """Add the weights to the mean, unless the run is still in its first share."""
        # Rounded, since 0.29 × 100 is less than 29.
        if finished > round(self.start * epochs, 9) or finished == epochs:
            self.update_parameters(model)


class ExponentialMovingAverage(Average):
    """decay × average + (1 - decay) × weights after every step, from the first step's weights.

    Args:
        model: what is going to be trained; it is copied.
        decay: what remains of the average in a step; it looks back about 1 / (1 - decay) steps.
    """

    def __init__(self, model: nn.Module, decay: float):
        super().__init__(model, multi_avg_fn=get_ema_multi_avg_fn(decay))

    def after_step(self, model: nn.Module) -> None:
        """Move the average towards the weights."""
        self.update_parameters(model)
