"""Attacks against closed forms on linear networks, a loop over samples, and each other."""

import copy
import itertools
import math

import numpy as np
import pytest
import torch
from refusals import refused
from scipy.optimize import brentq
from study_cases import options
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from minimascope.analysis.measure_names import describe
from minimascope.attacks.attack import STANDING, Attacker
from minimascope.attacks.inputs import box_of, evaluation_mode, largest_radius
from minimascope.attacks.losses import cross_entropy, logit_ratio
from minimascope.attacks.measure import ERROR, chosen_samples, measure
from minimascope.attacks.spec import AttackSpec, accuracy_name, measures_of, passes_of, radius_of
from minimascope.attacks.trust import Checks
from minimascope.data.digits import load
from minimascope.data.prepared import Split
from minimascope.networks import NetworkSpec, initialise
from minimascope.networks.normalised import NormalisedInput, in_units
from minimascope.seeding import generator
from minimascope.sharpness.attacked_distance import smallest_radii
from minimascope.training import TrainingSpec, train

F64 = torch.float64
NORMS = ["linf", "l2"]
# The norm that a linear function's slope has where moves have the other.
DUAL = {"linf": 1, "l2": 2}
BOXES = [None, (0.0, 1.0)]


class Plain(nn.Module):
    """z = W x + b in float64, of inputs [n, d]."""

    def __init__(self, classes: int, seed: int = 0, size: int = 6):
        super().__init__()
        draws = generator("plain", seed)
        self.linear = nn.Linear(size, classes).double()
        with torch.no_grad():
            self.linear.weight.normal_(generator=draws)
            self.linear.bias.normal_(generator=draws)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.linear(inputs)


def points(n: int = 30, size: int = 6) -> torch.Tensor:
    """Points of the unit cube, some of them in its faces."""
    draws = torch.rand(n, size, dtype=F64, generator=generator("points"))
    return (1.4 * draws - 0.2).clamp(0, 1)


