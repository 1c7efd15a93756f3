"""Networks that learn toy functions, trained together, against plain loops over single ones."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from minimascope.checkpoints import CheckpointFile
from minimascope.devices import precision
from minimascope.errors import InputError
from minimascope.registry import TOY_FUNCTIONS
from minimascope.toy import networks
from minimascope.toy.fits import NOT_REACHED, Fits, FitSpec, fit, pieces, state_file
from minimascope.toy.functions import FUNCTIONS
from minimascope.toy.measure import losses_of
from minimascope.toy.networks import (
    Backpropagation,
    activation_memory,
    initial_parameters,
    outputs,
    perceptron,
    width_of,
)
from minimascope.toy.problems import EXTENT, Problem, all_samples, problems, samples

CPU = torch.device("cpu")
PROBLEMS = problems(["sphere", "booth", "beale"], [0, 1])
SPEC = FitSpec.from_config(
    {"points": 30, "width": 5, "lr": 0.05, "epochs": [1, 20, 60], "losses": [80.0, 20.0, 1e-9]}
)


def network_of(parameters: Tensor, width: int) -> nn.Sequential:
    network = perceptron(width).to(parameters.dtype)
    vector_to_parameters(parameters.clone(), network.parameters())
    return network


def plain_losses(problem: Problem, spec: FitSpec) -> list[tuple[float, Tensor]]:
    """Train one network by torch alone; return its loss and parameters after 0, 1, 2 … steps."""
    points, values = samples(problem, "train", spec.points)
    network = network_of(initial_parameters(spec.width, problem.seed).double(), spec.width)
    optimizer = torch.optim.Adam(network.parameters(), lr=spec.lr)
    states = []
    for _ in range(spec.epochs[-1] + 1):
        loss = nn.functional.mse_loss(network(points)[:, 0], values)
        states.append((loss.item(), parameters_to_vector(network.parameters()).detach().clone()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return states


def fit_in_pieces(size: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    parts = [
        fit(piece, SPEC, CPU, dtype=dtype) for piece in pieces(PROBLEMS, size, SPEC.points, CPU)
    ]
    copies, epochs = ([getattr(part, name) for part in parts] for name in ("copies", "epochs"))
    return torch.cat(copies, 1), torch.cat(epochs, 1)


def test_the_registry_names_every_function():
    assert tuple(FUNCTIONS) == TOY_FUNCTIONS


def test_the_seeds_of_a_function_come_one_after_another():
    assert PROBLEMS[:3] == [Problem("sphere", 0), Problem("sphere", 1), Problem("booth", 0)]


def single_losses_and_gradients(
    parameters: Tensor, points: Tensor, values: Tensor, width: int
) -> tuple[Tensor, Tensor]:
    """The same of each network alone, by torch's layers and automatic differentiation."""
    losses, gradients = [], []
    for vector, inputs, labels in zip(parameters, points, values, strict=True):
        network = network_of(vector, width)
        losses.append(nn.functional.mse_loss(network(inputs)[:, 0], labels))
        of_layers = torch.autograd.grad(losses[-1], list(network.parameters()))
        gradients.append(parameters_to_vector(of_layers))
    return torch.stack(losses).detach(), torch.stack(gradients)


# Networks × points that are computed at once: all 17 points of 6 networks, 5 of them, or one.
@pytest.mark.parametrize("at_once", [1000, 30, 1])
@pytest.mark.parametrize("width", [1, 4, 64])
def test_losses_and_gradients_of_many_networks_are_those_of_each_alone(
    monkeypatch, at_once: int, width: int
):
    monkeypatch.setitem(networks.AT_ONCE, "cpu", at_once)
    data = all_samples(PROBLEMS, "train", 17, torch.float64)
    draws = torch.Generator().manual_seed(1)
    count = sum(p.numel() for p in perceptron(width).parameters())
    together = torch.randn(len(PROBLEMS), count, dtype=torch.float64, generator=draws)
    # All activations of this one are 0, where ReLU has no derivative but torch's.
    together[0] = 0
    assert width_of(together) == width
    backpropagation = Backpropagation(together, *data)
    for _ in range(2):
        losses = backpropagation.step()
        expected_losses, expected = single_losses_and_gradients(together, *data, width)
        torch.testing.assert_close(losses, expected_losses, rtol=1e-12, atol=0)
        torch.testing.assert_close(backpropagation.gradients, expected, rtol=1e-10, atol=1e-10)
        found = outputs(together, data[0], activation_memory(together, 17))
        torch.testing.assert_close((found - data[1]).square().mean(1), losses, rtol=1e-12, atol=0)
        together += 0.1


DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")),
]


@pytest.mark.parametrize("device", DEVICES)
def test_gradients_in_float32_are_those_in_float64_but_for_rounding(device: str):
    initial = torch.stack([initial_parameters(64, problem.seed) for problem in PROBLEMS])
    exact = all_samples(PROBLEMS, "train", 5000, torch.float64)
    _, expected = single_losses_and_gradients(initial.double(), *exact, 64)
    parameters, points, values = (t.to(device, torch.float32) for t in (initial, *exact))
    backpropagation = Backpropagation(parameters, points, values)
    with precision("fp32", torch.device(device)):
        backpropagation.step()
    gradients = backpropagation.gradients
    assert (gradients.dtype, gradients.device.type) == (torch.float32, device)
    errors = (gradients.cpu().double() - expected).norm(dim=1) / expected.norm(dim=1)
    assert errors.max() < 1e-5


def test_all_functions_of_a_seed_start_from_the_same_weights_of_torchs_kind():
    before = torch.random.get_rng_state()
    first, again, other = (initial_parameters(64, seed) for seed in (0, 0, 1))
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    weights = [layer.weight for layer in network_of(first, 64) if isinstance(layer, nn.Linear)]
    for weight in weights:
        # Kaiming's uniform distribution with a = √5 ends at 1/√(inputs).
        bound = 1 / math.sqrt(weight.shape[1])
        assert 0.9 * bound < weight.abs().max() <= bound


def test_points_are_uniform_in_the_square_and_shared_by_the_functions_of_a_seed():
    points, values = samples(Problem("sphere", 3), "train", 4000)
    assert torch.equal(points, samples(Problem("beale", 3), "train", 4000)[0])
    assert points.abs().max() <= EXTENT
    torch.testing.assert_close(points.mean(0), torch.zeros(2).double(), atol=0.13, rtol=0)
    torch.testing.assert_close(points.var(0), torch.full((2,), 49 / 12).double(), rtol=0.07, atol=0)
    torch.testing.assert_close(values, (points**2).sum(1))
    for other in (("test", 3), ("train", 4)):
        assert not torch.equal(points, samples(Problem("sphere", other[1]), other[0], 4000)[0])


def test_training_together_is_adam_on_each_network_alone():
    together = fit(PROBLEMS, SPEC, CPU, dtype=torch.float64)
    for index, problem in enumerate(PROBLEMS):
        states = plain_losses(problem, SPEC)
        for row, epoch in enumerate(SPEC.epochs):
            expected = states[epoch][1]
            torch.testing.assert_close(together.copies[row, index], expected, rtol=1e-8, atol=1e-10)
            assert together.epochs[row, index] == epoch


def test_a_loss_is_reached_at_the_first_epoch_that_ends_at_or_below_it():
    together = fit(PROBLEMS, SPEC, CPU, dtype=torch.float64)
    reached = 0
    for index, problem in enumerate(PROBLEMS):
        losses = [loss for loss, _ in plain_losses(problem, SPEC)]
        for row, target in enumerate(SPEC.losses, start=len(SPEC.epochs)):
            first = [epoch for epoch in range(1, len(losses)) if losses[epoch] <= target]
            found = together.epochs[row, index].item()
            assert found == (first[0] if first else NOT_REACHED)
            assert together.copies[row, index].isnan().all() == (not first)
            if first:
                reached += 1
                data = samples(problem, "train", SPEC.points)
                assert losses_of(together.copies[row, index][None], *data) <= target
    assert 0 < reached < len(PROBLEMS) * len(SPEC.losses)


