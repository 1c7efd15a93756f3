"""Outputs in all forms, and losses other than that of one softmax for each input."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from minimascope import measure
from minimascope.errors import InputError

F64 = torch.float64
FEW = {
    "forward": {"published": False},
    "perturbation": {
        "samples": 4,
        "published": False,
        "dtype": "float64",
        "adaptive": {"samples": 4, "steps": 4},
    },
    "hessian": {
        "matrices": ["hessian", "gauss_newton"],
        "eigenvalues": 1,
        "trace_products": 300,
        "tolerance": 1e-8,
        "density_probes": 0,
        "dtype": "float64",
    },
    "landscape": {"points": 3, "dtype": "float64", "ignore": "none"},
}
OF_CLASSES = {"train_accuracy", "train_label_entropy"}
OF_HEADS = {"relative_flatness"}


def values(model: nn.Module, inputs: Any, labels: Any, **chosen: Any) -> dict[str, float]:
    found = measure(model, inputs, labels, list(FEW), settings=FEW, **chosen)
    return {name: m.value for name, m in found.items()}


def assert_same(found: dict[str, float], expected: dict[str, float]) -> None:
    assert found.keys() == expected.keys()
    assert {"sam_sharpness", "hessian_trace", "asc_sharpness", "fisher_rao_norm"} <= found.keys()
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-7, abs=1e-11), name


def points(n: int, size: int) -> torch.Tensor:
    return torch.randn(n, size, dtype=F64, generator=torch.Generator().manual_seed(0))


# --- outputs --------------------------------------------------------------------------------------


class Returns(nn.Module):
    """A classifier that returns its logits in some form."""

    def __init__(self, form: Callable[[torch.Tensor], Any]):
        super().__init__()
        torch.manual_seed(0)
        self.body, self.head = nn.Linear(4, 5, dtype=F64), nn.Linear(5, 3, dtype=F64)
        self.form = form

    def forward(self, inputs: torch.Tensor) -> Any:
        return self.form(self.head(self.body(inputs).tanh()))


FORMS = {
    "logits": (lambda z: SimpleNamespace(logits=z, loss=None), None),
    "mapping": (lambda z: {"loss": None, "logits": z, "hidden": z[:, :1]}, None),
    "a single entry": (lambda z: {"out": z}, None),
    "tuple": (lambda z: (None, z, z[:, :1]), None),
    "list": (lambda z: [z], None),
    "key": (lambda z: {"out": z, "aux": -z}, "out"),
    "attribute": (lambda z: SimpleNamespace(logits=-z, scores=z), "scores"),
    "index": (lambda z: (-z, z), 1),
    "last": (lambda z: (-z, z), -1),
    "function": (lambda z: {"deep": [z]}, lambda found: found["deep"][0]),
}


@pytest.mark.parametrize("form", FORMS)
def test_outputs_are_found_in_what_a_network_returns(form):
    make, outputs = FORMS[form]
    data = points(20, 4), torch.arange(20) % 3
    expected = values(Returns(lambda z: z), *data)
    assert expected.keys() > OF_HEADS
    assert values(Returns(make), *data, outputs=outputs) == expected


@pytest.mark.parametrize(
    ("make", "outputs", "message"),
    [
        (lambda z: {"out": z, "aux": z}, None, "a mapping of 'out', 'aux', without logits; say"),
        (lambda z: {"out": z, "aux": z}, "logits", "without 'logits'; say with outputs="),
        (lambda z: SimpleNamespace(out=z), None, "returns a SimpleNamespace, without logits"),
        (lambda z: (z,), 1, "returns a tuple, without 1"),
        (lambda z: z, lambda z: z.tolist(), "list instead of a tensor"),
    ],
)
def test_outputs_that_are_not_found_are_told_in_one_line(make, outputs, message):
    with pytest.raises(InputError) as caught:
        values(Returns(make), points(20, 4), torch.arange(20) % 3, outputs=outputs)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


# --- one prediction for each pixel or token -------------------------------------------------------


class Pixels(nn.Module):
    """A classifier of pixels by their own channels, so that pixels are samples of a perceptron."""

    def __init__(self, axis: int):
        super().__init__()
        torch.manual_seed(0)
        self.body, self.head = nn.Linear(4, 5, dtype=F64), nn.Linear(5, 3, dtype=F64)
        self.axis = axis

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(inputs).tanh()).movedim(-1, self.axis)


DENSE = {
    "[n, T, C]": ((6, 5), -1, None),
    "[n, C, T]": ((6, 5), 1, None),
    "[n, C, h, w]": ((3, 2, 5), 1, None),
    "[n, h, w, C]": ((3, 2, 5), -1, None),
    "[n, T, C] with T = C, flattened": ((10, 3), -1, lambda z: z.flatten(0, 1)),
}


@pytest.mark.parametrize("ignored", [0, 7], ids=["all labels", "some ignored"])
@pytest.mark.parametrize("layout", DENSE)
def test_dense_predictions_are_those_of_all_positions_as_samples(layout, ignored):
    """The mean is over everything, in every measure alike."""
    shape, axis, outputs = DENSE[layout]
    inputs, labels = points(30, 4), torch.randint(3, (30,), generator=torch.Generator())
    labels[: 2 * ignored : 2] = -100
    dense = values(Pixels(axis), inputs.reshape(*shape, 4), labels.reshape(shape), outputs=outputs)
    kept = labels >= 0
    expected = values(Pixels(-1), inputs[kept], labels[kept])
    if axis == 1:
        # Its logits are no output of a linear layer, but a view of one.
        expected = {name: v for name, v in expected.items() if name not in OF_HEADS}
    assert_same(dense, expected)


@pytest.mark.parametrize(
    ("shape", "labels", "message"),
    [
        ((4, 3, 3), (4, 3), "classes could be the second axis or the last; give outputs="),
        ((4, 5, 3), (4, 2), "do not go with labels [1, 2]"),
        ((4, 1), (4,), 'a single logit, of which a softmax is always 1; use loss="binary_cross'),
        ((4, 3), (4, 2), "do not go with labels"),
    ],
)
def test_outputs_that_do_not_go_with_the_labels_are_refused(shape, labels, message):
    class Constant(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(shape[1:]))

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return inputs.reshape(len(inputs), *[1] * (len(shape) - 1)) * self.weight

    with pytest.raises(InputError) as caught:
        measure(Constant(), torch.randn(4), torch.zeros(labels).long(), "train_loss")
    assert message in str(caught.value)


def test_labels_that_are_all_ignored_are_refused():
    with pytest.raises(InputError, match="there are no labels"):
        measure(Pixels(-1), points(6, 4), torch.full((6,), -100), "train_loss")


# --- other losses ---------------------------------------------------------------------------------


class Binary(nn.Module):
    """A network with one logit z, or with the logits 0 and z."""

    def __init__(self, both: bool):
        super().__init__()
        torch.manual_seed(0)
        self.body, self.head = nn.Linear(4, 5, dtype=F64), nn.Linear(5, 1, dtype=F64)
        self.both = both

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        z = self.head(self.body(inputs).tanh())
        return torch.cat([torch.zeros_like(z), z], 1) if self.both else z


@pytest.mark.parametrize("kind", [torch.int64, torch.float32, torch.bool])
@pytest.mark.parametrize("column", [False, True])
def test_one_logit_is_two_of_which_one_is_zero(kind, column):
    inputs, labels = points(30, 4), torch.randint(2, (30,), generator=torch.Generator())
    given = labels.to(kind)[:, None] if column else labels.to(kind)
    found = values(Binary(False), inputs, given, loss="binary_cross_entropy")
    assert_same(found, values(Binary(True), inputs, labels))


def test_the_mean_squared_error_of_a_linear_network_has_its_closed_forms():
    model, inputs, targets = nn.Linear(4, 2, dtype=F64), points(30, 4), points(30, 2).flip(0)
    found = measure(model, inputs, targets, list(FEW), settings=FEW, loss="mse")
    errors = (model(inputs) - targets).detach()
    assert found["train_loss"].value == pytest.approx(errors.square().mean().item(), rel=1e-12)
    assert found["train_loss"].unit == "squared units of the labels"
    design = torch.cat([inputs, torch.ones(30, 1, dtype=F64)], 1)
    matrix = 2 / 60 * design.T @ design
    for name in ("hessian", "gauss_newton"):
        trace = 2 * matrix.trace().item()
        assert found[f"{name}_trace"].value == pytest.approx(trace, rel=1e-10)
        largest = torch.linalg.eigvalsh(matrix)[-1].item()
        assert found[f"{name}_top_eigenvalue"].value == pytest.approx(largest, rel=1e-6)
    slopes = (errors * model(inputs).detach()).sum(1)
    norm = 2 * slopes.square().mean().sqrt().item()
    assert found["fisher_rao_norm"].value == pytest.approx(norm, rel=1e-12)
    gradient = torch.cat([2 / 60 * errors.T @ inputs, 2 / 60 * errors.sum(0)[:, None]], 1)
    norm = gradient.norm().item()
    assert found["train_gradient_norm"].value == pytest.approx(norm, rel=1e-10)
    assert not found.keys() & (OF_CLASSES | OF_HEADS)


def test_a_function_of_outputs_and_labels_is_a_loss():
    def own(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        assert outputs.dtype == F64
        return F.cross_entropy(outputs, labels, reduction="none")

    data = points(20, 4), torch.arange(20) % 3
    model = Returns(lambda z: z)
    found = values(model, *data, loss=own)
    expected = values(model, *data)
    missing = OF_CLASSES | OF_HEADS
    assert_same(found, {name: v for name, v in expected.items() if name not in missing})


def test_a_loss_without_curvature_has_a_hessian_of_the_network_alone():
    """Of a sum of outputs the Gauss–Newton matrix is zero; the Hessian of a product is known."""

    class Product(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Parameter(torch.tensor(2.0)), nn.Parameter(torch.tensor(3.0))

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return inputs * self.a * self.b

    inputs = torch.tensor([1.0, 5.0])
    found = measure(
        *(Product(), inputs, torch.zeros(2), ["hessian", "train_loss"]),
        loss=lambda outputs, _: outputs,
        settings={"hessian": FEW["hessian"]},
    )
    assert found["train_loss"].value == 18
    # ∂²/∂a∂b of the mean is 3, so that the eigenvalues are 3 and -3.
    assert found["hessian_top_eigenvalue"].value == pytest.approx(3, rel=1e-8)
    assert found["hessian_trace"].value == pytest.approx(0, abs=1e-12)
    assert (
        measure(
            *(Product(), inputs, torch.zeros(2), "gauss_newton_trace"),
            loss=lambda outputs, _: outputs,
        )["gauss_newton_trace"].value
        == 0
    )


@pytest.mark.parametrize(
    ("loss", "labels", "message"),
    [
        ("crossentropy", torch.zeros(4), "loss: unknown name 'crossentropy'; did you mean"),
        (nn.MSELoss(), torch.zeros(4, 3), "MSELoss returns [] for 1 samples; it must return a"),
        (3, torch.zeros(4), "loss: int is no loss; give a name (cross_entropy, binary"),
        ("mse", torch.zeros(4, 2), "do not go with labels [1, 2]; they must have one shape"),
        ("binary_cross_entropy", torch.full((4, 3), 2), "takes labels 0 and 1"),
        ("mse", torch.full((4, 3), torch.nan), "labels hold NaN or infinite values"),
    ],
)
def test_other_losses_and_labels_that_they_do_not_take_are_refused(loss, labels, message):
    with pytest.raises(InputError) as caught:
        measure(nn.Linear(4, 3), torch.zeros(4, 4), labels, "train_loss", loss=loss)
    assert message in str(caught.value)


@pytest.mark.parametrize("name", sorted(OF_CLASSES | OF_HEADS))
def test_what_a_loss_has_not_is_refused_where_it_is_named(name):
    data = nn.Linear(4, 3), torch.randn(4, 4), torch.zeros(4, 3)
    with pytest.raises(InputError, match=rf"^{name}: the loss mse [^\n]*; leave it out$"):
        measure(*data, name, loss="mse")
    found = measure(*data, "forward", loss="mse")
    assert name not in found
    assert "train_loss" in found


def test_smoothed_labels_are_of_the_class_that_they_are_nearest_to():
    model, inputs = nn.Linear(4, 1, dtype=F64), points(12, 4)
    labels = torch.arange(12) % 2
    smooth = torch.where(labels > 0, 0.95, 0.05)
    names = ["train_accuracy", "train_label_entropy"]
    hard, soft = (
        measure(model, inputs, given, names, loss="binary_cross_entropy")
        for given in (labels, smooth)
    )
    assert [m.value for m in soft.values()] == [m.value for m in hard.values()]


def test_minus_one_hundred_is_a_number_to_squared_errors():
    model, inputs = nn.Linear(4, 1, dtype=F64), points(12, 4)
    labels = torch.full((12,), -100.0)
    found = measure(model, inputs, labels, "train_loss", loss="mse")["train_loss"].value
    assert found == pytest.approx((model(inputs) + 100).square().mean().item())