def right_labels(model: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return model(inputs).argmax(1)


def rooms(point: np.ndarray, slope: np.ndarray, box) -> np.ndarray:
    """How far each entry can go in the direction of a slope."""
    if box is None:
        return np.full_like(point, np.inf)
    return np.where(slope > 0, box[1] - point, point - box[0])


def largest_rise(slope, room, radius, norm) -> float:
    """max slope · δ with ‖δ‖ ≤ radius and each |δ_i| in its room: all that room and ball allow."""
    sizes = np.abs(slope)
    if norm == "linf":
        return float(sizes @ np.minimum(radius, room))
    if np.linalg.norm(np.minimum(room, 1e9)) <= radius:
        return float(sizes @ room)

    def too_long(share):
        return np.linalg.norm(np.minimum(share * sizes, room)) - radius

    return float(sizes @ np.minimum(brentq(too_long, 0, 1e9, xtol=1e-14) * sizes, room))


def distance(slope, room, rise, norm) -> float:
    """The smallest radius at which a linear function rises by so much; infinite for none."""
    farthest = np.minimum(room, 1e9)
    if np.abs(slope) @ farthest < rise:
        return math.inf
    return brentq(lambda radius: largest_rise(slope, room, radius, norm) - rise, 0, 1e9)


@pytest.mark.parametrize("attack", ["pgd", "apgd"])
@pytest.mark.parametrize("box", BOXES)
@pytest.mark.parametrize("norm", NORMS)
def test_the_largest_loss_of_a_linear_classifier_is_found(norm, box, attack):
    """−ln p_y of two classes falls with w · x, so the worst point is that of the largest rise."""
    model, inputs, radius = Plain(2), points(), 0.4
    labels = right_labels(model, inputs)
    spec = AttackSpec(attack, steps=60, losses=("ce",))
    radii = torch.full((len(inputs),), radius, dtype=F64)
    found = Attacker(model, norm, spec, box).worst_inputs(inputs, labels, radii)
    losses = cross_entropy(model(found), labels)
    moves = (found - inputs).norm(math.inf if norm == "linf" else 2, dim=1)
    assert moves.max() <= radius * (1 + 1e-9)
    assert box is None or (found.min() >= 0 and found.max() <= 1)
    with torch.no_grad():
        weight, logits = model.linear.weight.numpy(), model(inputs).numpy()
    for i, y in enumerate(labels.tolist()):
        slope = weight[1 - y] - weight[y]
        rise = largest_rise(slope, rooms(inputs[i].numpy(), slope, box), radius, norm)
        margin = logits[i, y] - logits[i, 1 - y]
        assert losses[i].item() == pytest.approx(np.logaddexp(0, rise - margin), rel=2e-3)


@pytest.mark.parametrize("attack", ["fgsm", "pgd", "apgd"])
@pytest.mark.parametrize("norm", NORMS)
def test_the_smallest_radius_of_two_classes_is_the_distance_to_their_plane(norm, attack):
    model, inputs = Plain(2), points()
    labels = right_labels(model, inputs)
    found = smallest_radii(model, inputs, labels, norm, AttackSpec(attack, losses=("ce",)))
    with torch.no_grad():
        logits, weight = model(inputs), model.linear.weight
    margins = (logits[:, 0] - logits[:, 1]).abs()
    expected = margins / (weight[0] - weight[1]).norm(DUAL[norm])
    torch.testing.assert_close(found, expected, rtol=0.02, atol=1e-6)


@pytest.mark.parametrize("as_bytes", [False, True])
@pytest.mark.parametrize("norm", NORMS)
def test_the_smallest_radius_is_the_distance_to_the_nearest_class(norm, as_bytes):
    """With bytes in the box of pictures, which keeps many moves from going straight."""
    model, inputs = Plain(4), points()
    stored = (inputs * 255).round().to(torch.uint8)[:, None, None] if as_bytes else inputs
    inputs = stored[:, 0, 0] / 255 if as_bytes else inputs
    pictures = NormalisedInput(nn.Sequential(nn.Flatten(), model), [0.0], [1.0]).double()
    network = pictures if as_bytes else model
    labels = right_labels(network, stored)
    found = smallest_radii(network, stored, labels, norm, AttackSpec(restarts=5))
    ratios = []
    with torch.no_grad():
        weight, logits = model.linear.weight.numpy(), model(inputs.double()).numpy()
    for i, y in enumerate(labels.tolist()):
        slopes = (weight[j] - weight[y] for j in range(4) if j != y)
        margins = (logits[i, y] - logits[i, j] for j in range(4) if j != y)
        box = (0, 1) if as_bytes else None
        point = inputs[i].double().numpy()
        expected = min(
            distance(slope, rooms(point, slope, box), margin, norm)
            for slope, margin in zip(slopes, margins, strict=True)
        )
        ratios.append(found[i].item() / expected)
    # The distance of an example is never below the true one. Loss rises towards other classes, too,
    # so some ways lead past the nearest.
    assert min(ratios) > 1 - 1e-5
    assert max(ratios) < 1.3
    assert sorted(ratios)[25] < 1.02


def test_misclassified_samples_need_no_change_and_unreachable_ones_have_no_radius():
    model, inputs = Plain(3), points()
    labels = right_labels(model, inputs)
    labels[:5] = (labels[:5] + 1) % 3
    found = smallest_radii(model, inputs, labels, largest=1e-9)
    assert found.tolist() == [0.0] * 5 + [math.inf] * 25


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_features_that_are_all_one_number_need_a_radius(value):
    model = Plain(3)
    inputs = torch.full_like(points()[:1], value)
    labels = right_labels(model, inputs)
    with refused("attack: its radius is 0, since the inputs are all one number"):
        smallest_radii(model, inputs, labels)
    found = smallest_radii(model, inputs, labels, largest=1e3)
    assert 0 < found.item() < 1e3


def small_network(seed: int = 0) -> tuple[NormalisedInput, Split]:
    dataset = load(None, train_size=300, split_seed=0, image_size=8)
    spec = NetworkSpec("mlp", 1, (8, 8), 10, options=options("mlp"))
    model = NormalisedInput(initialise(spec, seed), [0.5], [0.5])
    train(model, dataset, TrainingSpec(20, 50, {"name": "adam", "lr": 0.01}), seed)
    return model.eval(), dataset.test.rows(torch.arange(200))


@pytest.fixture(scope="module")
def trained() -> tuple[NormalisedInput, Split]:
    return small_network()


@pytest.mark.parametrize("radius", [0.05, 0.1])
@pytest.mark.parametrize("norm", NORMS)
def test_pgd_is_never_weaker_than_fgsm_and_auto_pgd_never_weaker_than_pgd(trained, norm, radius):
    model, split = trained
    inputs, box = in_units(split.inputs), box_of(split.inputs)
    radii = inputs.new_full((200,), radius * (1 if norm == "linf" else 5))
    right = right_labels(model, inputs) == split.labels
    assert right.double().mean() > 0.85
    accuracies = []
    for attack in ("fgsm", "pgd", "apgd"):
        spec = AttackSpec(attack, steps=20)
        found = Attacker(model, norm, spec, box).attacked(inputs, split.labels, radii)
        accuracies.append((~found.fooled).double().mean().item())
        moves = (found.examples - inputs).flatten(1)
        sizes = moves.norm(dim=1) if norm == "l2" else moves.abs().amax(1)
        assert (sizes <= radii * (1 + 1e-5)).all()
        assert found.examples.min() >= 0
        assert found.examples.max() <= 1
        wrong = right_labels(model, found.examples) != split.labels
        assert torch.equal(wrong, found.fooled)
    assert accuracies == sorted(accuracies, reverse=True)
    assert accuracies[0] > accuracies[-1]


def pgd_by_hand(model, point, label, radius, norm, steps) -> tuple[bool, np.ndarray]:
    """PGD on one sample as the papers write it: the first point met that fools, or the input."""
    now = point.copy()
    for _ in range(steps + 1):
        given = torch.tensor(now[None], requires_grad=True)
        logits = model(given)
        if logits.argmax().item() != label:
            return True, now
        loss = logits.logsumexp(1) - logits[:, label]
        loss.sum().backward()
        slope = given.grad[0].numpy()
        unit = np.sign(slope) if norm == "linf" else slope / np.linalg.norm(slope)
        move = now + 2.5 * radius / steps * unit - point
        if norm == "linf":
            move = np.clip(move, -radius, radius)
        else:
            move = move * min(1, radius / np.linalg.norm(move))
        now = point + move
    return False, point


@pytest.mark.parametrize("batch_size", [7, 1000])
@pytest.mark.parametrize("norm", NORMS)
def test_a_batch_of_samples_meets_what_each_of_them_meets_alone(norm, batch_size):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 4)).double()
    inputs = points()
    labels = right_labels(model, inputs)
    labels[:3] = (labels[:3] + 1) % 4
    radii = torch.linspace(0.05, 1.0, len(inputs), dtype=F64)
    spec = AttackSpec("pgd", steps=9, losses=("ce",))
    attacker = Attacker(model, norm, spec, batch_size=batch_size)
    found = attacker.attacked(inputs, labels, radii)
    model.requires_grad_(requires_grad=False)
    expected = [
        pgd_by_hand(model, point.numpy(), label, radius, norm, 9)
        for point, label, radius in zip(inputs, labels.tolist(), radii.tolist(), strict=True)
    ]
    assert found.fooled.tolist() == [fooled for fooled, _ in expected]
    assert 3 < sum(fooled for fooled, _ in expected) < len(inputs)
    examples = torch.tensor(np.stack([example for _, example in expected]))
    torch.testing.assert_close(found.examples, examples, rtol=1e-9, atol=1e-12)


