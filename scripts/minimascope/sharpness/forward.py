"""Measures that one forward pass over the training data gives in closed form."""

import torch
from torch import nn

from ..batches import Batches, in_batches
from ..data.prepared import Split
from ..errors import InputError
from ..evaluation.predict import loss_and_accuracy
from ..jobs.progress import progress
from ..measurement import Measured, Measurement
from ..networks import count_weight_layers, features_and_head
from ..seeding import child
from .losses import in_dtype_of, loss_and_gradient
from .published import BATCH_SIZE as PUBLISHED_BATCH_SIZE
from .published import PUBLISHED_LAYERS, rescaled_copy
from .subject import Subject, check, check_labels

GRADIENT_UNIT = "nats per unit of parameter"
# A feature that varies by less than this share of its size is constant up to rounding.
CONSTANT = 1e-12


def fisher_rao_norm(logits: torch.Tensor, labels: torch.Tensor, n_layers: int) -> float:
    """Return the Fisher–Rao norm for the cross-entropy loss.

    (L + 1) · sqrt(1/n Σ_i (Σ_c p_ic z_ic − z_i,y_i)²), with softmax outputs p of logits z
    (Liang et al. 2019, arXiv:1711.01530, Theorem 3.1 and its corollary for cross-entropy).
    Without unit; invariant under node-wise rescaling of ReLU layers.

    Args:
        logits: [n, C].
        labels: [n].
        n_layers: number of weight layers L (`networks.count_weight_layers`).

    Raises:
        InputError: no samples, or labels outside the classes.
    """
    check_labels(labels, logits.shape[1])
    logits = logits.double()
    # Σ_c p_c z_c − z_y = Σ_c p_c (z_c − z_y): no cancellation where p is almost one-hot.
    margins = logits - logits.gather(1, labels[:, None])
    # Written out, since torch's softmax over few classes is slower than all of this together.
    weights = (logits - logits.amax(1, keepdim=True)).exp()
    inner = (weights * margins).sum(1) / weights.sum(1)
    return (n_layers + 1) * inner.square().mean().sqrt().item()


def relative_flatness(
    features: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, normalise: bool = True
) -> float:
    """Return the relative flatness (trace version) of the last linear layer.

    κ = Σ_{s,s'} ⟨w_s, w_s'⟩ Tr(H_{s,s'}) with Hessian blocks H_{s,s'} = ∂²L/∂w_s ∂w_s' of the
    mean cross-entropy L (Petzka et al. 2021, arXiv:2001.00939, Definition 3). For softmax
    outputs p the double sum collapses to 1/n Σ_i ‖φ_i‖² Var_{c∼p_i}(w_c), and the variance is
    ½ Σ_{c,c'} p_c p_c' ‖w_c − w_c'‖², a sum without cancellation.
    Without unit; O(n C² + C² d) operations.

    Args:
        features: φ, what enters the last layer, [n, d].
        weight: W, [C, d].
        bias: b, [C].
        normalise: divide each feature by its standard deviation over the data and multiply its
            weights by it, which keeps the function; features that are constant are left out.

    Raises:
        InputError: no samples, or shapes that do not belong together.
    """
    if len(features) == 0 or features.shape[1:] != weight.shape[1:] or len(weight) != len(bias):
        raise InputError(
            f"features {tuple(features.shape)}, weight {tuple(weight.shape)} and bias"
            f" {tuple(bias.shape)} do not belong together; they must be [n, d], [C, d] and [C],"
            " with n at least 1"
        )
    features, weight, bias = (tensor.detach().double() for tensor in (features, weight, bias))
    probabilities = torch.addmm(bias, features, weight.T).softmax(1)
    scales = torch.ones_like(features[0])
    if normalise:
        deviations = feature_deviations(features)
        scales = torch.where(deviations > 0, 1 / deviations, 0)
        weight = weight * deviations
    distances = torch.cdist(weight, weight, compute_mode="donot_use_mm_for_euclid_dist").square()
    variances = ((probabilities @ distances) * probabilities).sum(1) / 2
    squared_norms = features.square() @ scales.square()
    return (squared_norms * variances).mean().item()


def feature_deviations(features: torch.Tensor) -> torch.Tensor:
    """Return each feature's standard deviation over the data, [d]; 0 if it is constant."""
    deviations = features.std(0, correction=0)
    return torch.where(deviations > CONSTANT * features.abs().amax(0), deviations, 0)


def squared_weight_norm(model: nn.Module) -> float:
    """Return Σ θ² over all parameters of a model, in float64."""
    return sum(p.detach().double().square().sum().item() for p in model.parameters())


