"""Measures that one forward pass over the training data gives in closed form."""

from dataclasses import dataclass

import torch
from torch import nn

from ..batches import Batch, Batches
from ..errors import InputError
from ..jobs.progress import progress
from ..measurement import Measured, Measurement
from ..networks import count_weight_layers
from ..seeding import child
from .cross_entropy import CROSS_ENTROPY, counted
from .head import bias_of, features_behind, features_of, head_of
from .loss import LabelFacts, Loss
from .objective import Objective
from .published import BATCH_SIZE as PUBLISHED_BATCH_SIZE
from .published import PUBLISHED_LAYERS, layer_before, rescaled_copy
from .subject import Subject, check, check_loss

# A feature that varies by less than this share of its size is constant up to rounding.
CONSTANT = 1e-12
ONE_SAMPLE = "features of one sample have no standard deviation"


def fisher_rao_norm(
    outputs: torch.Tensor, labels: torch.Tensor, n_layers: int, loss: Loss = CROSS_ENTROPY
) -> float:
    """Return the Fisher–Rao norm.

    (L + 1) · sqrt(1/n Σ_i (Σ_c z_ic ∂ℓ_i/∂z_ic)²) with outputs z (Liang et al. 2019,
    arXiv:1711.01530, Theorem 3.1). For cross-entropy the inner sum is Σ_c p_ic z_ic − z_i,y_i, with
    the softmax p of the logits. Without unit there, in general in that of the loss; invariant under
    node-wise rescaling of ReLU layers.

    Args:
        outputs: [n, …].
        labels: [n, …], such as the loss takes.
        n_layers: number of weight layers L (`networks.count_weight_layers`).
        loss: whose outputs they are.

    Raises:
        InputError: no samples, or labels outside the classes.
    """
    facts = LabelFacts.of(labels)
    loss.check(outputs, labels, facts)
    squares = loss.radial(outputs, labels).square()
    return (n_layers + 1) * (squares.sum() / loss.count(facts)).sqrt().item()


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
        InputError: no samples, a single one that is to be normalised, or shapes that do not belong
            together.
    """
    if normalise and len(features) == 1:
        raise InputError(f"{ONE_SAMPLE}; give two or more")
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


def gradient_norm(model: nn.Module, objective: Objective, batch_size: int) -> float:
    """Return ‖∂L/∂θ‖, the Euclidean norm of the gradient of the mean loss.

    Over all parameters that require a gradient, without any penalty; see `objective`.
    """
    _, gradient = objective.mean_and_gradient(model, batch_size)
    return sum(part.double().square().sum().item() for part in gradient) ** 0.5


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
    the entropy of the labels. What is not defined for a network or a loss is left out; the details
    say why.

    Args:
        subject: the network and its loss on the training data.
        generator: draws the data of the published relative flatness; nothing else is random.
        batch_size: how many inputs are computed at once.
        published: whether to follow the published procedures too.
        published_share: of the data, for the published relative flatness.
        gradient: whether to take the norm of the gradient, which costs as much as three passes.
    """
    model, objective = subject.model, subject.objective
    check(model, objective)
    head = head_of(model, objective) if objective.loss.softmax else None
    found = _one_pass(model, objective, head, batch_size)
    loss = objective.mean_of(found.terms).item()
    check_loss(model, objective, loss)
    layers, n, unit = count_weight_layers(model), len(objective), objective.loss.unit
    norm = (layers + 1) * objective.mean_of(found.radial.square()).sqrt().item()
    norm_unit = "1" if objective.loss.softmax else unit
    measurements = [Measurement("fisher_rao_norm", norm, norm_unit, n)]
    if head is not None and len(found.features) > 1:
        flatness = relative_flatness(found.features, head.weight, bias_of(head))
        measurements.append(Measurement("relative_flatness", flatness, "1", n))
    measurements += [
        Measurement("squared_weight_norm", squared_weight_norm(model), "1", n),
        Measurement("train_loss", loss, unit, n),
        *_of_classes(objective, found),
    ]
    if gradient:
        slope = gradient_norm(model, objective, batch_size)
        per_parameter = f"{unit} per unit of parameter"
        measurements.append(Measurement("train_gradient_norm", slope, per_parameter, n))
    if published:
        norm *= (PUBLISHED_LAYERS + 1) / (layers + 1)
        measurements.append(Measurement("fisher_rao_norm_l5", norm, norm_unit, n, "published"))
    layer = layer_before(model, head)
    if published and layer is not None:
        draws = child(generator, "published share")
        part = objective.of(objective.samples.drawn(published_share, draws))
        if part.samples is not objective.samples:
            found = _one_pass(model, part, head, batch_size)
        measurements += _published_flatness(model, head, part, found.features, batch_size)
    left_out = _left_out(model, objective, head, layer)
    if head is not None and len(found.features) == 1:
        left_out["relative_flatness"] = ONE_SAMPLE
    return Measured(measurements, {"left_out": left_out} if left_out else {})


