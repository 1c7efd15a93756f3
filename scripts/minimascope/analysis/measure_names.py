"""What each measure is called in tables and figures, and what kind of number it is."""

from dataclasses import dataclass
from typing import Literal

import pandas as pd

Category = Literal["sharpness", "evaluation", "training", "diagnostic"]
Direction = Literal["higher is better", "lower is better", "none"]

# How units of the data are printed; the others are printed as they are.
UNIT_SYMBOLS = {"1": "–", "percent": "%", "percentage points": "pp"}


@dataclass(frozen=True)
class MeasureName:
    """How a measure is presented.

    Attributes:
        label: name for readers.
        category: what it is about; figures set evaluations against sharpness, and leave out what
            is kept to check another measure (``diagnostic``).
        unit: as it is printed; ``–`` for a number without unit.
        direction: which values are better; ``none`` for sharpness, where that is the question.
        log_axis: whether values of different conditions usually differ by factors.
        description: one sentence.
    """

    label: str
    category: Category
    unit: str
    direction: Direction
    log_axis: bool
    description: str

    @property
    def axis_label(self) -> str:
        """The label with its unit in brackets."""
        return f"{self.label} ({self.unit})"

    @property
    def column_label(self) -> str:
        """The label for a table, where only units that scale the number are printed."""
        return self.axis_label if self.unit in ("%", "pp") else self.label


def _sharpness(label: str, log_axis: bool, description: str) -> MeasureName:
    return MeasureName(label, "sharpness", "–", "none", log_axis, description)


def _evaluation(
    label: str, unit: str, description: str, direction: Direction = "lower is better"
) -> MeasureName:
    return MeasureName(label, "evaluation", unit, direction, False, description)


def _diagnostic(label: str, unit: str, description: str) -> MeasureName:
    return MeasureName(label, "diagnostic", unit, "none", False, description)


