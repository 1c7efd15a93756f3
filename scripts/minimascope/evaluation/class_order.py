"""Whether predictions are better than guessing, and whether classes seem to be in another order."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linear_sum_assignment

# Standard errors that an accuracy has to be above another one to be surely better.
SURE = 3


@dataclass(frozen=True)
class ClassOrder:
    """How well predictions fit labels as they are, and in the order of classes that fits best.

    Attributes:
        accuracy: share that is right.
        n: number of samples.
        guessing: share of the most frequent class, the best accuracy without looking at inputs.
        best: for each output the class that it should stand for, if predictions are surely better
            so; empty otherwise.
        best_accuracy: share that would be right then, NaN otherwise; on the half of the samples
            that the order was not chosen by.
        loss: mean cross-entropy in nats, NaN where it was not computed.
        guessing_loss: that of guessing each class by its share, the entropy of the labels.
    """

    accuracy: float
    n: int
    guessing: float
    best: tuple[int, ...] = ()
    best_accuracy: float = math.nan
    loss: float = math.nan
    guessing_loss: float = math.nan

    @property
    def is_guessing(self) -> bool:
        """Whether the accuracy is not surely above that of guessing."""
        return not _above_guessing(self.accuracy, self.guessing, self.n)


def class_order(predicted: ArrayLike, labels: ArrayLike, classes: int) -> ClassOrder:
    """Compare predictions with labels, and with these in the order of classes that fits best.

    An accuracy is surely above guessing if it is `SURE` binomial standard errors above the share
    of the most frequent class: predictions that do not depend on inputs are right no more often,
    in whatever order of classes. The order is the assignment of outputs to classes with the most
    right predictions (Kuhn 1955), chosen by one half of the samples and judged by the other: there
    its accuracy is above guessing, and above the present one by `SURE` paired standard errors.

    Args:
        predicted: class of each sample, [n], in random order.
        labels: likewise.
        classes: number of classes.
    """
    predicted, labels = np.asarray(predicted), np.asarray(labels)
    n, right = len(labels), predicted == labels
    guessing = float(np.bincount(labels).max() / n)
    found = ClassOrder(float(right.mean()), n, guessing)
    chosen_by, judged_by = slice(None, n // 2), slice(n // 2, None)
    order = _assignment(predicted[chosen_by], labels[chosen_by], classes)
    then = order[predicted[judged_by]] == labels[judged_by]
    gains = then.astype(float) - right[judged_by]
    accuracy = float(then.mean())
    is_better = gains.mean() > SURE * gains.std() / math.sqrt(len(gains))
    if not (is_better and _above_guessing(accuracy, guessing, len(gains))):
        return found
    best = tuple(map(int, _assignment(predicted, labels, classes)))
    return ClassOrder(found.accuracy, n, guessing, best, accuracy)


def doubt(fit: ClassOrder, order: str, classes: str, normalize: str) -> str:
    """Return why the weights, or how they are read, are to be doubted; empty if they are not.

    Args:
        fit: to the training data.
        order: the one of classes that fits best, as it is to be written.
        classes: what sets the order of classes.
        normalize: what sets the normalisation of inputs.
    """
    said = f"training accuracy is {fit.accuracy:.1%} (of {fit.n:,} samples)"
    if fit.best:
        return (
            f"{said}, and {fit.best_accuracy:.1%} with {classes} set to {order}; if the training"
            f" reached more, set {normalize} first, and look again"
        )
    causes = (
        f"the likely causes are another order of classes ({classes}) and another normalisation"
        f" ({normalize})"
    )
    if fit.is_guessing:
        return f"{said}, no better than guessing ({fit.guessing:.1%}): {causes}"
    # A network that was trained with another loss may be right with a high cross-entropy.
    half_way = (1 + fit.guessing) / 2
    if fit.accuracy < half_way and fit.loss > fit.guessing_loss:
        return (
            f"{said}, but the loss of {fit.loss:.3g} nats is above that of guessing"
            f" ({fit.guessing_loss:.3g}): {causes}"
        )
    return ""


def _above_guessing(accuracy: float, guessing: float, n: int) -> bool:
    return accuracy > guessing + SURE * math.sqrt(guessing * (1 - guessing) / n)


def _assignment(predicted: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Return the class of each output, [classes], each once, with the most right predictions."""
    counts = np.zeros((classes, classes))
    np.add.at(counts, (predicted, labels), 1)
    # Of equal ones that which changes less: outputs that predict nothing keep their class.
    counts[np.diag_indices(classes)] += 0.5 / classes
    return linear_sum_assignment(counts, maximize=True)[1]