@dataclass(frozen=True)
class _Pass:
    """What a pass over the data gives.

    Attributes:
        terms: of the loss, [m].
        radial: see `Loss.radial`, [m].
        right: which terms are predicted right, [m], where the loss knows.
        counts: of labels by class, [C], likewise.
        features: what enters the head, [m, d], of terms that count; None without a head.
    """

    terms: torch.Tensor
    radial: torch.Tensor
    right: torch.Tensor | None
    counts: torch.Tensor | None
    features: torch.Tensor | None


def _one_pass(
    model: nn.Module, objective: Objective, head: nn.Linear | None, batch_size: int
) -> _Pass:
    loss = objective.loss

    def of_batch(batch: Batch) -> tuple[torch.Tensor | None, ...]:
        inputs, labels = batch
        with features_of(head) as entered:
            outputs = objective.outputs(model, inputs)
        terms, radial = loss.terms(outputs, labels), loss.radial(outputs, labels)
        right, counts = loss.right(outputs, labels), loss.class_counts(outputs, labels)
        features = None
        if head is not None:
            features = counted(features_behind(outputs, head, entered), labels)
        return terms, radial, right, counts, features

    def whole(batches: Batches) -> _Pass:
        shown = progress(batches, "forward pass", "batch")
        columns = zip(*(of_batch(batch) for batch in shown), strict=True)
        terms, radial, right, counts, features = (
            None if parts[0] is None else parts for parts in columns
        )
        return _Pass(
            torch.cat(terms),
            torch.cat(radial),
            right and torch.cat(right),
            counts and torch.stack(counts).sum(0),
            features and torch.cat(features),
        )

    return objective.samples.over_batches(whole, batch_size)


def _left_out(
    model: nn.Module, objective: Objective, head: nn.Linear | None, layer: nn.Module | None
) -> dict[str, str]:
    """Return why measures are not defined, by their names."""
    network, loss = type(model).__name__, objective.loss
    if not loss.softmax:
        reason = f"the loss {loss.name} is not that of a softmax, for which it is defined"
    elif head is None:
        reason = f"the logits of {network} are not the output of a linear layer"
    else:
        reason = f"{network} has no layer before the last with {head.in_features} outputs"
    names = [] if head else ["relative_flatness"]
    names += [] if layer else ["relative_flatness_published", "relative_flatness_published_loss"]
    left_out = dict.fromkeys(names, reason)
    if not loss.classes:
        reason = f"the loss {loss.name} knows no classes"
        left_out |= dict.fromkeys(["train_accuracy", "train_label_entropy"], reason)
    return left_out


def _of_classes(objective: Objective, found: _Pass) -> list[Measurement]:
    """Return training accuracy and the loss of guessing, where there are classes."""
    if not objective.loss.classes:
        return []
    n = len(objective)
    accuracy = objective.mean_of(found.right.double()).item()
    name, guessing = objective.loss.of_guessing(found.counts)
    return [
        Measurement("train_accuracy", accuracy, "fraction", n),
        Measurement(name, guessing, objective.loss.unit, n),
    ]


def _published_flatness(
    model: nn.Module,
    head: nn.Linear,
    objective: Objective,
    features: torch.Tensor,
    batch_size: int,
) -> list[Measurement]:
    """Return the published relative flatness, and the loss of the network it is measured on."""
    rescaled, head = rescaled_copy(model, head, feature_deviations(features.double()))
    found = _one_pass(rescaled, objective, head, batch_size)
    flatness = sum(
        relative_flatness(part, head.weight, bias_of(head), normalise=False)
        for part in found.features.split(PUBLISHED_BATCH_SIZE)
    )
    n, name = len(objective), "relative_flatness_published"
    loss = objective.mean_of(found.terms).item()
    return [
        Measurement(name, flatness, "1", n, "published"),
        Measurement(f"{name}_loss", loss, objective.loss.unit, n, "published"),
    ]
