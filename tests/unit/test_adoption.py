"""Checkpoints in place of training: the same predictions as where they were trained."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from refusals import refused
from torch import nn
from torch.nn.utils import parametrizations

from minimascope.adoption import LARGEST_SAMPLE, Adoption, _reorder, adopt
from minimascope.data.prepared import Dataset, Split
from minimascope.errors import InputError
from minimascope.networks import NetworkSpec, initialise
from minimascope.networks.normalised import NormalisedInput

SPEC = NetworkSpec("mlp", 1, (4, 4), 3, options={"hidden_layers": 1})
NORMALIZE = {"mean": [0.5], "std": [0.5]}
CLASSES = ("cat", "dog", "fox")


def network(seed: int) -> nn.Module:
    return initialise(SPEC, seed).eval()


@pytest.fixture(scope="module")
def theirs() -> nn.Module:
    return network(1)


@pytest.fixture(scope="module")
def dataset(theirs) -> Dataset:
    """Pictures with the labels that the other network gives them."""
    draws = torch.Generator().manual_seed(0)
    inputs = torch.randint(0, 256, (600, 1, 4, 4), generator=draws, dtype=torch.uint8)
    labels = logits(theirs, inputs).argmax(1)
    assert labels.bincount().min() > 60
    split = Split(inputs, labels)
    return Dataset(split, split, CLASSES)


def logits(model: nn.Module, inputs: torch.Tensor, **normalize: Any) -> torch.Tensor:
    with torch.no_grad():
        return NormalisedInput(model, **NORMALIZE | normalize).eval()(inputs)


def adopted(path: Path, dataset: Dataset, content: Any = None, **settings: Any):
    if content is not None:
        torch.save(content, path)
    return adopt(Adoption("theirs", path, **settings), network(0), NORMALIZE, dataset, seed=0)


def test_predictions_are_those_of_the_checkpoint(tmp_path, theirs, dataset):
    state = {f"module._orig_mod.{name}": value for name, value in theirs.state_dict().items()}
    content = {"model": state, "ema": network(2).state_dict()}
    model, normalize, known = adopted(tmp_path / "a.pt", dataset, content)
    inputs = dataset.train.inputs
    assert torch.equal(model(inputs), logits(theirs, inputs))
    assert not model.training
    assert normalize == NORMALIZE
    assert known["key"] == "model"
    assert known["other_entries"] == ["ema"]
    assert known["prefix"] == "module._orig_mod."
    assert known["unknown"] == ["initial weights", "history", "order of batches"]
    assert (known["train_accuracy"], known["n"], known["doubt"]) == (1, 600, "")
    other, *_ = adopted(tmp_path / "a.pt", dataset, key="ema")
    assert torch.equal(other(inputs), logits(network(2), inputs))


def test_outputs_get_the_order_of_the_data(tmp_path, theirs, dataset):
    order = [2, 0, 1]  # the checkpoint's outputs are fox, cat, dog
    state = theirs.state_dict()
    state |= {name: value[order] for name, value in state.items() if name.startswith("head")}
    names = [CLASSES[i] for i in order]
    model, _, known = adopted(tmp_path / "a.pt", dataset, state, classes=names)
    inputs = dataset.train.inputs
    torch.testing.assert_close(model(inputs), logits(theirs, inputs))
    assert known["classes"] == names
    assert known["doubt"] == ""
    # Without the names, or with wrong ones, the right ones are told.
    for wrong in (None, ["dog", "fox", "cat"]):
        known = adopted(tmp_path / "a.pt", dataset, classes=wrong)[2]
        assert known["better_classes"] == names
        assert known["better_accuracy"] == 1
        assert 'with conditions.theirs.classes set to ["fox", "cat", "dog"]' in known["doubt"]


def test_a_checkpoint_is_fed_as_it_was_trained(tmp_path, theirs, dataset):
    normalize = {"mean": [0.2], "std": [0.1]}
    model, kept, known = adopted(
        tmp_path / "a.pt", dataset, theirs.state_dict(), normalize=normalize
    )
    inputs = dataset.train.inputs
    assert torch.equal(model(inputs), logits(theirs, inputs, **normalize))
    assert kept == known["normalize"] == normalize
    assert known["own_normalisation"]
    own = {"mean": None, "std": [0.1]}
    assert adopted(tmp_path / "a.pt", dataset, normalize=own)[1] == {"mean": [0.5], "std": [0.1]}
    with refused("conditions.theirs.normalize.mean: 2 values for 1 channel(s)"):
        adopted(tmp_path / "a.pt", dataset, normalize={"mean": [0.1, 0.2], "std": [1]})


def test_a_network_that_guesses_is_doubted_with_the_likely_causes(tmp_path, dataset):
    labels = torch.randint(3, (600,), generator=torch.Generator().manual_seed(3))
    unlike = replace(dataset, train=replace(dataset.train, labels=labels))
    known = adopted(tmp_path / "a.pt", unlike, network(1).state_dict())[2]
    assert "no better than guessing" in known["doubt"]
    assert "another order of classes (conditions.theirs.classes)" in known["doubt"]
    assert "another normalisation (conditions.theirs.normalize)" in known["doubt"]
    assert known["better_classes"] == []


def test_accuracy_is_of_a_sample_that_depends_on_the_seed_alone(tmp_path, theirs, dataset):
    repeated = [tensor.repeat(20, *[1] * (tensor.ndim - 1)) for tensor in vars_of(dataset)]
    large = replace(dataset, train=Split(*repeated))
    known = [adopted(tmp_path / "a.pt", large, theirs.state_dict())[2] for _ in range(2)]
    assert known[0]["n"] == LARGEST_SAMPLE
    assert known[0] == known[1]


def vars_of(dataset: Dataset) -> tuple[torch.Tensor, torch.Tensor]:
    return dataset.train.inputs, dataset.train.labels


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (["cat", "dog", "fix"], "no class 'fix' in the data; did you mean 'fox'?"),
        (["cat", "dog"], "has 2 of the 3 classes, not fox; list all"),
    ],
)
def test_classes_that_are_not_those_of_the_data_are_refused(
    tmp_path, theirs, dataset, classes, message
):
    with refused(f"conditions.theirs.classes: {message}"):
        adopted(tmp_path / "a.pt", dataset, theirs.state_dict(), classes=classes)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_a_match_is_a_training_from_the_studys_own_initial_weights(
    tmp_path, theirs, dataset, dtype
):
    start, end = tmp_path / "start.pt", tmp_path / "end.pt"
    torch.save({n: v.to(dtype) for n, v in network(0).state_dict().items()}, start)
    known = adopted(end, dataset, theirs.state_dict(), initial=start)[2]
    assert known["matched"]
    assert "initial weights" not in known["unknown"]
    torch.save(network(2).state_dict(), start)
    with refused("start.pt: body.1.weight is not that of the study's initial weights of seed 0"):
        adopted(end, dataset, initial=start)


def test_the_initial_weights_have_the_order_of_the_checkpoint(tmp_path, theirs, dataset):
    order, start, end = [2, 0, 1], tmp_path / "start.pt", tmp_path / "end.pt"
    for model, path in ((network(0), start), (theirs, end)):
        state = model.state_dict()
        torch.save(state | {n: v[order] for n, v in state.items() if "head" in n}, path)
    names = [CLASSES[i] for i in order]
    assert adopted(end, dataset, initial=start, classes=names)[2]["matched"]
    with refused("start.pt: head.weight is not that of the study's"):
        adopted(end, dataset, initial=start)


class Scaled(nn.Module):
    """A network whose logits are not the output of its last linear layer."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(16, 3)
        self.scale = nn.Parameter(torch.tensor([1.0, 2.0, 3.0]))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.head(inputs.flatten(1)) * self.scale


