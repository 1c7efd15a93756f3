"""Figures of measures along trainings, over epochs and over the training loss."""

import numpy as np
import pandas as pd
import pytest
from figure_cases import RUN, figure_of, labels

BOTH = ["trajectory", "trajectory_loss"]


def along(epochs, measure="sam_sharpness", family="perturbation"):
    """The rows of one measure after these epochs, with the training loss of each or none."""
    row = {**RUN, "condition": "baseline", "seed": 0, "view": "clean", "family": family}
    row |= {"measure": measure, "unit": "1", "value": 2.0, "learning_rate": 0.1, "trained": True}
    rows = [row | {"epoch": float(e), "train_loss": loss} for e, loss in epochs.items()]
    return pd.DataFrame(rows)


@pytest.mark.parametrize("name", BOTH)
def test_a_measure_at_two_moments_has_a_panel(name):
    figure = figure_of(name, {"trajectory": along({0: 2.0, 5: 1.0})})
    assert labels(figure.axes, "ylabel")[0] == "SAM-sharpness (–)"


@pytest.mark.parametrize("name", BOTH)
def test_a_study_of_paths_alone_is_told_that_nothing_was_measured_at_two_moments(name):
    table = along({5: 1.0}, "path_length", "path")
    figure = figure_of(name, {"trajectory": table})
    assert figure.get_label() == "nothing was measured at two moments of a training"


def test_measures_without_a_training_loss_are_not_drawn_over_it():
    figure = figure_of("trajectory_loss", {"trajectory": along({0: np.nan, 5: np.nan})})
    assert figure.get_label() == "no training loss is known where measures were taken on the way"
