"""What would give wrong numbers without a word is found before the work, and told in one line."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.utils.checkpoint import checkpoint

from minimascope import measure
from minimascope.data.prepared import Dataset, Split
from minimascope.errors import InputError
from minimascope.sharpness.family import FamilySpec, measure_family


def data() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    return torch.randn(24, 4), torch.arange(24) % 3


class Passing(nn.Module):
    """A perceptron with a function of its features."""

    def __init__(self, function):
        super().__init__()
        torch.manual_seed(1)
        self.body, self.head, self.function = nn.Linear(4, 6), nn.Linear(6, 3), function

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.head(self.function(self.body(inputs)))


class Drawn(nn.Module):
    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return inputs + 0.1 * torch.randn_like(inputs)


OTHER_EACH_TIME = {
    "functional dropout": lambda z: F.dropout(z, 0.5),
    "drawn noise": Drawn(),
    "a sampled mask": lambda z: z * torch.bernoulli(torch.full_like(z, 0.9)),
}
BATCHWISE = {
    "statistics of the batch": lambda z: (z - z.mean(0)) / (z.std(0) + 1),
    "attention between samples": lambda z: (z @ z.T).softmax(1) @ z,
    "shares of the batch": lambda z: z / z.abs().amax(),
}


@pytest.mark.parametrize("kind", OTHER_EACH_TIME)
def test_a_network_that_draws_random_numbers_is_refused(kind):
    with pytest.raises(InputError, match=r"two passes of the same inputs[^\n]*self\.training\)$"):
        measure(Passing(OTHER_EACH_TIME[kind]), *data(), "train_loss")


@pytest.mark.parametrize("kind", BATCHWISE)
def test_a_network_whose_outputs_depend_on_the_batch_is_refused(kind):
    with pytest.raises(InputError, match="depend on the other inputs of its batch"):
        measure(Passing(BATCHWISE[kind]), *data(), "train_loss")


@pytest.mark.parametrize("n", [1, 2, 24])
def test_layers_with_statistics_of_the_batch_are_named(n):
    layer = nn.BatchNorm1d(6, track_running_stats=False)
    inputs, labels = data()
    with pytest.raises(InputError, match=r"^function: BatchNorm1d without running statistics"):
        measure(Passing(layer), inputs[:n], labels[:n], "train_loss")


def test_a_single_sample_can_be_measured():
    inputs, labels = data()
    model = Passing(torch.tanh)
    found = measure(model, inputs[:1], labels[:1], "train_loss")["train_loss"].value
    assert found == pytest.approx(F.cross_entropy(model(inputs[:1]), labels[:1]).item(), rel=1e-6)


IN_PLACE = {
    "a rectifier": nn.ReLU(inplace=True),
    "a limit that no sample reaches": lambda x: x.clamp_(-99, 99),
    "a mean": lambda x: x.sub_(0.5),
    "a part": lambda x: x[:, 0].mul_(2),
    "past torch's own count": lambda x: x.data.mul_(2),
}


@pytest.mark.parametrize("measured", ["train_loss", "sam_sharpness", "jacobian_norm", "norms"])
@pytest.mark.parametrize("kind", IN_PLACE)
def test_a_network_that_changes_its_inputs_is_refused_and_has_not_changed_them(kind, measured):
    class Changing(Passing):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            self.function(inputs)
            return self.head(self.body(inputs))

    inputs, labels = data()
    given = inputs.clone()
    with pytest.raises(InputError, match=r"^Changing: it changes its inputs in place"):
        measure(Changing(IN_PLACE[kind]), given, labels, measured)
    assert torch.equal(given, inputs)


def test_a_lazy_network_that_changes_its_inputs_has_not_changed_them():
    inputs, labels = data()
    given = inputs.clone()
    model = nn.Sequential(nn.ReLU(inplace=True), nn.LazyLinear(3))
    with pytest.raises(InputError, match="changes its inputs in place"):
        measure(model, given, labels, "train_loss")
    assert torch.equal(given, inputs)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.bool])
def test_inputs_of_a_type_that_a_network_does_not_run_in_are_named(dtype):
    inputs, labels = data()
    with pytest.raises(InputError, match=f"^inputs: Linear does not run on these.*{dtype} "):
        measure(nn.Linear(4, 3), inputs.to(dtype), labels, "train_loss")


# --- second derivatives ---------------------------------------------------------------------------


class Kept(Function):
    """z² with its slope kept where autograd does not see it."""

    @staticmethod
    def forward(ctx, z):
        ctx.slope = 2 * z
        return z * z

    @staticmethod
    def backward(ctx, gradient):
        return ctx.slope * gradient


class Once(Function):
    @staticmethod
    def forward(ctx, z):
        ctx.save_for_backward(z)
        return z * z

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        (z,) = ctx.saved_tensors
        return 2 * z * gradient


class Detached(Function):
    @staticmethod
    def forward(ctx, z):
        ctx.save_for_backward(z)
        return z * z

    @staticmethod
    def backward(ctx, gradient):
        (z,) = ctx.saved_tensors
        return 2 * z.detach() * gradient


class Right(Detached):
    @staticmethod
    def backward(ctx, gradient):
        (z,) = ctx.saved_tensors
        return 2 * z * gradient


def hessian_trace(function, dtype: str = "float32", **chosen) -> float:
    settings = {"hessian": {"trace_products": 600, "dtype": dtype} | chosen}
    found = measure(Passing(function), *data(), "hessian_trace", settings=settings)
    return found["hessian_trace"].value


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("wrong", [Kept, Detached, Once])
def test_second_derivatives_that_are_not_those_of_the_first_are_refused(wrong, dtype):
    with pytest.raises(InputError, match=r"second derivatives by torch are not the changes of"):
        hessian_trace(wrong.apply, dtype)


class LargestOfBag(Passing):
    def __init__(self):
        super().__init__(nn.EmbeddingBag(7, 6, mode="max"))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.head(self.function((inputs.abs() * 3).long() % 7))


def test_second_derivatives_that_torch_has_not_are_refused_with_its_reason():
    with pytest.raises(InputError, match=r"cannot be formed \([^\n]*not implemented[^\n]*hessian$"):
        measure(LargestOfBag(), *data(), "hessian_trace")


def test_other_measures_need_no_second_derivatives_and_right_ones_pass():
    names = ["sam_sharpness", "train_gradient_norm", "adaptive_sharpness_worst"]
    few = {"perturbation": {"samples": 3, "adaptive": {"samples": 4, "steps": 2}}}
    found, expected = (
        measure(Passing(function), *data(), names, settings=few)
        for function in (Once.apply, torch.square)
    )
    for name in names:
        assert found[name].value == pytest.approx(expected[name].value, rel=1e-6)
    expected = hessian_trace(torch.square)
    assert hessian_trace(Right.apply) == pytest.approx(expected, rel=1e-6)
    # Of the head alone, what lies before it is differentiated once.
    expected = hessian_trace(torch.square, parameters=["head.*"])
    for once in (Once, Kept, Detached):
        found = hessian_trace(once.apply, parameters=["head.*"])
        assert found == pytest.approx(expected, rel=1e-6)


def test_the_gauss_newton_matrix_needs_first_derivatives_of_the_outputs_only():
    settings = {"hessian": {"trace_products": 600}}
    found, expected = (
        measure(Passing(function), *data(), "gauss_newton_trace", settings=settings)
        for function in (Kept.apply, torch.square)
    )
    value = expected["gauss_newton_trace"].value
    assert found["gauss_newton_trace"].value == pytest.approx(value, rel=1e-6)
    with pytest.raises(InputError, match=r"leave out gauss_newton$"):
        measure(Passing(Once.apply), *data(), "gauss_newton_trace", settings=settings)


class OwnType(Passing):
    """A network that runs in float32 only, where differences of the gradient round too much."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return super().forward(inputs @ torch.eye(4))


