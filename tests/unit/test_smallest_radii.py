"""`smallest_radii` takes what `measure` takes, in whatever surroundings, or says why not."""

import copy

import pytest
import torch
from refusals import refused
from torch import nn
from torch.utils.checkpoint import checkpoint

from minimascope.attacks.spec import AdversarialSpec, AttackSpec
from minimascope.networks.normalised import NormalisedInput
from minimascope.sharpness.attacked_distance import smallest_radii


class Passing(nn.Module):
    """A linear network with functions of its inputs and of its logits."""

    def __init__(self, logits=lambda z: z, inputs=lambda x: x):
        super().__init__()
        torch.manual_seed(2)
        self.linear, self.logits, self.inputs = nn.Linear(4, 3), logits, inputs

    def forward(self, inputs: torch.Tensor):
        return self.logits(self.linear(self.inputs(inputs)))


def data() -> tuple[torch.Tensor, torch.Tensor]:
    inputs = torch.randn(20, 4, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return inputs, Passing()(inputs).argmax(1)


def distances(norm: int) -> torch.Tensor:
    """Of the samples to the planes of a linear network, in closed form."""
    (inputs, labels), model = data(), Passing()
    with torch.no_grad():
        logits, weight = model(inputs), model.linear.weight
        gaps = logits.gather(1, labels[:, None]) - logits
        slopes = (weight[labels][:, None] - weight).norm(norm, dim=2)
    return (gaps / slopes).nan_to_num(torch.inf).amin(1)


FORMS = {
    "a mapping": (Passing(lambda z: {"logits": z}), lambda x: x, lambda y: y),
    "a tuple": (Passing(lambda z: (z, 0)), lambda x: x, lambda y: y),
    "arrays": (Passing(), lambda x: x.numpy(), lambda y: y.numpy()),
    "inputs in float64": (Passing(), torch.Tensor.double, lambda y: y),
    "labels in a column": (Passing(), lambda x: x, lambda y: y[:, None]),
    "frozen": (Passing().requires_grad_(requires_grad=False), lambda x: x, lambda y: y),
}


@pytest.mark.parametrize("form", FORMS)
def test_networks_and_data_of_any_form_have_the_same_radii(form):
    model, of_inputs, of_labels = FORMS[form]
    inputs, labels = data()
    found = smallest_radii(model, of_inputs(inputs), of_labels(labels))
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, distances(2), rtol=0.02, atol=1e-5)


def test_a_network_in_half_precision_is_attacked_in_single():
    model = Passing().bfloat16()
    inputs, labels = data()
    expected = smallest_radii(copy.deepcopy(model).float(), inputs, labels)
    assert torch.equal(smallest_radii(model, inputs, labels), expected)


@pytest.mark.parametrize(
    "around",
    [torch.inference_mode, torch.no_grad, lambda: torch.autocast("cpu", dtype=torch.bfloat16)],
)
def test_the_surroundings_of_the_caller_change_nothing(around):
    inputs, labels = data()
    expected = smallest_radii(Passing(), inputs, labels)
    with around():
        assert torch.equal(smallest_radii(Passing(), inputs, labels), expected)


def test_two_classes_need_no_attack_of_their_own():
    model = nn.Linear(4, 2)
    inputs, _ = data()
    labels = model(inputs).argmax(1)
    assert smallest_radii(model, inputs, labels).isfinite().all()


def test_bytes_are_of_networks_that_are_known_to_take_fractions():
    pictures = torch.randint(0, 256, (9, 1, 2, 2), generator=torch.Generator().manual_seed(1))
    pictures = pictures.to(torch.uint8)
    network = Passing(inputs=nn.Flatten())
    labels = network(pictures / 255).argmax(1)
    found = smallest_radii(NormalisedInput(network, [0.0], [1.0]), pictures, labels)
    # The box of pictures can only keep examples away.
    assert (found >= 0.98 * smallest_radii(network, pictures / 255, labels)).all()
    own = Passing(inputs=lambda x: x.flatten(1).float() / 255)
    with refused("smallest_radii: the inputs are torch.uint8", "NormalisedInput"):
        smallest_radii(own, pictures, labels)


def straight_through(values: torch.Tensor) -> torch.Tensor:
    return values + (values.round() - values).detach()


