"""Sharpness on a part of the training data, `FamilySpec.samples`."""

from dataclasses import replace

import pytest
import torch

from minimascope.data.prepared import Dataset, Split
from minimascope.networks import NetworkSpec, initialise
from minimascope.sharpness.family import FamilySpec, measure_family

ALL, SOME = 40, 12


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    draws = torch.Generator().manual_seed(1)
    inputs = torch.rand(ALL, 1, 8, 8, generator=draws)
    split = Split(inputs, torch.arange(ALL) % 3)
    return Dataset(split, split.rows(torch.arange(9)), ("a", "b", "c"))


@pytest.fixture(scope="module")
def model():
    return initialise(NetworkSpec("mlp", 1, (8, 8), 3, options={"hidden_layers": 1}), 0).eval()


def measured(model, dataset, family="forward", seed=0, **changed):
    spec = FamilySpec(family, {}, "clean", None, 0.0, 0.0)
    spec = replace(spec, **changed)
    found = measure_family(model, dataset, seed, torch.device("cpu"), spec)[0].measurements
    return {one.measure: (one.value, one.n) for one in found}


@pytest.fixture(scope="module")
def rows(model, dataset) -> torch.Tensor:
    """Which samples a measure is of: those whose inputs have a gradient."""
    taken = torch.zeros(ALL, dtype=torch.bool)
    for row in range(ALL):
        inputs = dataset.train.inputs.clone()
        inputs[row] += 1
        other = replace(dataset, train=replace(dataset.train, inputs=inputs))
        loss = measured(model, other, samples=SOME)["train_loss"]
        taken[row] = loss != measured(model, dataset, samples=SOME)["train_loss"]
    return taken.nonzero()[:, 0]


def test_a_measure_of_some_samples_is_that_of_a_data_set_of_these_alone(model, dataset, rows):
    assert len(rows) == SOME
    alone = replace(dataset, train=dataset.train.rows(rows))
    found, expected = measured(model, dataset, samples=SOME), measured(model, alone)
    assert {n for _, n in found.values()} == {SOME}
    assert found == expected != measured(model, dataset)


def test_the_samples_are_the_same_for_all_seeds_and_views(model, dataset):
    first, second = (measured(model, dataset, seed=seed, samples=SOME) for seed in (0, 1))
    assert first["train_loss"] == second["train_loss"]
    # Padding by nothing leaves every picture as it is.
    seen = measured(model, dataset, samples=SOME, view="augmented", augment={"crop_padding": 0})
    assert seen["train_loss"] == first["train_loss"]


def test_more_samples_than_there_are_are_all(model, dataset):
    assert measured(model, dataset, samples=ALL + 1) == measured(model, dataset)