def test_second_derivatives_are_compared_in_float32_where_a_network_has_no_other_type():
    with pytest.raises(InputError, match="are not the changes of"):
        measure(OwnType(Kept.apply), *data(), "hessian_trace")
    assert measure(OwnType(torch.square), *data(), "hessian_trace")["hessian_trace"].value > 0


@pytest.mark.parametrize("fresh", [False, True])
def test_rectifiers_at_exactly_zero_are_no_wrong_derivatives(fresh):
    """Where biases are zero and inputs empty, all differences over the kink are wrong."""
    torch.manual_seed(0)
    model = nn.Sequential(
        *(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3)),
    )
    inputs = torch.randn(8, 1, 8, 8)
    inputs[:4] = 0
    if fresh:
        nn.init.zeros_(model[0].bias)
    found = measure(model, inputs, torch.arange(8) % 3, ["hessian_trace", "gauss_newton_trace"])
    assert found["gauss_newton_trace"].value > 0


def test_a_network_that_is_sure_of_all_its_predictions_is_no_wrong_derivative():
    inputs, _ = data()
    model = Passing(torch.relu)
    with torch.no_grad():
        model.head.weight *= 1e6
        labels = model(inputs).argmax(1)
    assert measure(model, inputs, labels, "hessian_trace")["hessian_trace"].value == 0