def at_one_place(value: float) -> torch.Tensor:
    inputs, _ = data()
    inputs[3, 1] = value
    return inputs


MISTAKES = {
    "labels of other classes": ({"labels": data()[1] + 3}, "labels run from 3 to 5"),
    "labels that do not count": ({"labels": data()[1] - 100}, "labels run from"),
    "an ignored label": ({"labels": data()[1].index_fill(0, torch.tensor([2]), -100)}, "not -100"),
    "labels that are no classes": ({"labels": data()[1].float()}, "numbers of classes"),
    "too few labels": ({"labels": data()[1][1:]}, "20 inputs and 19 labels"),
    "no inputs": ({"inputs": data()[0][:0], "labels": data()[1][:0]}, "at least one"),
    "NaN": ({"inputs": at_one_place(torch.nan)}, "the inputs hold NaN or infinite values"),
    "infinite": ({"inputs": at_one_place(torch.inf)}, "the inputs hold NaN or infinite values"),
    "an infinite radius": ({"largest": torch.inf}, "radius is inf; give a finite one"),
    "a radius that is no number": ({"largest": torch.nan}, "radius is nan; give a finite one"),
    "a norm in capitals": ({"norm": "L2"}, "norm: unknown name 'L2'; did you mean 'l2'?"),
    "a norm that there is not": ({"norm": "l1"}, "norm: unknown name 'l1'; valid: l2, linf"),
    "a norm by number": ({"norm": 2}, "norm: unknown name 2"),
    "bisections": ({"bisections": -1}, "bisections: must be a whole number of at least 0"),
    "tokens": ({"inputs": torch.ones(20, 4).long()}, "torch.int64"),
    "rounded logits": ({"model": Passing(torch.round)}, "have no gradient"),
    "rounded with a slope": ({"model": Passing(straight_through)}, "are not the changes of its"),
    "a detached part": (
        {"model": Passing(inputs=lambda x: torch.cat([x[:, :2].detach(), x[:, 2:]], 1))},
        "a part is cut out of the graph",
    ),
    "inputs changed in place": ({"model": Passing(inputs=torch.relu_)}, "its inputs in place"),
    "random numbers": ({"model": Passing(nn.functional.dropout)}, "two passes of the same inputs"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_would_give_wrong_radii_is_told_in_one_line(mistake):
    changed, message = MISTAKES[mistake]
    inputs, labels = data()
    given = {"model": Passing(), "inputs": inputs, "labels": labels} | changed
    before = given["inputs"].clone()
    with refused(message):
        smallest_radii(**given)
    assert torch.equal(given["inputs"].nan_to_num(), before.nan_to_num())


def test_a_checkpoint_without_gradients_of_its_inputs_is_told_with_torchs_reason():
    model = Passing(inputs=lambda x: checkpoint(torch.tanh, x, use_reentrant=True))
    with refused("gradients of Passing with respect to its inputs cannot be formed (When use_re"):
        smallest_radii(model, *data())


@pytest.mark.parametrize(
    ("spec", "given", "message"),
    [
        (AttackSpec, {"attack": "cw"}, "attack: unknown name 'cw'; valid: apgd, fgsm, pgd"),
        (AttackSpec, {"losses": ()}, "losses: () is no list of losses"),
        (AttackSpec, {"losses": "ce"}, "losses: 'ce' is no list of losses"),
        (AttackSpec, {"losses": ("ce", "cw")}, "losses: unknown name 'cw'"),
        (AttackSpec, {"restarts": 0}, "restarts: must be a whole number of at least 1, got 0"),
        (AttackSpec, {"steps": 0}, "steps: must be a whole number of at least 1, got 0"),
        (AttackSpec, {"steps": 1.5}, "steps: must be a whole number of at least 1, got 1.5"),
        (AdversarialSpec, {"radius": 0.1, "norm": "Linf"}, "did you mean 'linf'?"),
        (AdversarialSpec, {"radius": 0.1, "steps": 0}, "steps: must be a whole number"),
        (AdversarialSpec, {"radius": 0.0}, "radius: must be greater than 0 and finite"),
    ],
)
def test_attacks_that_would_be_others_or_none_are_refused(spec, given, message):
    with refused(message):
        spec(**given)
