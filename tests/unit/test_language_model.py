"""A language model with a loader of mappings: measures against their definitions written out."""

import math
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.data import DataLoader

from minimascope import measure
from minimascope.measurement import Measurement

VOCABULARY, LENGTH, SIZE, TEXTS = 5, 6, 4, 10
IGNORED = -100
# Linear layers (two in the body, one in attention, the head) and the two embeddings.
WEIGHT_LAYERS = 6
SETTINGS = {
    "perturbation": {"samples": 4, "adaptive": {"samples": 4, "steps": 3}},
    "hessian": {"trace_products": 60, "dtype": "float64", "tolerance": 1e-6},
    "landscape": {"points": 3, "direction_seeds": [1, 2]},
}
MEASURES = [
    *("fisher_rao_norm", "relative_flatness", "squared_weight_norm", "train_loss"),
    *("train_accuracy", "train_label_entropy", "train_gradient_norm"),
    *("sam_sharpness", "sam_sharpness_signed", "adaptive_sharpness_average"),
    *("hessian_top_eigenvalue", "hessian_smallest_eigenvalue", "hessian_trace"),
    *("gauss_newton_top_eigenvalue", "gauss_newton_trace", "asc_sharpness"),
]


class SmallTransformer(nn.Module):
    """Predicts the next token of each place, from those before it."""

    def __init__(self):
        super().__init__()
        self.tokens = nn.Embedding(VOCABULARY, SIZE)
        self.places = nn.Embedding(LENGTH, SIZE)
        layer = nn.TransformerEncoderLayer(SIZE, 2, 8, dropout=0.1, batch_first=True)
        self.body = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.head = nn.Linear(SIZE, VOCABULARY)

    def forward(self, input_ids, attention_mask):
        length = input_ids.shape[1]
        causal = torch.ones(length, length, dtype=torch.bool).triu(1)
        states = self.tokens(input_ids) + self.places(torch.arange(length))
        states = self.body(states, mask=causal, src_key_padding_mask=attention_mask == 0)
        return SimpleNamespace(logits=self.head(states))


class OneToken(nn.Module):
    """The same network as a classifier: of a text and a place, the token after it."""

    def __init__(self, network: SmallTransformer):
        super().__init__()
        self.network = network

    def forward(self, inputs):
        ids, mask, place = inputs[:, :LENGTH], inputs[:, LENGTH:-1], inputs[:, -1]
        return self.network(ids, mask).logits[torch.arange(len(ids)), place]


@pytest.fixture(scope="module")
def texts() -> list[dict[str, torch.Tensor]]:
    """Texts of different lengths: padded, and without a label at their end and in some places."""
    draws = torch.Generator().manual_seed(0)
    rows = []
    for number in range(TEXTS):
        length = LENGTH - number % 3
        text = torch.randint(1, VOCABULARY, (length,), generator=draws)
        ids = F.pad(text, (0, LENGTH - length))
        labels = F.pad(text[1:], (0, LENGTH - length + 1), value=IGNORED)
        labels[number % 2] = IGNORED
        rows.append({"input_ids": ids, "attention_mask": (ids > 0).long(), "labels": labels})
    return rows


@pytest.fixture(scope="module")
def network() -> SmallTransformer:
    torch.manual_seed(0)
    return SmallTransformer().double().eval()


@pytest.fixture(scope="module")
def found(network, texts) -> dict[str, Measurement]:
    loader = DataLoader(texts, batch_size=4)
    return measure(network, loader, measures=MEASURES, settings=SETTINGS)


@pytest.fixture(scope="module")
def judged(texts) -> list[tuple[int, int, int]]:
    """Every token that counts: its text, its place and its label."""
    return [
        (number, place, int(label))
        for number, row in enumerate(texts)
        for place, label in enumerate(row["labels"])
        if label != IGNORED
    ]


def probabilities(network, texts) -> torch.Tensor:
    """Return softmax of the logits of every place, [texts, places, vocabulary], one text a time."""
    logits = [network(r["input_ids"][None], r["attention_mask"][None]).logits[0] for r in texts]
    return torch.stack(logits).softmax(-1)


def mean_loss(network, texts, judged) -> torch.Tensor:
    p = probabilities(network, texts)
    return sum(-p[place].log() for place in judged) / len(judged)


def test_all_measures_are_of_texts_and_finite(found):
    assert list(found) == MEASURES
    for name, m in found.items():
        assert m.n == TEXTS, name
        assert math.isfinite(m.value), name


