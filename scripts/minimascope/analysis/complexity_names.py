"""What measures of the function near the data, and norms and bounds, are called."""

from functools import partial

from .measure_name import MeasureName
from .smallest_difference import SmallestDifference

_complexity = partial(MeasureName, category="complexity")
_size = partial(_complexity, log_axis=True)
# Of logarithms: five percent of what is behind them, too.
_logarithm = partial(_complexity, smallest_difference=SmallestDifference(0.05))


def _near_data(data: str, prefix: str = "") -> dict[str, MeasureName]:
    """Return the measures of the function near one part of the data."""
    of = f" ({data} data)"
    found = {
        "jacobian_norm": _size(
            f"Jacobian norm{of}",
            f"Mean Frobenius norm of the logits' Jacobian with respect to the {data} inputs "
            "(Novak et al. 2018).",
            unit="logits per unit of input",
        ),
        "logit_margin": _complexity(
            f"Logit margin{of}",
            f"Logit of the label minus the largest other, median over the {data} samples.",
            unit="logits",
        ),
        "boundary_distance": _complexity(
            f"Distance to the boundary{of}",
            "First-order Euclidean distance of an input to the nearest decision boundary, negative "
            f"where the prediction is wrong, median over the {data} samples (Elsayed et al. 2018).",
            unit="units of input",
        ),
        "boundary_distance_attack": _complexity(
            f"Distance by an attack{of}",
            "Euclidean length of the smallest change found by Auto-PGD that fools the network, 0 "
            f"where the prediction is wrong, median over some {data} samples (Croce & Hein 2020).",
            unit="units of input",
        ),
    }
    for size in ("small", "medium", "large"):
        found[f"noise_sensitivity_{size}"] = _size(
            f"Sensitivity to {size} noise{of}",
            f"Mean absolute change of the loss of {data} samples under {size} Gaussian noise of "
            "their inputs.",
            unit="nats",
        )
    return {prefix + name: found[name] for name in found}


COMPLEXITY = {
    **_near_data("training"),
    **_near_data("test", "test_"),
    "log_product_of_spectral_norms": _logarithm(
        "ln product of spectral norms",
        "Logarithm of the product of the layers' squared spectral norms (Jiang et al. 2020, 32).",
    ),
    "log_product_of_spectral_norms_over_margin": _logarithm(
        "ln product of spectral norms over margin",
        "Logarithm of the product of the layers' squared spectral norms over the squared margin "
        "(Jiang et al. 2020, 31).",
    ),
    "log_sum_of_spectral_norms": _logarithm(
        "ln sum of spectral norms",
        "Logarithm of the number of layers times the geometric mean of their squared spectral "
        "norms (Jiang et al. 2020, 35).",
    ),
    "log_spectral_bound": _logarithm(
        "ln spectral bound",
        "Logarithm of the complexity in the spectrally normalised margin bound (Bartlett et al. "
        "2017; Jiang et al. 2020, 30).",
    ),
    "frobenius_over_spectral": _size(
        "Frobenius over spectral norms",
        "Sum over layers of the squared Frobenius norm over the squared spectral norm: their "
        "stable ranks (Jiang et al. 2020, 33).",
    ),
    "log_product_of_frobenius_norms": _logarithm(
        "ln product of Frobenius norms",
        "Logarithm of the product of the layers' squared Frobenius norms (Jiang et al. 2020, 37).",
    ),
    "frobenius_distance": _size(
        "Distance from initialisation",
        "Sum of the squared distances of the layers' weights from the initial ones (Jiang et al. "
        "2020, 40).",
    ),
    "spectral_distance": _size(
        "Spectral distance from initialisation",
        "Sum of the squared spectral norms of what training changed in the layers' weights (Jiang "
        "et al. 2020, 41).",
    ),
    "log_path_norm": _logarithm(
        "ln path norm",
        "Logarithm of the sum over all paths of the products of their squared weights (Neyshabur "
        "et al. 2015; Jiang et al. 2020, 44).",
    ),
    "log_path_norm_over_margin": _logarithm(
        "ln path norm over margin",
        "Logarithm of the path norm over the squared margin (Jiang et al. 2020, 43).",
    ),
    "inverse_margin": _size(
        "Inverse margin",
        "One over the square of the margin that a tenth of the training samples fall short of "
        "(Jiang et al. 2020, 22).",
        unit="per squared logit",
    ),
    "pac_bayes_flatness": _size(
        "PAC-Bayes flatness",
        "One over the variance of the noise of all parameters that raises the training error by "
        "a tenth (Jiang et al. 2020, 53).",
    ),
    "pac_bayes_orig": _size(
        "PAC-Bayes bound",
        "Complexity in the PAC-Bayes bound with that noise and a prior around zero (Jiang et al. "
        "2020, 49).",
    ),
    "pac_bayes_init": _size(
        "PAC-Bayes bound from initialisation",
        "Complexity in the PAC-Bayes bound with that noise and a prior around the initial weights "
        "(Jiang et al. 2020, 48).",
    ),
    "pac_bayes_magnitude_flatness": _size(
        "PAC-Bayes flatness, relative",
        "One over the variance of the noise in proportion to each parameter that raises the "
        "training error by a tenth (Jiang et al. 2020, 61).",
    ),
}