def test_jobs_of_the_workflow_look_as_well():
    inputs, labels = data()
    dataset = Dataset(
        Split(inputs[:, None, None], labels), Split(inputs[:, None, None], labels), ("a", "b", "c")
    )
    model = nn.Sequential(nn.Flatten(), Passing(Drawn())).eval()
    with pytest.raises(InputError, match="two passes of the same"):
        measure_family(
            *(model, dataset, 0, torch.device("cpu")),
            FamilySpec("forward", {}, "clean", augment=None, label_noise=0.0, weight_decay=0.0),
        )


def checkpointed(z: torch.Tensor) -> torch.Tensor:
    layer = Passing(torch.tanh).body
    return checkpoint(lambda z: layer(z[:, :4]), z.detach().requires_grad_(), use_reentrant=True)


@pytest.mark.parametrize(
    "measured", ["train_gradient_norm", "hessian_trace", "adaptive_sharpness_worst"]
)
@pytest.mark.parametrize(
    "cut", [torch.no_grad()(torch.tanh), lambda z: z.detach().tanh(), checkpointed]
)
def test_a_part_that_is_cut_out_of_the_graph_is_refused_where_gradients_are_needed(cut, measured):
    model = Passing(cut)
    with pytest.raises(InputError, match=r"not the changes of its loss[^\n]*leave out"):
        measure(model, *data(), measured)
    assert measure(model, *data(), "train_loss")


class Constant(nn.Linear):
    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return inputs[:, : self.out_features]


def test_outputs_that_no_parameter_changes_have_no_gradient():
    found = measure(Constant(4, 3), *data(), ["train_gradient_norm", "sam_sharpness"])
    assert [m.value for m in found.values()] == [0, 0]


OWN_LOSSES = {
    "broadcast": lambda outputs, labels: (outputs[:, :1] - labels).square(),
    "of shares of the batch": lambda outputs, labels: (
        F.cross_entropy(outputs, labels, reduction="none") / (1 + labels.sum())
    ),
    "random": lambda outputs, labels: (
        F.cross_entropy(outputs, labels, reduction="none") * torch.rand(len(labels))
    ),
}


@pytest.mark.parametrize("kind", OWN_LOSSES)
def test_an_own_loss_that_is_not_of_each_sample_is_refused(kind):
    with pytest.raises(InputError, match=r"^loss: [^\n]*depends on the others of its batch"):
        measure(Passing(torch.tanh), *data(), "train_loss", loss=OWN_LOSSES[kind])


@pytest.mark.parametrize("model", [nn.Flatten(), abs])
def test_what_has_nothing_to_move_is_refused(model):
    with pytest.raises(InputError, match=r"has no parameters|is no torch module"):
        measure(model, *data(), "train_loss")