def test_restarts_and_losses_fool_more_samples_and_say_which_did(trained):
    model, split = trained
    inputs, box = in_units(split.inputs), box_of(split.inputs)
    radii = inputs.new_full((200,), 0.15)

    def found(restarts, losses, batch_size=1024):
        spec = AttackSpec("fgsm", 1, restarts, losses)
        attacker = Attacker(model, "linf", spec, box, batch_size=batch_size)
        return attacker.attacked(inputs, split.labels, radii)

    few, more = found(1, ("ce",)), found(5, ("ce", "dlr"))
    assert few.fooled.sum() < more.fooled.sum()
    assert torch.equal(few.fooled, more.by == 0)
    assert set(more.by.unique().tolist()) > {STANDING, 0}
    assert torch.equal(found(5, ("ce", "dlr"), 33).by, more.by)


def test_the_ratio_of_logits_is_that_of_sorted_logits_and_positive_where_fooled():
    logits = torch.randn(50, 5, dtype=F64, generator=generator("logits"))
    labels = torch.arange(50) % 5
    for row, label, value in zip(logits, labels.tolist(), logit_ratio(logits, labels), strict=True):
        first, _, third = row.sort(descending=True).values[:3]
        rival = max(z for j, z in enumerate(row.tolist()) if j != label)
        assert value.item() == pytest.approx(-((row[label] - rival) / (first - third)).item())
        assert (value > 0) == (row.argmax() != label)
    torch.testing.assert_close(logit_ratio(1e6 * logits, labels), logit_ratio(logits, labels))