@torch.no_grad()
def test_loss_accuracy_and_norms_are_means_over_tokens_that_count(found, network, texts, judged):
    p = probabilities(network, texts)
    z = p.log()  # up to a constant for each token, which changes none of these
    loss = mean_loss(network, texts, judged).item()
    right = sum(int(p[n, t].argmax() == y) for n, t, y in judged) / len(judged)
    squares = sum(((p[n, t] * z[n, t]).sum() - z[n, t, y]).item() ** 2 for n, t, y in judged)
    shares = torch.tensor([y for _, _, y in judged]).bincount() / len(judged)
    entropy = -sum(q * math.log(q) for q in shares.tolist() if q)
    assert found["train_loss"].value == pytest.approx(loss)
    assert found["train_accuracy"].value == pytest.approx(right)
    assert found["train_label_entropy"].value == pytest.approx(entropy)
    expected = (WEIGHT_LAYERS + 1) * (squares / len(judged)) ** 0.5
    assert found["fisher_rao_norm"].value == pytest.approx(expected)


def test_relative_flatness_is_the_double_sum_over_blocks_of_the_heads_hessian(
    found, network, texts, judged
):
    entered = []
    hook = network.head.register_forward_pre_hook(lambda _, given: entered.append(given[0]))
    with torch.no_grad():
        probabilities(network, texts)
    hook.remove()
    features = torch.stack([entered[number][0, place] for number, place, _ in judged])
    deviations = features.std(0, correction=0)
    features, weight = features / deviations, network.head.weight.detach() * deviations
    labels = torch.tensor([label for _, _, label in judged])

    def loss(weight):
        return F.cross_entropy(features @ weight.T + network.head.bias.detach(), labels)

    blocks = torch.autograd.functional.hessian(loss, weight)
    expected = sum(
        (weight[s] @ weight[t]) * blocks[s, :, t].trace()
        for s in range(VOCABULARY)
        for t in range(VOCABULARY)
    )
    assert found["relative_flatness"].value == pytest.approx(expected.item())


@pytest.fixture(scope="module")
def curvature(network, texts, judged) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Gradient [P], Hessian [P, P] and Gauss–Newton matrix [P, P], column by column."""
    parameters = list(network.parameters())

    def flat(parts) -> torch.Tensor:
        return torch.cat([part.flatten() for part in parts])

    def slopes(value, **options) -> torch.Tensor:
        return flat(torch.autograd.grad(value, parameters, materialize_grads=True, **options))

    with sdpa_kernel(SDPBackend.MATH):  # which alone can be differentiated twice
        gradient = slopes(mean_loss(network, texts, judged), create_graph=True)
        hessian = torch.stack([slopes(entry, retain_graph=True) for entry in gradient])
    p = probabilities(network, texts)
    gauss_newton = torch.zeros_like(hessian)
    for number, place, _ in judged:
        of_token = p[number, place]
        # Σ_c p_c ∇ln p_c ∇ln p_cᵀ: the Fisher information, which it is for a softmax.
        for share, logarithm in zip(of_token.detach(), of_token.log(), strict=True):
            row = slopes(logarithm, retain_graph=True)
            gauss_newton += share * torch.outer(row, row) / len(judged)
    return gradient.detach(), hessian.detach(), gauss_newton


def test_gradient_hessian_and_gauss_newton_are_those_of_dense_matrices(found, curvature):
    gradient, hessian, gauss_newton = curvature
    assert found["train_gradient_norm"].value == pytest.approx(gradient.norm().item(), rel=1e-5)
    values = torch.linalg.eigvalsh(hessian)
    top, bottom = found["hessian_top_eigenvalue"], found["hessian_smallest_eigenvalue"]
    assert top.value == pytest.approx(values[-1].item(), rel=1e-5)
    assert bottom.value == pytest.approx(values[0].item(), rel=1e-3)
    largest = torch.linalg.eigvalsh(gauss_newton)[-1].item()
    assert found["gauss_newton_top_eigenvalue"].value == pytest.approx(largest, rel=1e-5)
    for name, matrix in (("hessian_trace", hessian), ("gauss_newton_trace", gauss_newton)):
        distance = abs(found[name].value - matrix.trace().item())
        assert distance < 5 * found[name].standard_error + 1e-9
        assert found[name].standard_error < 0.2 * abs(matrix.trace().item())


def test_every_measure_is_that_of_the_same_network_as_a_plain_classifier(
    found, network, texts, judged
):
    inputs = torch.stack(
        [
            torch.cat([texts[n]["input_ids"], texts[n]["attention_mask"], torch.tensor([place])])
            for n, place, _ in judged
        ]
    )
    labels = torch.tensor([label for _, _, label in judged])
    # There the head is not the last step.
    names = [name for name in MEASURES if name != "relative_flatness"]
    plain = measure(OneToken(network), inputs, labels, names, settings=SETTINGS)
    for name, m in plain.items():
        assert found[name].value == pytest.approx(m.value, rel=1e-4, abs=1e-7), name
