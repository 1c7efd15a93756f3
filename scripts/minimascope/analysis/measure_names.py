"""What each measure is called in tables and figures, and what kind of number it is."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from ..attacks.spec import Named
from ..sharpness.radii import AtRadius
from .complexity_names import COMPLEXITY
from .measure_name import HIGHER, LOWER, Category, MeasureName
from .smallest_difference import SmallestDifference

if TYPE_CHECKING:  # checking a study needs names alone
    import pandas as pd

# Of shares of samples and of probabilities, where a share of the mean makes no sense: 5 % of an
# accuracy of 0.96 would be more than all its errors. One in a hundred, in fractions and in percent.
ONE_IN_A_HUNDRED = SmallestDifference(0.01)
ONE_POINT = SmallestDifference(1.0)
# How units of the data are published; the others are published as they are.
UNIT_SYMBOLS = {"1": "–", "percent": "%", "percentage points": "pp"}

_sharpness = partial(MeasureName, category="sharpness", log_axis=True)
_diagnostic = partial(MeasureName, category="diagnostic")
_training = partial(MeasureName, category="training")
_accuracy = partial(
    MeasureName,
    category="evaluation",
    unit="fraction",
    direction=HIGHER,
    smallest_difference=ONE_IN_A_HUNDRED,
)
_gap = partial(MeasureName, category="evaluation", unit="pp", smallest_difference=ONE_POINT)
# Of shares, and of losses and distances.
_error = partial(_accuracy, direction=LOWER)
_loss = partial(MeasureName, category="evaluation", direction=LOWER)

MEASURES = {
    "test_accuracy": _accuracy(
        "Test accuracy", "Share of test samples whose most probable class is their label."
    ),
    "accuracy_in_domain": _accuracy(
        "In-domain accuracy",
        "Accuracy on the test samples of domains (such as devices or speakers) that training has, "
        "mean over these domains.",
    ),
    "accuracy_out_of_domain": _accuracy(
        "Out-of-domain accuracy",
        "Accuracy on the test samples of domains (such as devices or speakers) that training never "
        "saw, mean over these domains.",
    ),
    "domain_gap": _gap("Domain gap", "In-domain accuracy minus out-of-domain accuracy."),
    "generalisation_gap": _gap(
        "Generalisation gap",
        "Accuracy on the training data minus accuracy on the test data, both without augmentation.",
    ),
    "test_ece": _error(
        "Test ECE",
        "Expected calibration error on the test data: mean distance between confidence and "
        "accuracy over equal-width bins of confidence.",
    ),
    "test_ece_published": _diagnostic(
        "Test ECE, published",
        "Expected calibration error as published, with a bin of its own for confidence 1.",
        unit="fraction",
        direction=LOWER,
        smallest_difference=ONE_IN_A_HUNDRED,
    ),
    "test_nll": _loss(
        "Test NLL",
        "Mean negative log-likelihood (cross-entropy) of the test labels.",
        unit="nats",
    ),
    "temperature": _diagnostic(
        "Temperature",
        "Number that the logits are divided by for the least cross-entropy on test samples: above "
        "1 for a network that is over-confident.",
    ),
    "test_ece_scaled": _diagnostic(
        "Test ECE, scaled",
        "Expected calibration error after temperature scaling, each half of the test data by the "
        "temperature of the other half.",
        unit="fraction",
        direction=LOWER,
        smallest_difference=ONE_IN_A_HUNDRED,
    ),
    "test_nll_scaled": _diagnostic(
        "Test NLL, scaled",
        "Negative log-likelihood of the test labels after the same temperature scaling.",
        unit="nats",
        direction=LOWER,
    ),
    "aurc": _diagnostic(
        "AURC",
        "Area under the risk–coverage curve: error among the test samples of which a network is "
        "surest, mean over how many it answers.",
        unit="fraction",
        direction=LOWER,
    ),
    "shifted_accuracy": _accuracy(
        "Shifted accuracy",
        "Accuracy on test sets with the same classes from elsewhere, mean over these sets.",
    ),
    "shifted_ece": _error(
        "Shifted ECE", "Expected calibration error on these sets, mean over them."
    ),
    "shifted_nll": _loss(
        "Shifted NLL",
        "Mean negative log-likelihood of the labels of these sets, mean over them.",
        unit="nats",
    ),
    "unseen_auroc": _accuracy(
        "AUROC, unseen classes",
        "Probability that the network is surer (by its largest probability) of a sample of the "
        "test data than of one of classes that it never saw, mean over sets of these.",
    ),
    "unseen_fpr95": _error(
        "FPR at 95 %, unseen classes",
        "Share of samples of classes that it never saw of which the network is as sure as of 95 % "
        "of the test data, mean over sets of these.",
    ),
    "test_brier": _loss(
        "Test Brier score",
        "Mean squared distance between the predicted probabilities and the one-hot test labels.",
    ),
    "corruption_accuracy": _accuracy(
        "Corruption accuracy",
        "Accuracy on the published corrupted set, mean over corruptions and severities.",
        unit="%",
        smallest_difference=ONE_POINT,
    ),
    "corruption_accuracy_generated": _accuracy(
        "Corruption accuracy, generated",
        "Accuracy on corruptions of the test data that were generated here, mean over corruptions "
        "and severities; not that on a published set.",
        unit="%",
        smallest_difference=ONE_POINT,
    ),
    "prediction_disagreement": _error(
        "Prediction disagreement",
        "Share of test samples on which the most probable classes of two models of the same "
        "condition differ, mean over pairs of seeds.",
    ),
    "jensen_shannon_divergence": _loss(
        "Jensen–Shannon divergence",
        "Divergence between the predicted probabilities of two models of the same condition, "
        "mean over test samples and pairs of seeds.",
        unit="nats",
    ),
    "l2_distance": _loss(
        "L2 distance",
        "Euclidean distance between the outputs of two models of the same condition, mean over "
        "test samples and pairs of seeds.",
    ),
    "fisher_rao_norm": _sharpness(
        "Fisher–Rao norm",
        "Length of the parameters in the Fisher information metric (Liang et al. 2019).",
    ),
    "sam_sharpness": _sharpness(
        "SAM-sharpness",
        "Mean absolute change of the training loss under small random perturbations of the "
        "parameters, divided by their radius.",
    ),
    "sam_sharpness_signed": _diagnostic(
        "SAM-sharpness, signed",
        "Mean change of the training loss under small random perturbations of the parameters, "
        "divided by their radius.",
    ),
    "relative_flatness": _sharpness(
        "Relative flatness",
        "Trace of the loss's Hessian in the last layer, weighted by the products of its weight "
        "vectors (Petzka et al. 2021): despite its name, larger is sharper.",
    ),
    "hessian_top_eigenvalue": _sharpness(
        "Largest Hessian eigenvalue",
        "Curvature of the training loss in the direction in which it is curved most.",
    ),
    "hessian_trace": _sharpness(
        "Hessian trace",
        "Sum of the curvatures of the training loss in all directions, estimated with Hutch++.",
    ),
    "gauss_newton_top_eigenvalue": _sharpness(
        "Largest Gauss–Newton eigenvalue",
        "Largest curvature of the training loss where the network is replaced by its "
        "linearisation; the largest eigenvalue of the Fisher information matrix.",
    ),
    "gauss_newton_trace": _sharpness(
        "Gauss–Newton trace",
        "Sum of the curvatures of the training loss where the network is replaced by its "
        "linearisation, estimated with Hutch++; the trace of the Fisher information matrix.",
    ),
    "asc_sharpness": _sharpness(
        "ASC sharpness",
        "Range of the training loss in a disc of filter-normalised random directions, over one "
        "plus its minimum (Milling et al. 2023); mean over pairs of directions.",
        unit="%",
    ),
    "adaptive_sharpness_average": _sharpness(
        "Adaptive sharpness, average",
        "Mean increase of the training loss when each parameter is moved at random in proportion "
        "to its size (Andriushchenko et al. 2023).",
        unit="nats",
    ),
    "adaptive_sharpness_worst": _sharpness(
        "Adaptive sharpness, worst case",
        "Largest increase of the training loss found when each parameter may be moved in "
        "proportion to its size (Kwon et al. 2021).",
        unit="nats",
    ),
    "quotient_sharpness_average": _sharpness(
        "Quotient sharpness, average",
        "Adaptive sharpness, average, where the factors of attention are balanced, so that it does "
        "not depend on which of the factors with the same products they are (after da Silva et al. "
        "2025).",
        unit="nats",
    ),
    "quotient_sharpness_worst": _sharpness(
        "Quotient sharpness, worst case",
        "Adaptive sharpness, worst case, where the factors of attention are balanced, so that it "
        "does not depend on which of the factors with the same products they are (after da Silva "
        "et al. 2025).",
        unit="nats",
    ),
    "preconditioned_top_eigenvalue": _sharpness(
        "Preconditioned top eigenvalue",
        "Largest eigenvalue of the training loss's Hessian, preconditioned as the adaptive "
        "optimiser divides gradients (Cohen et al. 2022).",
    ),
    "critical_sharpness": _sharpness(
        "Critical sharpness",
        "2 over the smallest learning rate at which a step along the update raises the training "
        "loss (Kalra et al. 2026).",
    ),
    "batch_sharpness": _sharpness(
        "Batch sharpness",
        "Curvature of the losses of batches along their own gradients (Andreyev and Beneventano "
        "2024).",
    ),
    "path_share_first": _diagnostic(
        "Path, share of the first direction",
        "Share of the squared distances from the end of training that lies along the first "
        "principal direction of the weights on the way.",
    ),
    "path_share_second": _diagnostic(
        "Path, share of the second direction",
        "The same along the second principal direction.",
    ),
    "path_length": _diagnostic(
        "Path length",
        "Sum of the distances between the weights of successive moments that were kept; the path "
        "of all steps is longer.",
    ),
    "path_directness": _diagnostic(
        "Path directness",
        "Distance between first and last weights over the length of the path: 1 if it is straight.",
    ),
    "edge_ratio": _diagnostic(
        "Eigenvalue over threshold",
        "Largest eigenvalue that decides whether steps are stable, over what they can bear: 1 at "
        "the edge of stability.",
    ),
    "stability_threshold": _diagnostic(
        "Threshold of stability",
        "Largest eigenvalue at which full-batch steps of the optimiser are stable: 2 over the "
        "learning rate for gradient descent.",
    ),
    "small_batch_threshold": _diagnostic(
        "Threshold of small batches",
        "2 (1 - momentum) over the learning rate, where batch sharpness hovers in small batches.",
    ),
    "fisher_rao_norm_l5": _diagnostic(
        "Fisher–Rao norm, L = 5",
        "Fisher–Rao norm with the factor 6 that was published in 2025 for every network.",
    ),
    "sam_sharpness_published": _diagnostic(
        "SAM-sharpness, published",
        "SAM-sharpness as published: the data are shuffled and augmented again for every "
        "perturbation, and BatchNorm's statistics are perturbed too.",
    ),
    "sam_sharpness_null": _diagnostic(
        "SAM-sharpness, null",
        "The published procedure without any perturbation: the floor of its noise.",
    ),
    "relative_flatness_published": _diagnostic(
        "Relative flatness, published",
        "Relative flatness as published: summed over mini-batches, of a network whose features "
        "are rescaled before the last block's shortcut is added.",
    ),
    "relative_flatness_published_loss": _diagnostic(
        "Training loss of the published relative flatness",
        "Training loss of the rescaled network that the published relative flatness measures; "
        "another than the training loss means another function.",
        unit="nats",
    ),
    "hessian_smallest_eigenvalue": _diagnostic(
        "Smallest Hessian eigenvalue",
        "Most negative curvature of the training loss; at a minimum it would not be below zero.",
    ),
    "asc_sharpness_max": _diagnostic(
        "ASC sharpness, maximum", "Largest ASC sharpness of all pairs of directions.", unit="%"
    ),
    "asc_sharpness_std": _diagnostic(
        "ASC sharpness, deviation", "Standard deviation of ASC sharpness over pairs.", unit="%"
    ),
    "asc_sharpness_cv": _diagnostic(
        "ASC sharpness, coefficient of variation",
        "Standard deviation over mean of ASC sharpness over pairs of directions.",
    ),
    "squared_weight_norm": _training(
        "Squared weight norm", "Sum of the squares of all parameters."
    ),
    "train_loss": _training(
        "Training loss",
        "Mean loss on the training data: the cross-entropy, unless training had another one.",
        unit="nats",
        direction=LOWER,
        log_axis=True,
    ),
    "train_accuracy": _training(
        "Training accuracy",
        "Share of training samples whose most probable class is their label.",
        unit="fraction",
        direction=HIGHER,
        smallest_difference=ONE_IN_A_HUNDRED,
    ),
    "train_gradient_norm": _training(
        "Gradient norm",
        "Euclidean norm of the gradient of the training loss over all parameters; zero at a "
        "minimum.",
        unit="nats per unit of parameter",
        log_axis=True,
    ),
    "train_label_entropy": _diagnostic(
        "Entropy of the training labels",
        "Cross-entropy of the best guess without any look at the inputs: the loss of a network "
        "that has learnt how frequent each class is, and nothing else.",
        unit="nats",
    ),
    "train_label_impurity": _diagnostic(
        "Impurity of the training labels",
        "Squared error of the best guess without any look at the inputs, half the labels' Gini "
        "impurity: the loss of a network that has learnt how frequent each class is, and nothing "
        "else.",
        unit="squared outputs",
    ),
    **COMPLEXITY,
}


PLACES = {name: place for place, name in enumerate(MEASURES)}
# Of `training.loss`.
UNITS_OF_LOSSES = {"cross_entropy": "nats", "squared_error": "squared outputs"}


def unit_of_loss(conditions: "pd.DataFrame", dataset: str) -> str:
    """Return the unit of the one loss that the conditions of a data set are trained with.

    Args:
        conditions: rows of `model_table.conditions_table`.
        dataset: one of theirs.
    """
    losses = conditions.loc[conditions["dataset"] == dataset, "loss"].dropna()
    return UNITS_OF_LOSSES[losses.iloc[0]] if len(losses) else UNITS_OF_LOSSES["cross_entropy"]


def describe(measure: str, family: str = "evaluation", unit: str = "1") -> MeasureName:
    """Return how to present a measure.

    One that `MEASURES` does not hold goes by its own name and the unit of its data; it is an
    evaluation or a number about training if its family says so, and sharpness otherwise, whose
    values usually differ by factors.
    """
    if measure in MEASURES:
        found = MEASURES[measure]
        # Of another loss than a cross-entropy, what is in nats is in the unit of that, and so is
        # what has none for a softmax, such as the Fisher–Rao norm.
        of_loss = "nats" in found.unit or unit == UNITS_OF_LOSSES["squared_error"]
        return replace(found, unit=unit) if of_loss and unit != "1" else found
    if (attack := Named.parse(measure)) is not None:
        return _adversarial(attack, unit)
    if (at := AtRadius.parse(measure)) is not None:
        found = MEASURES[at.measure]
        text = f"{found.description[:-1]}: {at.radius:g}."
        return replace(found, label=f"{found.label}, radius {at.radius:g}", description=text)
    category = family if family in ("evaluation", "training") else "sharpness"
    symbol = UNIT_SYMBOLS.get(unit, unit)
    text = f"{measure}, not described."
    return MeasureName(measure, text, category, symbol, log_axis=category == "sharpness")


def _adversarial(found: Named, unit: str) -> MeasureName:
    """Return how to present a measure of attacks, which has the norm and the radius in its name.

    The unit of a radius is that of the data, if these say it.
    """
    of = " of log-mels" if found.recordings else ""
    inputs = "log-mels" if found.recordings else "inputs"
    if found.accuracy:
        return _accuracy(
            f"Adversarial accuracy{of}, {found.norm} {found.radius}",
            f"Share of test samples that no attack fools which changes the {inputs} by at most"
            f" {found.radius} ({found.norm}).",
        )
    return MeasureName(
        f"Adversarial radius{of}, {found.norm}",
        f"Smallest change of the {inputs} ({found.norm}) that attacks find and that fools half of"
        " the test samples.",
        "evaluation",
        "dB" if found.recordings else UNIT_SYMBOLS.get(unit, unit),
        direction=HIGHER,
    )


def measures_of(frame: "pd.DataFrame", *categories: Category) -> dict[str, MeasureName]:
    """Return the measures in a frame that belong to one of the categories, by name.

    Categories come in the given order; within one, measures come in the order of `MEASURES`, those
    at further radii after the one at the usual, then in order of appearance.

    Args:
        frame: columns ``measure``, ``family`` and ``unit``.
        *categories: those wanted.
    """
    rows = frame[["measure", "family", "unit"]].drop_duplicates("measure")
    found = {row.measure: describe(*row) for row in rows.itertuples(index=False)}
    return {
        measure: found[measure]
        for category in categories
        for measure in sorted(found, key=_place)
        if found[measure].category == category
    }


def _place(measure: str) -> tuple[int, float]:
    at = AtRadius.parse(measure) or AtRadius(measure, 0.0)
    return PLACES.get(at.measure, len(PLACES)), at.radius


def names_in(
    frame: "pd.DataFrame", smallest_differences: Mapping[str, float | str]
) -> dict[str, MeasureName]:
    """Return how to present each measure in a frame, in order of appearance.

    Args:
        frame: columns ``measure``, ``family`` and ``unit``.
        smallest_differences: those of a study (``analysis.smallest_differences``), by measure.

    Raises:
        InputError: one of them is neither a number nor a share.
    """
    rows = frame[["measure", "family", "unit"]].drop_duplicates("measure")
    names = {row.measure: describe(*row) for row in rows.itertuples(index=False)}
    own = {
        measure: SmallestDifference.parse(given, f"analysis.smallest_differences.{measure}")
        for measure, given in smallest_differences.items()
        if measure in names
    }
    return names | {
        measure: replace(names[measure], smallest_difference=found)
        for measure, found in own.items()
    }