def test_pictures_are_attacked_as_fractions_that_give_the_logits_of_their_bytes(trained):
    model, split = trained
    inputs, box = in_units(split.inputs), box_of(split.inputs)
    assert box == (0, 1)
    assert torch.equal(model(inputs), model(split.inputs))
    assert largest_radius(inputs, "linf", box) == 1
    assert largest_radius(inputs, "l2", box) == 8
    features = 10 * points()
    assert torch.equal(in_units(features), features)
    assert box_of(features) is None
    assert largest_radius(features, "linf", None) == features.max() - features.min()


def test_a_model_is_as_it_was_after_an_attack():
    model = nn.Sequential(
        *(nn.Flatten(), nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 3))
    ).double()
    model.train()
    inputs = points()
    model[2].eval()
    model[1].weight.requires_grad_(requires_grad=False)
    before = copy.deepcopy(model)
    labels = torch.arange(30) % 3
    found = [smallest_radii(model, inputs, labels) for _ in range(2)]
    assert torch.equal(*found)
    for one, other in zip(model.modules(), before.modules(), strict=True):
        assert one.training == other.training
    for one, other in zip(model.parameters(), before.parameters(), strict=True):
        assert torch.equal(one, other)
        assert one.requires_grad == other.requires_grad
        assert one.grad is None
    for one, other in zip(model.buffers(), before.buffers(), strict=True):
        assert torch.equal(one, other)
    with pytest.raises(ZeroDivisionError), evaluation_mode(model):
        len(inputs) / model[3].training
    assert model[3].training


