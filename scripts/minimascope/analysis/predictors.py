"""Which measures of a network, known from training alone, are asked to predict its gap, and how."""

from typing import NamedTuple

import pandas as pd

from .measure_names import measures_of

SHARPNESS, NORMS, FUNCTION, MARGINS = "sharpness", "norm or bound", "function", "margin"
KINDS = SHARPNESS, NORMS, FUNCTION, MARGINS
# Kinds by the family that measures them, before what `measure_names` says of a measure.
KIND_OF_FAMILY = {"norms": NORMS, "input": FUNCTION}
# Measures that a family of another kind takes along.
_MARGINS = ("logit_margin", "boundary_distance", "boundary_distance_attack")
KIND_OF = {"squared_weight_norm": NORMS, **dict.fromkeys(_MARGINS, MARGINS)}
# Those of which smaller values are to predict a larger gap: safe distances.
SAFE_IF_LARGE = frozenset(_MARGINS)
# Measured on the test data, which a prediction must not see.
OF_TEST_DATA = "test_"


class Predictor(NamedTuple):
    """A measure's kind, of `KINDS`, and 1 if larger values predict a larger gap, -1 if smaller."""

    kind: str
    sign: int


def predictors_in(measures: pd.DataFrame) -> dict[str, Predictor]:
    """Return the predictors in a table of measures, by name, kind by kind.

    That is all sharpness, norms and what is measured of the function on the training data; no
    measure of the test data, and none that is kept to check another one.

    Args:
        measures: columns ``measure``, ``family`` and ``unit``.
    """
    names = measures_of(measures, "sharpness", "complexity", "training", "evaluation")
    family = measures.drop_duplicates("measure").set_index("measure")["family"]
    sharp = measures_of(measures, "sharpness")
    kinds = {
        name: KIND_OF.get(name)
        or KIND_OF_FAMILY.get(family[name], SHARPNESS if name in sharp else "")
        for name in names
        if not name.startswith(OF_TEST_DATA)
    }
    return {
        name: Predictor(kind, -1 if name in SAFE_IF_LARGE else 1)
        for wanted in KINDS
        for name, kind in kinds.items()
        if kind == wanted
    }