def test_outputs_that_no_linear_layer_computes_are_not_reordered(tmp_path, dataset):
    torch.save(Scaled().state_dict(), tmp_path / "a.pt")
    for model in (Scaled(), nn.Sequential(nn.Conv2d(1, 3, 4), nn.Flatten())):
        torch.save(model.state_dict(), tmp_path / "a.pt")
        adoption = Adoption("theirs", tmp_path / "a.pt", classes=CLASSES[::-1])
        with refused("conditions.theirs.classes: ", "linear layer"):
            adopt(adoption, model.eval(), NORMALIZE, dataset, seed=0)


@pytest.mark.parametrize("kind", ["plain", "weight_norm", "spectral_norm", "orthogonal"])
def test_outputs_in_another_order_are_right_or_refused(kind):
    torch.manual_seed(0)
    head = nn.Linear(4, 3)
    if kind != "plain":
        head = getattr(parametrizations, kind)(head)
    model, inputs = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), head).eval(), torch.randn(9, 4)
    logits = model(inputs).detach()
    try:
        _reorder(model, [1, 2, 0], Split(inputs, torch.arange(9) % 3), "classes")
    except InputError:
        assert kind in ("spectral_norm", "orthogonal")
    else:
        torch.testing.assert_close(model(inputs).detach(), logits[:, [1, 2, 0]])