class Stairs(Plain):
    """Hides its gradients behind steps that are almost flat."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return super().forward(torch.tanh(400 * (inputs - 0.5)))


CONFIG = {
    "radii": {"linf": [0.3, "1/10"], "l2": [0.2]},
    "attack": "apgd",
    "steps": 10,
    "restarts": 1,
    "losses": ["ce", "dlr"],
    "bisections": 3,
    "samples": None,
}


def split_of(model: nn.Module) -> Split:
    return Split(points(), right_labels(model, points()))


def test_masked_gradients_are_told_by_each_of_their_signs():
    class Behind(Plain):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return super().forward(2 * (inputs - 0.5))

    stairs, plain = Stairs(3), Behind(3)
    hidden = measure(stairs, plain, split_of(stairs), CONFIG, 3)
    assert not any(each.converged for each in hidden.measurements)
    for checks in hidden.details["checks"].values():
        beyond, flat, transfer = checks["doubts"]
        assert "not fooled even at radius" in beyond
        assert "a gradient of exactly 0" in flat
        assert "another network fool more" in transfer
    honest = measure(plain, Plain(3, seed=1), split_of(plain), CONFIG, 3)
    assert all(each.converged for each in honest.measurements)
    assert [checks["doubts"] for checks in honest.details["checks"].values()] == [[], []]


def test_a_radius_is_doubted_only_where_transfer_beats_it_or_something_speaks_against_all():
    fine = {"largest_radius": 1.0, "standing": 0.0, "zero_gradients": 0.0, "follows": True}
    checks = Checks(**fine, transferred=(0.6, 0.2), accuracies=(0.5, 0.3))
    assert not checks.doubts(0)
    assert checks.doubts(1) == checks.doubts() != []
    alone = Checks(**fine | {"standing": 0.02}, transferred=None, accuracies=(0.5, 0.3))
    assert alone.doubts(0) == alone.doubts(1) != []


def test_numbers_follow_from_what_is_kept_of_each_sample():
    model, other = Plain(3), Plain(3, seed=1)
    split = split_of(model)
    split.labels[:4] = (split.labels[:4] + 1) % 3
    found = measure(model, other, split, CONFIG | {"samples": 20}, 3)
    names = [each.measure for each in found.measurements]
    assert sorted(names) == sorted(measures_of(CONFIG, recordings=False))
    assert {each.n for each in found.measurements} == {20}
    values = {each.measure: each.value for each in found.measurements}
    rows = found.arrays["samples"]
    assert len(rows) == len(set(rows)) == 20
    for norm, radii in CONFIG["radii"].items():
        by, smallest = found.arrays[f"{norm}/fooled_by"], found.arrays[f"{norm}/smallest_radius"]
        assert ((by == ERROR) == np.isin(rows, range(4))).all()
        assert values[f"adversarial_radius_{norm}"] == pytest.approx(np.median(smallest))
        for name, own, radius in zip(("0p3", "1_10"), by, radii, strict=False):
            standing = (own == STANDING).mean()
            assert values.get(f"adversarial_accuracy_{norm}_{name}", standing) == standing
            # Attacks at larger radii are no proof for smaller ones, but those at smaller ones are.
            assert (smallest[own != STANDING] <= radius_of(radius)).all()
    larger, smaller = (found.arrays["linf/fooled_by"] != STANDING).sum(1)
    assert larger > smaller > (rows < 4).sum()


def test_measures_of_recordings_are_named_after_their_log_mels():
    names = measures_of(CONFIG, recordings=True)
    assert names[1] == "adversarial_accuracy_log_mel_linf_1_10"
    found = measure(Plain(3), None, split_of(Plain(3)), CONFIG, 3, recordings=True)
    assert sorted(each.measure for each in found.measurements) == sorted(names)
    assert found.details["box"] is None
    units = {each.measure: each.unit for each in found.measurements}
    assert units["adversarial_radius_log_mel_linf"] == "dB"


@pytest.mark.parametrize("as_bytes", [True, False])
def test_radii_of_pictures_are_fractions_of_their_range_and_others_as_they_are(trained, as_bytes):
    model, split = trained
    if not as_bytes:
        model, split = Plain(3), split_of(Plain(3))
    config = CONFIG | {"radii": {"linf": [0.1]}, "samples": 4}
    found = measure(model, None, split, config, 10 if as_bytes else 3)
    units = {each.measure: each.unit for each in found.measurements}
    assert units["adversarial_radius_linf"] == ("fraction of the range" if as_bytes else "1")


def test_measures_of_attacks_are_described_by_what_their_names_say():
    found = describe("adversarial_accuracy_linf_8_255")
    assert (found.label, found.unit) == ("Adversarial accuracy, L∞ 8/255", "fraction")
    assert found.direction == describe("test_accuracy").direction
    assert describe("adversarial_radius_log_mel_l2").label == "Adversarial radius of log-mels, L2"
    units = [describe(f"adversarial_radius_{of}l2").unit for of in ("log_mel_", "")]
    assert units == ["dB", "–"]
    of_pictures = describe("adversarial_radius_l2", unit="fraction of the range")
    assert of_pictures.axis_label == "Adversarial radius, L2 (fraction of the range)"
    assert "0.5" in describe(accuracy_name("l2", 0.5, recordings=True)).label
    for other in ("adversarial_accuracy_linf", "adversarial_radius_l1", "adversarial_x"):
        assert describe(other).label == other


def test_networks_without_gradients_to_their_inputs_are_refused():
    class Rounded(Plain):
        def forward(self, inputs):
            return super().forward((4 * inputs).round())

    class Counted(Plain):
        def forward(self, inputs):
            counts = functional.one_hot(super().forward(inputs).argmax(1), 3).double()
            return counts

    for network in (Rounded(3), Counted(3)):
        with refused("no gradient with respect to its inputs", "leave adversarial out"):
            measure(network, None, split_of(network), CONFIG, 3)


def test_gradients_that_are_not_the_changes_of_the_outputs_are_a_doubt():
    """An attack can follow those of a rounding that passes them on, which no boundary has."""

    class Cut(Plain):
        def forward(self, inputs):
            return super().forward(inputs + ((4 * inputs).round() / 4 - inputs).detach())

    model = Cut(3).train()
    found = measure(model, None, split_of(model), CONFIG, 3)
    assert model.training
    assert not any(each.converged for each in found.measurements)
    for checks in found.details["checks"].values():
        assert "not the changes of the outputs" in checks["doubts"][-1]


def test_a_checkpoint_that_gives_inputs_no_gradient_is_refused():
    class Kept(Plain):
        def forward(self, inputs):
            return checkpoint(super().forward, inputs, use_reentrant=True)

    with refused("adversarial: the network has no gradient", "use_reentrant=True; set that"):
        measure(Kept(3), None, split_of(Plain(3)), CONFIG, 3)


def test_a_network_that_says_the_same_of_everything_is_doubted_and_not_refused():
    class Dead(Plain):
        def forward(self, inputs):
            return super().forward(0 * inputs)

    found = measure(Dead(3), None, split_of(Dead(3)), CONFIG, 3)
    assert not any(each.converged for each in found.measurements)
    assert found.measurements[0].value == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"radii": {"linf": [1.5]}}, "more than the range of pictures, 1 in L∞"),
        ({"radii": {"l2": [9]}}, "more than the range of pictures, 8 in L2"),
        ({"radii": {"l2": [0.0]}}, "must be greater than 0"),
    ],
)
def test_radii_that_no_picture_allows_are_refused(trained, change, message):
    model, split = trained
    with refused(message, "evaluation.adversarial.radii"):
        measure(model, None, split, CONFIG | change, 10)


def test_the_ratio_of_logits_needs_three_classes():
    with refused("dlr needs three classes; write [ce]"):
        measure(Plain(2), None, split_of(Plain(2)), CONFIG, 2)
    found = measure(Plain(2), None, split_of(Plain(2)), CONFIG | {"losses": None}, 2)
    assert found.details["rounds"] == [["ce", 0]]
    both = measure(Plain(3), None, split_of(Plain(3)), CONFIG | {"losses": None}, 3)
    assert both.details["rounds"] == [["ce", 0], ["dlr", 0]]


def test_the_samples_are_the_same_for_every_network_and_all_where_there_are_no_more():
    split = split_of(Plain(3))
    assert torch.equal(chosen_samples(split, 10), chosen_samples(split, 10))
    for samples in (None, 30, 99):
        assert torch.equal(chosen_samples(split, samples), torch.arange(30))


def test_more_attacks_are_estimated_to_take_longer():
    changes = ({"steps": 20}, {"restarts": 2}, {"bisections": 9}, {"losses": ["ce"]})
    passes = [passes_of(CONFIG | change, 3) for change in changes]
    assert min(passes[:3]) > passes_of(CONFIG, 3) > passes[3]
    assert passes_of(CONFIG | {"attack": "fgsm"}, 3) < passes_of(CONFIG, 3) / 2


def test_bisection_narrows_the_radius_down(trained):
    model, split = trained
    part = split.rows(torch.arange(40))
    found = [
        smallest_radii(model, part.inputs, part.labels, "linf", bisections=bisections)
        for bisections in (0, 3, 8)
    ]
    assert all((later <= before).all() for before, later in itertools.pairwise(found))
    assert found[2].median() < found[0].median()
