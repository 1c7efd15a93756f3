"""One call for programs other than the workflow."""

import copy
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from sharpness_cases import FEW, few_for
from torch import nn

from minimascope.data.augment import Augmentation
from minimascope.data.prepared import Split
from minimascope.errors import InputError
from minimascope.registry import SHARPNESS
from minimascope.seeding import child, generator
from minimascope.sharpness import measure
from minimascope.sharpness.objective import Objective
from minimascope.sharpness.perturbation import OF_QUOTIENT, sam_sharpness

DOCUMENTS = Path(__file__).parents[2] / "docs"


def problem() -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    model = nn.Sequential(
        *(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU()),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3)),
    )
    return model, torch.randn(20, 1, 8, 8), torch.arange(20) % 3


def test_the_example_of_the_documentation_runs(capsys):
    text = (DOCUMENTS / "measures.md").read_text(encoding="utf-8")
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]
    assert len(code.strip().splitlines()) <= 13
    exec(compile(code, "measures.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    for name, line in zip(re.findall(r'"(\w+)"', code)[-len(lines) :], lines, strict=True):
        assert re.match(rf"{name} = \d", line)


def test_every_family_gives_what_the_registry_says_and_nothing_else():
    model, inputs, _ = problem()
    # Margins are of networks that are right.
    labels, others = model.eval()(inputs).argmax(1), {"augmentation": Augmentation(1)}
    others |= {"settings": FEW, "initial": copy.deepcopy(model)}
    found = measure(model, inputs, labels, list(SHARPNESS), **others)
    every = [name for family in SHARPNESS.values() for name in family.gives]
    # There are no test data, no squared error and no attention.
    absent = [name for name in SHARPNESS["input"].gives if name.startswith("test_")]
    absent += ["train_label_impurity", *OF_QUOTIENT]
    assert list(found) == [name for name in every if name not in absent]
    assert all(m.measure == name and m.n == 20 for name, m in found.items())


def test_the_order_is_the_one_asked_for_and_a_single_name_will_do():
    model, inputs, labels = problem()
    names = ["train_accuracy", "asc_sharpness_max", "fisher_rao_norm"]
    assert list(measure(model, inputs, labels, names, settings=few_for(*names))) == names
    assert list(measure(model, inputs, labels, "train_loss")) == ["train_loss"]


def test_values_are_those_of_the_families_and_the_model_stays_as_it_was():
    model, inputs, labels = problem()
    model.train()
    before = copy.deepcopy(model.state_dict())
    found = measure(model, inputs, labels, "sam_sharpness", seed=5)["sam_sharpness"]
    draws = child(generator(5, "perturbation"), "SAM-sharpness")
    expected = sam_sharpness(model, Objective(Split(inputs, labels)), generator=draws)
    assert found.value == expected.mean
    assert found.standard_error == expected.standard_error
    assert model.training
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_measures_at_further_radii_are_asked_for_by_their_names_or_with_their_family():
    few, names = {"samples": 3}, ["sam_sharpness_signed_0p1", "sam_sharpness_0p02"]
    found = measure(*problem(), names, settings={"perturbation": few})
    assert list(found) == names
    family = measure(
        *problem(), "perturbation", settings={"perturbation": few | {"more_radii": [0.02, 0.1]}}
    )
    assert list(family)[-4:] == [
        *("sam_sharpness_0p02", "sam_sharpness_signed_0p02"),
        *("sam_sharpness_0p1", "sam_sharpness_signed_0p1"),
    ]
    assert {name: family[name] for name in names} == found
    with_more = {"perturbation": few | {"more_radii": [0.3]}}
    (name,) = measure(*problem(), "sam_sharpness_0p02", settings=with_more)
    assert name == "sam_sharpness_0p02"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"measures": "sam_sharpness_0p20"}, "unknown name 'sam_sharpness_0p20'"),
        ({"measures": "sam_sharpness_0"}, "unknown name 'sam_sharpness_0'"),
        ({"measures": "sam_sharpness_0p005"}, "more_radii: 0.005 is measured already; leave it"),
        ({"measures": ["sam_sharpnes"]}, "unknown name 'sam_sharpnes'; did you mean 'sam_sharp"),
        ({"labels": torch.full((20,), 3)}, "labels run from 3 to 3, but the network has 3 logits"),
        ({"labels": torch.full((20,), -1)}, "labels run from -1 to -1"),
        ({"inputs": torch.zeros(0, 1, 8, 8), "labels": torch.zeros(0).long()}, "0 inputs"),
        ({"labels": torch.zeros(19).long()}, "20 inputs and 19 labels"),
        (
            {"inputs": torch.zeros(20, 2, 8, 8)},
            "does not take these inputs, of shape [20, 2, 8, 8]",
        ),
        ({"inputs": {"a": torch.zeros(20, 1, 8, 8)}}, "these inputs, of shape a [20, 1, 8, 8]"),
        ({"measures": "frobenius_distance"}, "give the network with these as initial="),
        ({"measures": "sam_sharpness_0.1"}, "'sam_sharpness_0.1'; write sam_sharpness_0p1"),
        ({"measures": "critical_sharpness"}, "takes a study with training.keep; leave it out"),
        ({"measures": "edge_of_stability"}, "takes a study with training.keep; leave it out"),
        ({"measures": "temperature"}, "'temperature' is an evaluation on test data"),
        ({"measures": "adversarial_accuracy"}, "is an evaluation on test data"),
        ({"measures": ["test_accuracy"]}, "no part of the call"),
        ({"settings": {"hessian": {}}}, "settings.hessian: none of its measures is asked for"),
    ],
)
def test_bad_arguments_are_told_in_one_line(change, message):
    model, inputs, labels = problem()
    arguments = {"inputs": inputs, "labels": labels, "measures": "fisher_rao_norm"} | change
    with pytest.raises(InputError) as caught:
        measure(model, **arguments)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"samples": 3}, "settings.samples: unknown key"),
        ({"hesian": {}}, "settings.hesian: unknown key; did you mean 'hessian'?"),
        ({"forward": {"publishd": True}}, "settings.forward.publishd: unknown key; did you mean"),
        ({"perturbation": {"samples": 1}}, "settings.perturbation.samples: must be at least 2"),
        ({"perturbation": {"samples": 3.5}}, "settings.perturbation.samples: expected"),
        ({"perturbation": {"radius": "small"}}, "settings.perturbation.radius: expected"),
        ({"perturbation": {"adaptive": {"norm": "l3"}}}, "adaptive.norm: unknown name 'l3'"),
        ({"hessian": {"dtype": torch.float64}}, "settings.hessian.dtype: unknown name"),
        ({"hessian": None}, "settings.hessian: expected"),
        # Which networks are measured is for a study to say.
        ({"hessian": {"only": {"seeds": [0]}}}, "settings.hessian.only: unknown key"),
        (
            {"landscape": {"more_directions": {"direction_seeds": [7]}}},
            "settings.landscape.more_directions: unknown key",
        ),
        ({"landscape": {"normalisation": "filters"}}, "did you mean 'filter'?"),
    ],
)
def test_settings_have_the_names_types_and_ranges_of_a_study(settings, message):
    with pytest.raises(InputError) as caught:
        measure(*problem(), "train_loss", settings=settings)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_settings_may_be_tuples_and_numbers_of_numpy():
    plain = {"points": 3, "direction_seeds": [42, 43], "radius": 0.5}
    other = {"points": np.int64(3), "direction_seeds": (42, 43), "radius": np.float32(0.5)}
    first, second = (
        measure(*problem(), "asc_sharpness", settings={"landscape": chosen})
        for chosen in (plain, other)
    )
    assert first == second


