"""Means of what is measured between all pairs of models."""

import numpy as np

from ..errors import InputError


def mean_over_pairs(matrix: np.ndarray) -> tuple[float, float]:
    """Return the mean of a measure over the pairs of m models, and its standard error.

    Pairs that share a model are not independent, so the error is a jackknife over models: with
    θ₍ᵢ₎ the mean over the pairs without model i and θ₍.₎ the mean of these,
    SE = √((m - 1)/m Σᵢ (θ₍ᵢ₎ - θ₍.₎)²) (Efron & Stein 1981). It is NaN for two models.

    Args:
        matrix: symmetric [m, m], entry (i, j) the measure between models i and j. The diagonal
            is not used; a NaN elsewhere makes both results NaN.

    Raises:
        InputError: if the matrix is not square and symmetric or has fewer than two models.
    """
    matrix = np.asarray(matrix, dtype=np.float64)
    if matrix.ndim != 2 or len(matrix) != matrix.shape[1]:
        raise InputError(f"pair matrix: shape {list(matrix.shape)}; give [m, m] for m models")
    if len(matrix) < 2:
        raise InputError(f"pair matrix: {len(matrix)} models; at least two make a pair")
    off_diagonal = np.where(np.eye(len(matrix), dtype=bool), 0, matrix)
    if not np.allclose(off_diagonal, off_diagonal.T, rtol=1e-9, atol=1e-12, equal_nan=True):
        raise InputError("pair matrix: not symmetric; give each pair the same value twice")
    models = len(matrix)
    total = off_diagonal.sum() / 2
    mean = total / (models * (models - 1) / 2)
    if models < 3:
        return float(mean), float("nan")
    without = (total - off_diagonal.sum(axis=1)) / ((models - 1) * (models - 2) / 2)
    variance = (models - 1) / models * ((without - without.mean()) ** 2).sum()
    return float(mean), float(np.sqrt(variance))
