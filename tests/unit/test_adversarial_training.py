"""Adversarial training against a loop written out, and what it must leave alone."""

import math

import pytest
import torch
from refusals import refused
from study_cases import study
from torch import nn
from training_cases import SGD, feature_data, image_data, perceptron, resnet, same_bytes

from minimascope.ascent.ball import in_unit_ball
from minimascope.attacks.attack import Attacker
from minimascope.attacks.spec import AdversarialSpec, AttackSpec
from minimascope.attacks.training import adversarial_batch
from minimascope.data.digits import load
from minimascope.jobs.timing import NOT_OF_THE_STEPS
from minimascope.networks import NetworkSpec, initialise
from minimascope.networks.normalised import NormalisedInput
from minimascope.optim.sam import SAM
from minimascope.seeding import generator
from minimascope.training import TrainingSpec, train


def attacked_by_hand(model, inputs, labels, spec, draws) -> torch.Tensor:
    """PGD from a random point, one sample after the other."""
    starts = in_unit_ball(inputs.shape, spec.norm, draws, inputs.dtype)
    found = []
    for point, label, start in zip(inputs, labels, starts, strict=True):
        move = spec.radius * start
        for _ in range(spec.steps):
            now = (point + move).requires_grad_()
            loss = nn.functional.cross_entropy(model(now[None]), label[None])
            (slope,) = torch.autograd.grad(loss, now)
            unit = slope.sign() if spec.norm == "linf" else slope / slope.norm().clamp(min=1e-300)
            move = move + 2.5 * spec.radius / spec.steps * unit
            if spec.norm == "linf":
                move = move.clamp(-spec.radius, spec.radius)
            else:
                move = move * min(1, spec.radius / move.norm().item())
        found.append(point + move)
    return torch.stack(found)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_two_epochs_equal_a_loop_over_samples(norm):
    spec = AdversarialSpec(0.3, norm, steps=3)
    data, model, expected = feature_data(), perceptron(), perceptron()
    plain = {"name": "sgd", "lr": 0.1}
    history = train(model, data, TrainingSpec(2, 6, plain, adversarial=spec), seed=3)
    for epoch in range(2):
        order = torch.randperm(20, generator=generator(3, "order", epoch))
        draws, total = generator(3, "adversarial", epoch), 0.0
        for rows in order.split(6):
            labels = data.train.labels[rows]
            inputs = attacked_by_hand(expected, data.train.inputs[rows], labels, spec, draws)
            loss = nn.functional.cross_entropy(expected(inputs), labels)
            gradients = torch.autograd.grad(loss, list(expected.parameters()))
            total += loss.item() * len(rows)
            with torch.no_grad():
                for p, g in zip(expected.parameters(), gradients, strict=True):
                    p -= 0.1 * g
        assert history[epoch]["train_loss"] == pytest.approx(total / 20, rel=1e-9)
    for p, q in zip(model.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-9, atol=1e-12)


def test_the_attack_changes_neither_statistics_nor_modes_and_stays_in_ball_and_range():
    model, data = resnet(), image_data()
    before = resnet()
    spec = AdversarialSpec(0.2, steps=2)
    model.train()
    inputs = data.train.inputs
    found = adversarial_batch(model, inputs, data.train.labels, spec, generator(0))
    assert same_bytes(model, before)
    assert all(module.training for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert found.min() >= 0
    assert found.max() <= 1
    moves = (found - inputs / 255).abs().amax((1, 2, 3))
    assert moves.max() <= 0.2 * (1 + 1e-5)
    assert moves.min() > 0.1


def test_both_gradients_of_sam_are_on_the_same_attacked_inputs():
    seen, model = [], resnet()

    def note(module: nn.Module, given: tuple[torch.Tensor]) -> None:
        if module.training:
            seen.append(given[0].clone())

    model.register_forward_pre_hook(note)
    spec = TrainingSpec(1, 8, SGD, sam=SAM(0.05), adversarial=AdversarialSpec(0.1, steps=2))
    train(model, image_data(), spec, seed=1)
    assert len(seen) == 6
    for first, second in zip(seen[::2], seen[1::2], strict=True):
        assert torch.equal(first, second)
        assert first.is_floating_point()


def test_the_stream_of_attacks_leaves_order_augmentation_and_dropout_alone():
    """With balls so small that nothing but rounding changes, all else is as without attacks."""
    models = resnet(0.2), resnet(0.2)
    for model, spec in zip(models, (None, AdversarialSpec(1e-12, steps=1)), strict=True):
        chosen = TrainingSpec(2, 8, SGD, dropout=0.2, adversarial=spec)
        train(model, image_data(), chosen, seed=4)
    for one, other in zip(*(model.parameters() for model in models), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


def test_networks_withstand_more_for_it():
    data = load(None, train_size=500, split_seed=0, image_size=8)
    accuracies = []
    for spec in (None, AdversarialSpec(0.1, steps=3)):
        network = NetworkSpec("mlp", 1, (8, 8), 10, options={"hidden_layers": 1})
        model = NormalisedInput(initialise(network, 0), [0.5], [0.5])
        train(model, data, TrainingSpec(20, 50, SGD | {"lr": 0.1}, adversarial=spec), 0)
        inputs = data.test.inputs[:200] / 255
        radii = inputs.new_full((200,), 0.1)
        labels = data.test.labels[:200]
        attacker = Attacker(model.eval(), "linf", AttackSpec("pgd"), (0.0, 1.0))
        found = attacker.attacked(inputs, labels, radii)
        accuracies.append((~found.fooled).double().mean().item())
    assert accuracies[1] > accuracies[0] + 0.2


def test_a_network_without_gradients_is_refused():
    class Rounded(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = perceptron()

        def forward(self, inputs):
            return self.inner(inputs.long().double())

    spec = TrainingSpec(1, 6, SGD, adversarial=AdversarialSpec(0.1))
    with refused("no gradient with respect to its inputs"):
        train(Rounded(), feature_data(), spec, 0)


def test_conditions_and_sweeps_name_radii_as_the_field_does():
    conditions = {"baseline": {}, "robust": {"adversarial": {"radius": "8/255"}}}
    axes = {"training.adversarial.radius": ["2/255", "4/255"]}
    loaded = study(
        conditions=conditions, sweeps={"radii": {"axes": axes, "conditions": ["robust"]}}
    )
    assert loaded.training["small", "robust"]["adversarial"] == {
        "radius": "8/255",
        "norm": "linf",
        "steps": 7,
    }
    assert loaded.training["small", "baseline"]["adversarial"] is None
    assert "robust-radius4_255" in loaded.conditions
    chosen = loaded.training["small", "robust-radius4_255"]
    spec = TrainingSpec.from_config(
        {key: chosen[key] for key in chosen if key not in NOT_OF_THE_STEPS}
    )
    assert spec.adversarial == AdversarialSpec(4 / 255, "linf", 7)
    assert math.isclose(spec.adversarial.radius, 0.0156862745)