MEASURES = {
    "test_accuracy": _evaluation(
        "Test accuracy",
        "fraction",
        "Share of test samples whose most probable class is their label.",
        "higher is better",
    ),
    "accuracy_in_domain": _evaluation(
        "In-domain accuracy",
        "fraction",
        "Accuracy on the test samples of domains (recording devices) that training has, mean over "
        "these domains.",
        "higher is better",
    ),
    "accuracy_out_of_domain": _evaluation(
        "Out-of-domain accuracy",
        "fraction",
        "Accuracy on the test samples of domains (recording devices) that training never saw, "
        "mean over these domains.",
        "higher is better",
    ),
    "domain_gap": _evaluation(
        "Domain gap",
        "pp",
        "In-domain accuracy minus out-of-domain accuracy.",
    ),
    "generalisation_gap": _evaluation(
        "Generalisation gap",
        "pp",
        "Accuracy on the training data minus accuracy on the test data, both without augmentation.",
    ),
    "test_ece": _evaluation(
        "Test ECE",
        "fraction",
        "Expected calibration error on the test data: mean distance between confidence and "
        "accuracy over equal-width bins of confidence.",
    ),
    "test_ece_published": MeasureName(
        "Test ECE, published",
        "diagnostic",
        "fraction",
        "lower is better",
        False,
        "Expected calibration error as published, with a bin of its own for confidence 1.",
    ),
    "test_nll": _evaluation(
        "Test NLL", "nats", "Mean negative log-likelihood (cross-entropy) of the test labels."
    ),
    "test_brier": _evaluation(
        "Test Brier score",
        "–",
        "Mean squared distance between the predicted probabilities and the one-hot test labels.",
    ),
    "corruption_accuracy": _evaluation(
        "Corruption accuracy",
        "%",
        "Accuracy on the published corrupted set, mean over corruptions and severities.",
        "higher is better",
    ),
    "corruption_accuracy_generated": _evaluation(
        "Corruption accuracy, generated",
        "%",
        "Accuracy on corruptions of the test data that were generated here, mean over corruptions "
        "and severities; not that on a published set.",
        "higher is better",
    ),
    "prediction_disagreement": _evaluation(
        "Prediction disagreement",
        "fraction",
        "Share of test samples on which the most probable classes of two models of the same "
        "condition differ, mean over pairs of seeds.",
    ),
    "jensen_shannon_divergence": _evaluation(
        "Jensen–Shannon divergence",
        "nats",
        "Divergence between the predicted probabilities of two models of the same condition, "
        "mean over test samples and pairs of seeds.",
    ),
    "l2_distance": _evaluation(
        "L2 distance",
        "–",
        "Euclidean distance between the outputs of two models of the same condition, mean over "
        "test samples and pairs of seeds.",
    ),
    "fisher_rao_norm": _sharpness(
        "Fisher–Rao norm",
        True,
        "Length of the parameters in the Fisher information metric (Liang et al. 2019).",
    ),
    "sam_sharpness": _sharpness(
        "SAM-sharpness",
        True,
        "Mean absolute change of the training loss under small random perturbations of the "
        "parameters, divided by their radius.",
    ),
    "sam_sharpness_signed": _diagnostic(
        "SAM-sharpness, signed",
        "–",
        "Mean change of the training loss under small random perturbations of the parameters, "
        "divided by their radius.",
    ),
    "relative_flatness": _sharpness(
        "Relative flatness",
        True,
        "Trace of the loss's Hessian in the last layer, weighted by the products of its weight "
        "vectors (Petzka et al. 2021): despite its name, larger is sharper.",
    ),
    "hessian_top_eigenvalue": _sharpness(
        "Largest Hessian eigenvalue",
        True,
        "Curvature of the training loss in the direction in which it is curved most.",
    ),
    "hessian_trace": _sharpness(
        "Hessian trace",
        True,
        "Sum of the curvatures of the training loss in all directions, estimated with Hutch++.",
    ),
    "asc_sharpness": MeasureName(
        "ASC sharpness",
        "sharpness",
        "%",
        "none",
        True,
        "Range of the training loss in a disc of filter-normalised random directions, over one "
        "plus its minimum (Milling et al. 2023); mean over pairs of directions.",
    ),
    "adaptive_sharpness_average": MeasureName(
        "Adaptive sharpness, average",
        "sharpness",
        "nats",
        "none",
        True,
        "Mean increase of the training loss when each parameter is moved at random in proportion "
        "to its size (Andriushchenko et al. 2023).",
    ),
    "adaptive_sharpness_worst": MeasureName(
        "Adaptive sharpness, worst case",
        "sharpness",
        "nats",
        "none",
        True,
        "Largest increase of the training loss found when each parameter may be moved in "
        "proportion to its size (Kwon et al. 2021).",
    ),
    "fisher_rao_norm_l5": _diagnostic(
        "Fisher–Rao norm, L = 5",
        "–",
        "Fisher–Rao norm with the factor 6 that was printed in 2025 for every network.",
    ),
    "sam_sharpness_published": _diagnostic(
        "SAM-sharpness, published",
        "–",
        "SAM-sharpness as published: the data are shuffled and augmented anew for every "
        "perturbation, and BatchNorm's statistics are perturbed too.",
    ),
    "sam_sharpness_null": _diagnostic(
        "SAM-sharpness, null",
        "–",
        "The published procedure without any perturbation: the floor of its noise.",
    ),
    "relative_flatness_published": _diagnostic(
        "Relative flatness, published",
        "–",
        "Relative flatness as published: summed over mini-batches, of a network whose features "
        "are rescaled before the last block's shortcut is added.",
    ),
    "relative_flatness_published_loss": _diagnostic(
        "Training loss of the published relative flatness",
        "nats",
        "Training loss of the rescaled network that the published relative flatness measures; "
        "another than the training loss means another function.",
    ),
    "hessian_smallest_eigenvalue": _diagnostic(
        "Smallest Hessian eigenvalue",
        "–",
        "Most negative curvature of the training loss; at a minimum it would not be below zero.",
    ),
    "asc_sharpness_max": _diagnostic(
        "ASC sharpness, maximum", "%", "Largest ASC sharpness of all pairs of directions."
    ),
    "asc_sharpness_std": _diagnostic(
        "ASC sharpness, deviation", "%", "Standard deviation of ASC sharpness over pairs."
    ),
    "asc_sharpness_cv": _diagnostic(
        "ASC sharpness, coefficient of variation",
        "–",
        "Standard deviation over mean of ASC sharpness over pairs of directions.",
    ),
    "squared_weight_norm": MeasureName(
        "Squared weight norm",
        "training",
        "–",
        "none",
        False,
        "Sum of the squares of all parameters.",
    ),
    "train_loss": MeasureName(
        "Training loss",
        "training",
        "nats",
        "lower is better",
        True,
        "Mean cross-entropy on the training data.",
    ),
    "train_accuracy": MeasureName(
        "Training accuracy",
        "training",
        "fraction",
        "higher is better",
        False,
        "Share of training samples whose most probable class is their label.",
    ),
}


def describe(measure: str, family: str, unit: str) -> MeasureName:
    """Return how to present a measure.

    One that `MEASURES` does not hold goes by its own name and the unit of its data; it is an
    evaluation or a number about training if its family says so, and sharpness otherwise.
    """
    if measure in MEASURES:
        return MEASURES[measure]
    category = family if family in ("evaluation", "training") else "sharpness"
    symbol = UNIT_SYMBOLS.get(unit, unit)
    return MeasureName(measure, category, symbol, "none", False, f"{measure}, not described.")


def measures_of(frame: pd.DataFrame, *categories: Category) -> dict[str, MeasureName]:
    """Return the measures in a frame that belong to one of the categories, by name.

    Categories come in the given order; within one, measures come in the order of `MEASURES`,
    then in order of appearance.

    Args:
        frame: columns ``measure``, ``family`` and ``unit``.
        *categories: those wanted.
    """
    rows = frame[["measure", "family", "unit"]].drop_duplicates("measure")
    found = {row.measure: describe(*row) for row in rows.itertuples(index=False)}
    known = list(MEASURES)
    place = {measure: known.index(measure) if measure in known else len(known) for measure in found}
    return {
        measure: found[measure]
        for category in categories
        for measure in sorted(found, key=place.__getitem__)
        if found[measure].category == category
    }