def test_progress_is_shown_where_it_is_asked_for_and_nowhere_else(capfd):
    few = {"perturbation": {"samples": 3}}
    for shown in (False, True, False):
        measure(*problem(), "sam_sharpness", settings=few, progress=shown)
        printed = capfd.readouterr()
        assert ("perturbations: 100%" in printed.err) is shown
        assert printed.out == ""
        assert shown or printed.err == ""


def test_a_network_that_diverged_and_one_without_a_linear_end_are_refused():
    model, inputs, labels = problem()
    with torch.no_grad():
        model[5].weight[0, 0] = torch.nan
    with pytest.raises(InputError, match=r"5\.weight: holds NaN"):
        measure(model, inputs, labels)
    convolutional = nn.Sequential(nn.Conv2d(1, 3, 8), nn.Flatten())
    with pytest.raises(
        InputError,
        match="logits of Sequential are not the output of a linear",
    ):
        measure(convolutional, inputs, labels, "relative_flatness")
    # a loss alone needs no linear layer
    assert measure(convolutional, inputs, labels, "sam_sharpness")["sam_sharpness"].value > 0


@pytest.mark.parametrize(
    ("name", "loss", "settings"),
    [
        ("train_label_impurity", "cross_entropy", {}),
        ("train_label_entropy", "squared_error", {}),
        ("hessian_trace", "cross_entropy", {"hessian": {"trace_products": 0}}),
        ("sam_sharpness_published", "cross_entropy", {"perturbation": {"published": False}}),
    ],
)
def test_a_measure_that_is_named_and_not_there_is_refused(name, loss, settings):
    model, inputs, labels = problem()
    with pytest.raises(InputError, match=f"^{name}: there is none with this loss and these"):
        measure(model, inputs, labels, [name, "train_loss"], loss=loss, settings=settings)
