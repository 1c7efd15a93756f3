"""Sharpness with balanced attention: what it is, and that only products of factors count in it."""

import copy
import math
import re

import pytest
import torch
from sharpness_cases import drawn_like, images, network, plain_loss, points, subject_of
from torch import nn

from minimascope import measure
from minimascope.data.prepared import Split
from minimascope.errors import InputError
from minimascope.networks.vit import LocalitySelfAttention
from minimascope.networks.vit_standard import SelfAttention
from minimascope.seeding import child, generator
from minimascope.sharpness.attention import balanced, why_not
from minimascope.sharpness.objective import Objective
from minimascope.sharpness.perturbation import adaptive_sharpness
from minimascope.sharpness.perturbation import measure as perturbation

F64 = torch.float64
D, HEADS, H = 6, 2, 3
TORCHS = {
    "torch": {},
    "torch without biases": {"bias": False},
    "torch with other keys and values": {"kdim": 4, "vdim": 5},
}
KINDS = ("own", *TORCHS)


class Attentive(nn.Module):
    """Attention over three tokens, and a linear layer: [n, 18] to three logits."""

    def __init__(self, kind: str):
        super().__init__()
        if kind == "own":
            self.attention = SelfAttention(D, HEADS, H, 0.0)
        else:
            self.attention = nn.MultiheadAttention(D, HEADS, batch_first=True, **TORCHS[kind])
        self.head = nn.Linear(3 * D, 3)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        tokens = inputs.unflatten(1, (3, D))
        if isinstance(self.attention, SelfAttention):
            tokens = self.attention(tokens)
        else:
            keys, values = tokens[..., : self.attention.kdim], tokens[..., : self.attention.vdim]
            tokens = self.attention(tokens, keys, values, need_weights=False)[0]
        return self.head(torch.tanh(tokens.flatten(1)))


def attentive(kind: str) -> tuple[nn.Module, Split]:
    torch.manual_seed(3)
    model = Attentive(kind).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, dtype=F64) / 2)
    return model, points(30, 3 * D, 3)


def matrices(attention: nn.Module) -> dict[str, torch.Tensor]:
    """Return views of weights [inner, inputs], of biases [inner, 1] and of the output's weight."""
    if isinstance(attention, nn.MultiheadAttention):
        weight, bias = attention.in_proj_weight, attention.in_proj_bias
        output = attention.out_proj.weight.data
        if weight is None:
            each = (getattr(attention, f"{name}_proj_weight").data for name in "qkv")
        else:
            each = weight.data.chunk(3)
    else:
        weight, bias = attention.query_key_value.weight, attention.query_key_value.bias
        each, output = weight.data.chunk(3), attention.projection.weight.data
    found = dict(zip("qkv", each, strict=True)) | {"o": output}
    if bias is not None:
        found |= dict(zip(("bq", "bk", "bv"), bias.data[:, None].chunk(3), strict=True))
    return found


def invertible(size: int, seed: int) -> torch.Tensor:
    """Return a matrix far from orthogonal: of singular values from 1/4 to 4."""
    draws = torch.Generator().manual_seed(seed)
    left, right = (
        torch.linalg.qr(torch.randn(size, size, dtype=F64, generator=draws))[0] for _ in range(2)
    )
    return left @ torch.diag(torch.logspace(-2, 2, size, base=2, dtype=F64)) @ right


def mixed(attention: nn.Module, heads: int, seed: int = 0) -> None:
    """Put an invertible matrix between queries and keys of each head, and values and output."""
    parts = matrices(attention)
    size = len(parts["q"]) // heads
    for head in range(heads):
        rows = slice(head * size, (head + 1) * size)
        first, second = (invertible(size, 10 * seed + 2 * head + k) for k in range(2))
        for names, factor in (
            (("q", "bq"), first.T),
            (("k", "bk"), first.inverse()),
            (("v", "bv"), second.T),
        ):
            for name in names:
                if name in parts:
                    parts[name][rows] = factor @ parts[name][rows]
        parts["o"][:, rows] = parts["o"][:, rows] @ second.inverse().T


def quotient(model: nn.Module, split: Split, **settings) -> list[float]:
    chosen = {"samples": 6, "average_radius": 0.2, "worst_radius": 0.1, "steps": 4, "starts": 3}
    found = adaptive_sharpness(
        subject_of(model, split), generator(0), quotient=True, **chosen | settings
    )
    return [m.value for m in found if m.measure.startswith("quotient")]


# --- what it is ---------------------------------------------------------------------------------


