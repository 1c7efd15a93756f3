"""The loss between networks: its ends are the networks themselves."""

import copy

import numpy as np
import pytest
import torch
from refusals import refused
from torch import nn

from minimascope.data.prepared import Split
from minimascope.errors import InputError
from minimascope.networks import NetworkSpec, initialise
from minimascope.networks.normalised import NormalisedInput
from minimascope.registry import INTERPOLATED
from minimascope.sharpness.directions import check_same_shape
from minimascope.sharpness.interpolation import barrier, instability, line, plane
from minimascope.sharpness.objective import Objective


def problem(count: int) -> tuple[list[nn.Module], Split]:
    spec = NetworkSpec("resnet18", channels=1, input_size=(8, 8), classes=4, width=0.0625)
    draws = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (20, 1, 8, 8), dtype=torch.uint8, generator=draws)
    models = []
    for seed in range(count):
        model = NormalisedInput(initialise(spec, seed), [0.5], [0.5]).eval().double()
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(generator=draws)
                module.running_var.uniform_(0.5, 2, generator=draws)
        models.append(model)
    return models, Split(images, torch.arange(20) % 4)


def test_a_line_reaches_both_networks_with_their_running_statistics():
    (start, end), split = problem(2)
    found = line(start, end, Objective(split), 6, 0.5, INTERPOLATED)
    for x, model in ((0.0, start), (1.0, end)):
        loss = Objective(split).mean(model).item()
        assert found["losses"][list(found["x"]).index(x)] == pytest.approx(loss, rel=1e-12)
    assert found["x"][0] == -0.5
    assert found["x"][-1] == 1.5
    assert (np.diff(found["x"]) > 0).all()


def test_a_point_of_a_line_is_the_network_with_mixed_weights():
    (start, end), split = problem(2)
    found = line(start, end, Objective(split), 5, 0.0, INTERPOLATED)
    mixed = copy.deepcopy(start)
    states = start.state_dict(), end.state_dict()
    state = {
        name: 0.75 * first + 0.25 * states[1][name] if first.is_floating_point() else first
        for name, first in states[0].items()
    }
    mixed.load_state_dict(state)
    expected = Objective(split).mean(mixed).item()
    assert found["losses"][1] == pytest.approx(expected, rel=1e-12)


def test_the_barrier_is_the_largest_excess_over_the_line_between_the_ends():
    x = np.array([-0.5, 0.0, 0.25, 0.5, 1.0, 1.5])
    assert barrier({"x": x, "losses": np.array([9.0, 1, 2, 4, 3, 9])}) == 2.0
    assert barrier({"x": x, "losses": np.array([9.0, 1, 1, 1.5, 3, 9])}) == 0.0


def test_the_instability_is_the_largest_loss_over_the_mean_of_the_ends():
    x = np.array([-0.5, 0.0, 0.25, 0.5, 1.0, 1.5])
    assert instability({"x": x, "losses": np.array([9.0, 1, 2, 4, 3, 9])}) == 2.0
    # Higher than the barrier where the loss falls all the way, the same between equal ends.
    assert instability({"x": x, "losses": np.array([9.0, 1, 1, 1.5, 3, 9])}) == 1.0
    level = {"x": x, "losses": np.array([9.0, 2, 5, 3, 2, 9])}
    assert instability(level) == barrier(level) == 3.0


def test_both_heights_of_the_line_to_a_confident_linear_network():
    """Losses of the mixtures written out: softmax with logits x·w."""
    draws = torch.Generator().manual_seed(0)
    inputs = torch.randn(50, 4, generator=draws).double()
    labels = (inputs[:, 0] > 0).long()
    first = nn.Linear(4, 2).double()
    second = copy.deepcopy(first)
    second.load_state_dict(
        {"weight": torch.tensor([[-5.0, 0, 0, 0], [5.0, 0, 0, 0]]), "bias": torch.zeros(2)}
    )
    found = line(first, second, Objective(Split(inputs, labels)), points=21, margin=0.0)
    losses = []
    for x in np.linspace(0, 1, 21):
        weight, bias = (
            (1 - x) * a + x * b
            for a, b in zip(first.parameters(), second.parameters(), strict=True)
        )
        logits = inputs @ weight.T + bias
        losses.append((logits.logsumexp(1) - logits[range(50), labels]).mean().item())
    chord = np.linspace(losses[0], losses[-1], 21)
    assert barrier(found) == pytest.approx(max(losses - chord), abs=1e-12)
    assert instability(found) == pytest.approx(max(losses) - (losses[0] + losses[-1]) / 2)
    assert instability(found) > 0.2 + barrier(found)


def test_a_plane_holds_its_three_networks_at_their_distances():
    models, split = problem(3)
    found = plane(models, Objective(split), 3, 0.1, INTERPOLATED)
    for loss, model in zip(found["model_losses"], models, strict=True):
        expected = Objective(split).mean(model).item()
        assert loss == pytest.approx(expected, rel=1e-10)
    corners = np.stack([found["model_x"], found["model_y"]], 1)
    flat = [torch.cat([p.detach().reshape(-1) for p in m.parameters()]) for m in models]
    for i in range(3):
        for j in range(3):
            distance = (flat[i] - flat[j]).norm().item()
            assert np.hypot(*(corners[i] - corners[j])) == pytest.approx(distance, abs=1e-9)
    assert found["losses"].shape == (3, 3)
    assert found["x"].min() < 0 < found["y"].max()


def test_networks_on_one_line_or_of_different_shape_are_refused():
    (start, end), split = problem(2)
    with pytest.raises(InputError, match="on one line"):
        plane([start, end, start], Objective(split))
    with pytest.raises(InputError, match="on one line"):
        plane([start, copy.deepcopy(start), end], Objective(split))
    other = nn.Linear(3, 4)
    with pytest.raises(
        InputError, match=r"from the start to the end: .*; name networks of the same"
    ):
        line(start, other, Objective(split))
    wide, narrow = nn.Linear(3, 4), nn.Linear(3, 5)
    message = r"from theirs to baseline: weight is \[4, 3\] in one and \[5, 3\] in the other"
    with pytest.raises(InputError, match=message):
        check_same_shape({"theirs": wide, "baseline": narrow})
    check_same_shape({"theirs": wide, "baseline": nn.Linear(3, 4)})
    normalised = {mean: NormalisedInput(wide, [mean], [0.5]) for mean in (0.5, 0.4)}
    with refused("no line leads from ours to theirs: they differ in mean (the normalisation"):
        check_same_shape({"ours": normalised[0.5], "theirs": normalised[0.4]})
    check_same_shape({"ours": normalised[0.5], "theirs": normalised[0.5]})