@pytest.mark.parametrize("size", [1, 2, 4])
def test_pieces_of_any_size_give_the_same_networks(size):
    whole, parts = (fit_in_pieces(count, torch.float64) for count in (len(PROBLEMS), size))
    torch.testing.assert_close(parts[0], whole[0], rtol=1e-8, atol=1e-10, equal_nan=True)
    assert torch.equal(parts[1], whole[1])


def test_few_networks_are_trained_at_once_on_a_cpu_and_all_on_a_gpu():
    sizes = {
        points: list(map(len, pieces(PROBLEMS, None, points, CPU))) for points in (1000, 10**5)
    }
    assert sizes == {1000: [4, 2], 10**5: [1] * 6}
    assert list(map(len, pieces(PROBLEMS, None, 10**4, torch.device("cuda")))) == [6]
    assert [list(piece) for piece in pieces(PROBLEMS, 4, 9, CPU)] == [PROBLEMS[:4], PROBLEMS[4:]]


class KilledError(Exception):
    pass


@pytest.mark.parametrize("steps", [3, 137, 250])
def test_an_interrupted_training_ends_with_the_same_bytes(tmp_path, monkeypatch, steps: int):
    spec = FitSpec(points=20, width=4, lr=0.01, epochs=(1, 100, 260), losses=(100.0, 30.0))
    undisturbed, path = fit(PROBLEMS, spec, CPU), tmp_path / "checkpoint.safetensors"
    calls, most, step = 0, steps, Backpropagation.step

    def until_killed(backpropagation: Backpropagation) -> Tensor:
        nonlocal calls
        calls += 1
        if calls > most:
            raise KilledError
        return step(backpropagation)

    monkeypatch.setattr(Backpropagation, "step", until_killed)
    with pytest.raises(KilledError):
        fit(PROBLEMS, spec, CPU, CheckpointFile(path, "this run", CPU))
    # A checkpoint may be due at each hundredth epoch, and is the first time.
    assert path.exists() == (steps > 100)
    calls, most = 0, 261 if steps <= 100 else 161
    _assert_same_bytes(fit(PROBLEMS, spec, CPU, CheckpointFile(path, "this run", CPU)), undisturbed)
    # What is finished is not done again, as where a later piece was interrupted.
    calls, most = 0, 1
    _assert_same_bytes(fit(PROBLEMS, spec, CPU, CheckpointFile(path, "this run", CPU)), undisturbed)


LISTS = {
    "longer": ((1, 40), (1, 40, 90)),
    "longer, with the last epoch no longer kept": ((1, 40, 60), (1, 40, 90)),
    "shorter": ((1, 40, 90), (1, 40)),
    "an epoch in between, which starts anew": ((1, 90), (1, 40, 90)),
}


@pytest.mark.parametrize(("first", "second"), LISTS.values(), ids=LISTS)
def test_other_epochs_give_the_bytes_of_a_training_of_its_own(tmp_path, first, second):
    specs = [
        replace(SPEC, epochs=epochs, losses=(130.0, 100.0, 10.0)) for epochs in (first, second)
    ]
    path = tmp_path / "state.safetensors"
    fit(PROBLEMS, specs[0], CPU, CheckpointFile(path, "any length", CPU))
    alone = fit(PROBLEMS, specs[1], CPU)
    _assert_same_bytes(fit(PROBLEMS, specs[1], CPU, CheckpointFile(path, "any length", CPU)), alone)
    of_losses = alone.epochs[len(second) :]
    # Some losses are reached before the shorter training ends, some after it, and some never.
    assert ((of_losses > 0) & (of_losses <= 40)).any()
    assert (of_losses == NOT_REACHED).any()
    assert second == (1, 40) or (of_losses > 40).any()