def gradient_norm(
    model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor, batch_size: int
) -> float:
    """Return ‖∂L/∂θ‖, the Euclidean norm of the gradient of the mean loss, in nats per unit of θ.

    Over all parameters that require a gradient, without any penalty; see `losses`.
    """
    _, gradient = loss_and_gradient(model, inputs, labels, batch_size)
    return sum(part.double().square().sum().item() for part in gradient) ** 0.5


def label_entropy(labels: torch.Tensor) -> float:
    """Return −Σ_c q_c ln q_c in nats, q_c being the share of labels that are c.

    That is the cross-entropy of the best guess without any look at the inputs.
    """
    shares = labels.bincount().double() / len(labels)
    return -torch.xlogy(shares, shares).sum().item()


@torch.no_grad()
def measure(
    subject: Subject,
    generator: torch.Generator,
    *,
    batch_size: int = 1024,
    published: bool = True,
    published_share: float = 1.0,
    gradient: bool = True,
) -> Measured:
    """Return Fisher–Rao norm, relative flatness, and how the training ended.

    That is: squared weight norm, training loss and accuracy, the norm of the loss's gradient and
    the entropy of the labels.

    Args:
        subject: a classifier with a linear last layer and its training data.
        generator: draws the data of the published relative flatness; nothing else is random.
        batch_size: how many inputs are computed at once.
        published: whether to follow the published procedures too.
        published_share: of the data, for the published relative flatness.
        gradient: whether to take the norm of the gradient, which costs as much as three passes.
    """
    model, split = subject.model, subject.split
    check(model, split.inputs, split.labels)
    features, logits, head = _features_and_logits(model, split, batch_size)
    layers, n = count_weight_layers(model), len(split)
    norm = fisher_rao_norm(logits, split.labels, layers)
    flatness = relative_flatness(features, head.weight, bias_of(head))
    loss, accuracy = loss_and_accuracy(logits, split.labels)
    measurements = [
        Measurement("fisher_rao_norm", norm, "1", n),
        Measurement("relative_flatness", flatness, "1", n),
        Measurement("squared_weight_norm", squared_weight_norm(model), "1", n),
        Measurement("train_loss", loss, "nats", n),
        Measurement("train_accuracy", accuracy, "fraction", n),
        Measurement("train_label_entropy", label_entropy(split.labels), "nats", n),
    ]
    if gradient:
        slope = gradient_norm(model, split.inputs, split.labels, batch_size)
        measurements.append(Measurement("train_gradient_norm", slope, GRADIENT_UNIT, n))
    if published:
        norm *= (PUBLISHED_LAYERS + 1) / (layers + 1)
        measurements.append(Measurement("fisher_rao_norm_l5", norm, "1", n, "published"))
        part = split.drawn(published_share, child(generator, "published share"))
        if part is not split:
            features, _, _ = _features_and_logits(model, part, batch_size)
        measurements += _published_flatness(model, part, features, batch_size)
    return Measured(measurements)


def _published_flatness(
    model: nn.Module, split: Split, features: torch.Tensor, batch_size: int
) -> list[Measurement]:
    """Return the published relative flatness, and the loss of the network it is measured on."""
    rescaled = rescaled_copy(model, feature_deviations(features.double()))
    features, logits, head = _features_and_logits(rescaled, split, batch_size)
    flatness = sum(
        relative_flatness(part, head.weight, bias_of(head), normalise=False)
        for part in features.split(PUBLISHED_BATCH_SIZE)
    )
    loss, _ = loss_and_accuracy(logits, split.labels)
    n, name = len(split), "relative_flatness_published"
    return [
        Measurement(name, flatness, "1", n, "published"),
        Measurement(f"{name}_loss", loss, "nats", n, "published"),
    ]


def bias_of(head: nn.Linear) -> torch.Tensor:
    """Return the bias of a linear layer, zeros if it has none."""
    return head.weight.new_zeros(len(head.weight)) if head.bias is None else head.bias


def _features_and_logits(
    model: nn.Module, split: Split, batch_size: int
) -> tuple[torch.Tensor, torch.Tensor, nn.Linear]:
    apply, head = features_and_head(model)

    def whole(batches: Batches) -> tuple[torch.Tensor, ...]:
        shown = progress(batches, "forward pass", "batch")
        passes = [apply(in_dtype_of(model, batch)) for (batch,) in shown]
        return tuple(torch.cat(parts) for parts in zip(*passes, strict=True))

    features, logits = in_batches(whole, (split.inputs,), batch_size)
    return features, logits, head