def dense_balance(left: torch.Tensor, right: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return balanced factors from eigenvectors of P Pᵀ and Pᵀ P, of the whole product P."""
    product, rank = left @ right.T, left.shape[1]
    squares, vectors = torch.linalg.eigh(product @ product.T)
    u, s = vectors.flip(1)[:, :rank], squares.flip(0)[:rank].sqrt()
    for column in range(rank):
        if u[:, column].abs().max() != u[:, column].max():
            u[:, column] *= -1
    return u * s.sqrt(), product.T @ u / s.sqrt()


def by_hand(model: Attentive) -> tuple[nn.Module, list[torch.Tensor]]:
    """Return the balanced network of one's own attention, and sizes, head by head."""
    model = copy.deepcopy(model)
    sizes = copy.deepcopy(model)
    parts, of_parts = matrices(model.attention), matrices(sizes.attention)
    for head in range(HEADS):
        rows = range(head * H, (head + 1) * H)
        for name, bias in (("q", "bq"), ("v", "bv")):
            other = "k" if name == "q" else "o"
            right = parts["k"][rows].T if other == "k" else parts["o"][:, rows]
            left = torch.cat([parts[name][rows], parts[bias][rows]], 1).T
            left, right = dense_balance(left, right)
            lengths = [side.norm(dim=0) / math.sqrt(len(side)) for side in (left, right)]
            for column, row in enumerate(rows):
                parts[name][row], parts[bias][row] = left[:-1, column], left[-1, column]
                of_parts[name][row] = of_parts[bias][row] = lengths[0][column]
                if other == "k":
                    parts["k"][row], of_parts["k"][row] = right[:, column], lengths[1][column]
                else:
                    parts["o"][:, row], of_parts["o"][:, row] = right[:, column], lengths[1][column]
    return model, [p.detach() for p in sizes.parameters()]


def test_the_balanced_network_and_sizes_are_those_of_the_whole_products():
    model, split = attentive("own")
    expected, sizes = by_hand(model)
    torch.testing.assert_close(expected(split.inputs), model(split.inputs))
    found, found_sizes = balanced(model, Objective(split))
    torch.testing.assert_close(found.state_dict(), expected.state_dict(), rtol=1e-7, atol=1e-8)
    torch.testing.assert_close(found_sizes, sizes, rtol=1e-7, atol=1e-8)


def test_the_average_case_is_a_plain_loop_from_the_balanced_network():
    model, split = attentive("own")
    centre, sizes = by_hand(model)
    draws, differences = child(generator(0), "adaptive perturbations"), []
    for _ in range(3):
        steps = drawn_like(sizes, 0.2, draws)
        for sign in (1, -1):
            moved = copy.deepcopy(centre)
            with torch.no_grad():
                for parameter, step, size in zip(moved.parameters(), steps, sizes, strict=True):
                    parameter += sign * step * size
            differences.append(plain_loss(moved, split) - plain_loss(model, split))
    average, _ = quotient(model, split)
    assert average == pytest.approx(sum(differences) / 6, rel=1e-6)


def metric_norm(gradients: list[torch.Tensor], factors: list[torch.Tensor]) -> float:
    """Return Σ tr(Dᵀ D FᵀF) / rows, the squared dual norm of the metric rows · tr((FᵀF)⁻¹ δᵀδ)."""
    return sum(
        ((d.T @ d) @ (f.T @ f)).trace().item() / len(f)
        for d, f in zip(gradients, factors, strict=True)
    )


def test_a_small_ball_gives_the_length_of_the_gradient_in_the_invariant_metric():
    """At the network as it is, wherever on its orbit: the metric needs no balance."""
    model, split = attentive("own")
    loss = nn.functional.cross_entropy(model(split.inputs), split.labels)
    gradient = copy.deepcopy(model)
    for own, slope in zip(
        gradient.parameters(), torch.autograd.grad(loss, list(model.parameters())), strict=True
    ):
        own.data.copy_(slope)
    here, slopes = matrices(model.attention), matrices(gradient.attention)
    factors, gradients = [], []
    for head in range(HEADS):
        rows = range(head * H, (head + 1) * H)
        for found, parts in ((factors, here), (gradients, slopes)):
            found.append(torch.cat([parts["q"][rows], parts["bq"][rows]], 1).T)
            found.append(parts["k"][rows].T)
            found.append(torch.cat([parts["v"][rows], parts["bv"][rows]], 1).T)
            found.append(parts["o"][:, rows])
    others = (model.head.weight * gradient.head.weight, model.head.bias * gradient.head.bias)
    others += (model.attention.projection.bias * gradient.attention.projection.bias,)
    squared = metric_norm(gradients, factors)
    squared += sum(each.detach().square().sum().item() for each in others)
    _, worst = quotient(model, split, worst_radius=1e-6, norm="l2")
    assert worst == pytest.approx(1e-6 * math.sqrt(squared), rel=1e-4)


# --- what it does not depend on -----------------------------------------------------------------


@pytest.mark.parametrize("norm", ["l2", "linf"])
@pytest.mark.parametrize("kind", KINDS)
def test_invertible_matrices_between_factors_change_nothing(kind, norm):
    model, split = attentive(kind)
    expected = quotient(model, split, norm=norm)
    for seed in range(3):
        other = copy.deepcopy(model)
        mixed(other.attention, HEADS, seed)
        torch.testing.assert_close(other(split.inputs), model(split.inputs), rtol=1e-9, atol=1e-9)
        assert quotient(other, split, norm=norm) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("architecture", ["vit", "vit_standard"])
def test_the_transformers_of_studies_are_measured_along_their_symmetry(architecture):
    model, split = network(architecture, 1 / 16), images(architecture, 20)
    expected = quotient(model, split)
    other = copy.deepcopy(model)
    for layer in other.modules():
        if isinstance(layer, LocalitySelfAttention | SelfAttention):
            mixed(layer, 6)
    torch.testing.assert_close(other(split.inputs), model(split.inputs))
    assert quotient(other, split) == pytest.approx(expected, rel=1e-9)
    plain, moved = (
        adaptive_sharpness(subject_of(each, split), generator(0), samples=6, steps=4)
        for each in (model, other)
    )
    assert all(abs(b.value / a.value - 1) > 0.1 for a, b in zip(plain, moved, strict=True))


def test_the_bias_of_keys_which_does_nothing_has_no_part():
    model, split = attentive("own")
    other = copy.deepcopy(model)
    matrices(other.attention)["bk"].mul_(-7)
    torch.testing.assert_close(other(split.inputs), model(split.inputs))
    assert quotient(other, split) == pytest.approx(quotient(model, split), rel=1e-9)


def test_factors_of_a_product_of_lower_rank_need_not_be():
    """A column of zeros in one factor is the same product as columns of zeros in both."""
    model, split = attentive("own")
    matrices(model.attention)["q"][0], matrices(model.attention)["bq"][0] = 0, 0
    other = copy.deepcopy(model)
    matrices(other.attention)["k"][0] = 0
    torch.testing.assert_close(other(split.inputs), model(split.inputs))
    assert quotient(other, split) == pytest.approx(quotient(model, split), rel=1e-6)


def test_the_network_is_left_alone():
    model, split = attentive("torch")
    before = copy.deepcopy(model.state_dict())
    quotient(model, split)
    torch.testing.assert_close(model.state_dict(), before, rtol=0, atol=0)


# --- where it is not defined --------------------------------------------------------------------


def shared() -> nn.Module:
    first, second = SelfAttention(D, HEADS, H, 0.0), SelfAttention(D, HEADS, H, 0.0)
    second.projection.weight = first.projection.weight
    return nn.Sequential(first, second)


def computed() -> nn.Module:
    layer = SelfAttention(D, HEADS, H, 0.0)
    nn.utils.parametrizations.weight_norm(layer.projection)
    return nn.Sequential(layer)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (nn.Linear(3, 3), "no attention that is known"),
        (shared(), "^0: its weights are shared"),
        (computed(), "^0: its weights are shared, or are computed"),
        (nn.Sequential(nn.MultiheadAttention(D, 2, add_bias_kv=True)), "^0: keys that are added"),
        (nn.Sequential(nn.MultiheadAttention(D, 2, add_zero_attn=True)), "^0: keys that are added"),
    ],
)
def test_networks_whose_factors_are_not_known_are_told(model, reason):
    assert re.search(reason, why_not(model))