def test_a_training_goes_on_where_a_shorter_one_ended(tmp_path, monkeypatch):
    path, steps, step = tmp_path / "state.safetensors", 0, Backpropagation.step

    def counted(backpropagation: Backpropagation) -> Tensor:
        nonlocal steps
        steps += 1
        return step(backpropagation)

    monkeypatch.setattr(Backpropagation, "step", counted)
    for epochs, expected in (((1, 40), 41), ((1, 40, 90), 51), ((1, 40), 0), ((1, 40, 91), 2)):
        steps = 0
        fit(PROBLEMS, replace(SPEC, epochs=epochs), CPU, CheckpointFile(path, "any length", CPU))
        assert steps == expected


def _assert_same_bytes(one: Fits, other: Fits) -> None:
    assert one.copies.numpy().tobytes() == other.copies.numpy().tobytes()
    assert torch.equal(one.epochs, other.epochs)


def test_a_checkpoint_of_other_settings_is_not_continued(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    fit(PROBLEMS[:1], SPEC, CPU, CheckpointFile(path, "one run", CPU))
    fresh = fit(PROBLEMS[:1], SPEC, CPU)
    _assert_same_bytes(fit(PROBLEMS[:1], SPEC, CPU, CheckpointFile(path, "another", CPU)), fresh)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        # The second would be kept after 100 epochs, and at its end.
        ((1, 260), (1, 150, 200)),
        ((1, 260), (1, 10)),
    ],
)
def test_a_shorter_training_never_replaces_the_state_of_a_longer_one(
    tmp_path, capsys, first, second
):
    path = tmp_path / "state.safetensors"
    specs = [
        FitSpec(points=20, width=4, lr=0.01, epochs=epochs, losses=()) for epochs in (first, second)
    ]
    longer = fit(PROBLEMS, specs[0], CPU, CheckpointFile(path, "any length", CPU))
    before = path.read_bytes()
    again = fit(PROBLEMS, specs[1], CPU, CheckpointFile(path, "any length", CPU))
    _assert_same_bytes(again, fit(PROBLEMS, specs[1], CPU))
    assert path.read_bytes() == before
    assert capsys.readouterr().out.count("the state after 260 epochs lacks networks") == 1
    _assert_same_bytes(
        fit(PROBLEMS, specs[0], CPU, CheckpointFile(path, "any length", CPU)), longer
    )


def test_a_state_is_that_of_its_networks_settings_and_code_at_any_length(tmp_path):
    path = tmp_path / "state.safetensors"

    def state(wanted=PROBLEMS, code="1", **changes):
        return state_file(path, wanted, replace(SPEC, **changes), code, CPU)

    fit(PROBLEMS, SPEC, CPU, state())
    assert state().read() is not None
    assert state(epochs=(1, 7)).read() is not None
    # A GPU takes more networks at once than a CPU, and keeps them in a file of the same name.
    assert state(PROBLEMS[:4]).read() is None
    assert state(PROBLEMS[::-1]).read() is None
    assert state(code="2").read() is None
    assert state(lr=0.01).read() is None
    assert state(losses=(80.0,)).read() is None


def test_a_state_of_fewer_networks_is_refused_by_name(tmp_path):
    path = tmp_path / "state.safetensors"
    fit(PROBLEMS[:1], SPEC, CPU, CheckpointFile(path, "the same", CPU))
    with pytest.raises(InputError, match=r"state\.safetensors: weights do not fit .*delete"):
        fit(PROBLEMS, SPEC, CPU, CheckpointFile(path, "the same", CPU))


def test_a_loss_that_is_not_finite_is_named_with_its_function_and_remedy():
    spec = FitSpec(points=10, width=4, lr=1e30, epochs=(3,), losses=())
    with pytest.raises(InputError, match=r"toy_fits: the loss of sphere, seed 0, .*toy_fits\.lr"):
        fit(PROBLEMS, spec, CPU)
