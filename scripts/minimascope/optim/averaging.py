"""Averages of the weights that a training passes through; the training ends with the average.

Stochastic weight averaging (Izmailov et al. 2018, arXiv:1803.05407) takes the mean of the weights
at the ends of the last epochs, the exponential moving average that of all steps, and SWAD (Cha et
al. 2021, arXiv:2102.08604) the mean over all steps between two that a validation loss chooses.
torch computes means; here is when a training hands its weights over. An average draws no random
numbers.

One with a setting ``validation`` is told the losses on that share of the training split, which is
held out, and may have a method ``chosen``, as SWAD has.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, get_swa_avg_fn

from ..batchnorm import reestimate

# What the epochs of an average are that a validation loss was to choose.
VALLEY, LAST_EPOCH = "valley", "last epoch"


class Average(AveragedModel):
    """A running average of a model's weights; ``module`` has them."""

    def after_step(self, model: nn.Module) -> None:
        """Take note of the weights after a step, if the average wants them."""

    def after_epoch(self, model: nn.Module, finished: int, epochs: int) -> None:
        """Take note of the weights after ``finished`` epochs, likewise."""

    def after_validation(self, losses: Sequence[float]) -> None:
        """Take note of the validation losses after each epoch so far, likewise."""

    def hand_over(self, model: nn.Module, batches: Iterable[torch.Tensor]) -> None:
        """Give a model the averaged weights, and BatchNorm the statistics that belong to them.

        The activations of averaged weights are none that were seen in training, so their means
        and variances are taken in one more pass over the data; see `batchnorm.reestimate`.

        Args:
            model: whose weights and statistics are replaced.
            batches: inputs as in training.
        """
        reestimate(self.module.train(), batches)
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


def loss_valley(
    losses: Sequence[float], start_patience: int, end_patience: int, tolerance: float
) -> tuple[int, int] | None:
    """Return the first and the last evaluation between which SWAD averages, or None as yet.

    Algorithm 1 of Cha et al. (2021), counted from 0: the first is the one whose loss was not
    undercut by the next N_s - 1. The last is the one before N_e in a row whose losses were above r
    times the mean of those N_s; the latest one until there are so many.

    Args:
        losses: validation losses so far.
        start_patience: N_s, optimum patience.
        end_patience: N_e, overfit patience.
        tolerance: r, tolerance rate.

    >>> loss_valley([3.0, 1.0, 1.1, 1.2, 9.0, 9.0, 9.0], 3, 2, 1.3)
    (1, 3)
    """
    start, limit = None, math.nan
    for newest in range(len(losses)):
        if start is None:
            window = losses[max(newest - start_patience + 1, 0) : newest + 1]
            if len(window) == start_patience and window[0] == min(window):
                start = newest - start_patience + 1
                limit = tolerance * sum(window) / start_patience
        elif min(losses[max(newest - end_patience + 1, 0) : newest + 1]) > limit:
            return start, newest - end_patience
    return None if start is None else (start, len(losses) - 1)


def chosen_in_words(history: Sequence[Mapping[str, object]]) -> str:
    """Return which epochs an average is of, from a history that says it; empty from others.

    >>> chosen_in_words([{"epoch": 1, "averaged": ""}, {"epoch": 2, "averaged": "last epoch"}])
    'averaged: the validation loss chose no epochs, so the steps of the last one alone'
    """
    counted = [row for row in history if row.get("averaged")]
    if not counted:
        return ""
    if counted[0]["averaged"] == LAST_EPOCH:
        return "averaged: the validation loss chose no epochs, so the steps of the last one alone"
    first, last = counted[0]["epoch"], counted[-1]["epoch"]
    return (
        f"averaged: the steps of epochs {first} to {last} of {len(history)}, which the validation"
        " loss chose"
    )


class DenseStochasticWeightAverage(Average):
    """The mean of the weights after all steps of the epochs that `loss_valley` chooses.

    The authors evaluate every so many steps, here that is once in an epoch; the steps of the first
    epoch belong to the mean, as in their code. So do, as there, those of the last epoch alone if
    the losses fell to the end, and nothing was chosen.

    Args:
        model: what is going to be trained; it is copied.
        validation: share of the training split on which losses are computed, 0 … 1.
        start_patience: evaluations of which the first has to be the best for the mean to start.
        end_patience: evaluations in a row that have to be too bad for it to end.
        tolerance: what is too bad, as a multiple of the mean loss where it started.
    """

    def __init__(
        self,
        model: nn.Module,
        validation: float,
        start_patience: int,
        end_patience: int,
        tolerance: float,
    ):
        # The module has the mean over the present epoch until the end.
        super().__init__(model, avg_fn=get_swa_avg_fn())
        self.rule = start_patience, end_patience, tolerance
        self.end_patience, self.valley = end_patience, None
        now = self._vector()
        # Means over the last epochs, of which it is not known yet whether they count, and over
        # those that surely do.
        kept = max(start_patience, end_patience + 1)
        self.register_buffer("recent", now.new_zeros(kept, len(now)))
        self.register_buffer("mean", torch.zeros_like(now))
        self.register_buffer("counted", torch.zeros((), dtype=torch.int64))

    def after_step(self, model: nn.Module) -> None:
        """Add the weights to the mean over the epoch."""
        self.update_parameters(model)

    def after_validation(self, losses: Sequence[float]) -> None:
        """Keep the mean over the epoch, and count those that surely belong to the valley."""
        self.recent[(len(losses) - 1) % len(self.recent)] = self._vector()
        self.n_averaged.zero_()
        self.valley = loss_valley(losses, *self.rule)
        if self.valley:
            # The valley can still end so many epochs ago.
            self._count(len(losses) - 1 - self.end_patience)

    def hand_over(self, model: nn.Module, batches: Iterable[torch.Tensor]) -> None:
        """Give a model the mean over the valley; see `Average.hand_over`."""
        if self.valley:
            self._count(self.valley[1])
            sizes = [parameter.numel() for parameter in self.module.parameters()]
            for parameter, part in zip(
                self.module.parameters(), self.mean.split(sizes), strict=True
            ):
                parameter.data.copy_(part.view_as(parameter))
        super().hand_over(model, batches)

    def chosen(self, epochs: int) -> dict[int, str]:
        """Return what the mean is of after so many epochs: these, from 1, and why they are."""
        if self.valley is None:
            return {epochs: LAST_EPOCH}
        first, last = self.valley
        return dict.fromkeys(range(first + 1, last + 2), VALLEY)

    def _count(self, last: int) -> None:
        """Add the epochs of the valley up to one to the mean, unless they are part of it."""
        start, end = self.valley
        for epoch in range(start + int(self.counted), min(last, end) + 1):
            self.counted += 1
            recent = self.recent[epoch % len(self.recent)]
            self.mean += (recent - self.mean) / self.counted.to(self.mean.device)

    def _vector(self) -> torch.Tensor:
        return torch.cat([p.detach().reshape(-1) for p in self.module.parameters()])