def test_without_attention_the_measure_is_left_out_and_says_why():
    torch.manual_seed(0)
    model, split = nn.Linear(4, 3), points(10, 4, 3)
    chosen = {"samples": 4, "adaptive": {"samples": 4, "steps": 2, "quotient": True}}
    measured = perturbation(subject_of(model, split), generator(0), published=False, **chosen)
    assert not any(m.measure.startswith("quotient") for m in measured.measurements)
    assert set(measured.details["left_out"]) == {
        "quotient_sharpness_average",
        "quotient_sharpness_worst",
    }
    with pytest.raises(InputError, match="quotient_sharpness_worst: the network has no attention"):
        measure(model, split.inputs, split.labels, ["quotient_sharpness_worst"])


class Elsewhere(Attentive):
    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return super().forward(inputs) + self.attention.query_key_value.weight.sum(0)[:3]


def test_weights_of_attention_that_are_used_elsewhere_are_refused():
    model = Elsewhere("own").double().eval()
    with pytest.raises(InputError, match="quotient: Elsewhere uses the weights of its attention"):
        quotient(model, points(10, 3 * D, 3))


def test_settings_of_adaptive_sharpness_hold_for_it_when_it_is_asked_for_by_name():
    model, split = attentive("own")
    names = ["quotient_sharpness_average"]
    few = {"samples": 3, "dtype": "float64", "adaptive": {"samples": 4, "steps": 2}}
    found = measure(model, split.inputs, split.labels, names, settings={"perturbation": few})
    assert list(found) == names
    expected = adaptive_sharpness(
        subject_of(model, split),
        generator(0, "perturbation"),
        samples=4,
        steps=2,
        quotient=True,
    )
    assert found[names[0]].value == pytest.approx(expected[2].value, rel=1e-12)
