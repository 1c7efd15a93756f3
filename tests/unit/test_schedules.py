"""Learning rates over time are those of torch's schedulers."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from study_cases import completed, study
from torch import nn
from torch.optim import lr_scheduler
from training_cases import SGD, feature_data, perceptron

from minimascope import own_parts
from minimascope.errors import InputError
from minimascope.schedule import Schedule
from minimascope.training import TrainingSpec, train

EPOCHS, BATCHES, RATE = 30, 10, 0.5
IN_BATCHES = TrainingSpec(epochs=3, batch_size=6, optimizer=SGD)
Scheduler = lr_scheduler.LRScheduler


def warmed_up(optimizer: torch.optim.Optimizer, warmup: int, then: Scheduler) -> Scheduler:
    """Return torch's linear warm-up, and what follows it."""
    rise = lr_scheduler.LinearLR(optimizer, start_factor=1 / (warmup + 1), total_iters=warmup)
    return lr_scheduler.SequentialLR(optimizer, [rise, then], milestones=[warmup])


# A section `schedule`, and torch's scheduler of an optimiser in a run of some steps.
CASES = {
    "cosine": (
        {"name": "cosine"},
        lambda optimizer, steps: lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps),
    ),
    "cosine beyond its period": (
        {"name": "cosine", "period": 13},
        lambda optimizer, _: lr_scheduler.CosineAnnealingLR(optimizer, T_max=13),
    ),
    "steps at milestones": (
        {"name": "multi_step", "milestones": [20, 5], "gamma": 0.3},
        lambda optimizer, _: lr_scheduler.MultiStepLR(optimizer, [5, 20], gamma=0.3),
    ),
    "equal steps": (
        {"name": "multi_step", "milestones": [*range(7, EPOCHS * BATCHES, 7)], "gamma": 0.9},
        lambda optimizer, _: lr_scheduler.StepLR(optimizer, step_size=7, gamma=0.9),
    ),
    "one cycle": (
        {"name": "one_cycle"},
        lambda optimizer, steps: lr_scheduler.OneCycleLR(
            optimizer, RATE, total_steps=steps, cycle_momentum=False
        ),
    ),
    "one cycle with a late peak": (
        {"name": "one_cycle", "peak": 0.7},
        lambda optimizer, steps: lr_scheduler.OneCycleLR(
            optimizer, RATE, total_steps=steps, pct_start=0.7, cycle_momentum=False
        ),
    ),
    "warm-up before a cosine": (
        {"name": "cosine", "warmup": 5},
        lambda optimizer, steps: warmed_up(
            optimizer, 5, lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps - 5)
        ),
    ),
    "warm-up before a constant rate": (
        {"name": "constant", "warmup": 3},
        lambda optimizer, _: lr_scheduler.LinearLR(optimizer, start_factor=1 / 4, total_iters=3),
    ),
    # Milestones are steps of the run, those of torch's second scheduler steps since its beginning.
    "warm-up before steps": (
        {"name": "multi_step", "milestones": [10], "warmup": 4},
        lambda optimizer, _: warmed_up(
            optimizer, 4, lr_scheduler.MultiStepLR(optimizer, [10 - 4], gamma=0.1)
        ),
    ),
}


def of_torch(scheduler: Callable, steps: int) -> list[float]:
    """Return the rate of each step of a run."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=RATE)
    changing, rates = scheduler(optimizer, steps), []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if len(rates) < steps:
            changing.step()
    return rates


@pytest.mark.filterwarnings("ignore:The epoch parameter in `scheduler.step")
@pytest.mark.parametrize("per", ["epoch", "batch"])
@pytest.mark.parametrize(("section", "scheduler"), CASES.values(), ids=CASES)
def test_rates_are_those_of_torchs_scheduler(per, section, scheduler):
    schedule = Schedule.from_config(completed("schedule", per=per, **section))
    steps = EPOCHS if per == "epoch" else EPOCHS * BATCHES
    for step, expected in enumerate(of_torch(scheduler, steps)):
        epoch, batch = (step, 3) if per == "epoch" else divmod(step, BATCHES)
        rate = RATE * schedule.factor(epoch, batch, EPOCHS, BATCHES)
        assert rate == pytest.approx(expected, abs=1e-9), step


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "my_parts.py"
    path.write_text(
        "def halving(step, first, every: int):\n    return 0.5 ** ((step - first) // every)\n"
    )
    own_parts.use(path)
    yield path
    own_parts.use(None)


def test_a_schedule_of_the_users_own_file_follows_the_warm_up(parts):
    section = {"name": "my_parts:halving", "per": "epoch", "warmup": 1, "every": 2}
    schedule = Schedule.from_config(section)
    rates = [schedule.factor(epoch, 0, 6, 1) for epoch in range(6)]
    assert rates == [0.5, 1.0, 1.0, 0.5, 0.5, 0.25]


def test_another_schedule_replaces_all_settings_of_the_one_below():
    changes = {
        "training": {"schedule": {"name": "cosine", "period": 9, "warmup": 2}},
        "conditions": {
            "longer": {"schedule": {"warmup": 3}},
            "other": {"schedule": {"name": "constant"}},
        },
    }
    loaded = study(**changes)
    assert loaded.training["small", "longer"]["schedule"] == {
        "name": "cosine",
        "per": "epoch",
        "warmup": 3,
        "period": 9,
    }
    assert loaded.training["small", "other"]["schedule"] == {
        "name": "constant",
        "per": "epoch",
        "warmup": 0,
    }


@pytest.mark.parametrize(
    ("section", "line"),
    [
        ({"name": "cosine", "warmup": 12}, ".warmup: 12 batches leave nothing of a training of 12"),
        (
            {"name": "multi_step", "milestones": [11, 12]},
            ".milestones: 12 is too late in a training of 12 batches",
        ),
    ],
)
def test_a_training_refuses_a_schedule_that_goes_beyond_its_last_batch(section, line):
    schedule = Schedule.from_config(completed("schedule", per="batch", **section))
    with pytest.raises(InputError, match=re.escape(f"training.schedule{line}")):
        train(perceptron(), feature_data(), replace(IN_BATCHES, schedule=schedule), 0)
    # Twenty inputs in batches of six are four batches an epoch.
    train(perceptron(), feature_data(), replace(IN_BATCHES, epochs=4, schedule=schedule), 0)


def test_one_cycle_needs_two_steps():
    schedule = Schedule("one_cycle", "batch", options={"peak": 0.3})
    once = replace(IN_BATCHES, epochs=1, batch_size=20, schedule=schedule)
    with pytest.raises(InputError, match="one_cycle needs 2 batches or more"):
        train(perceptron(), feature_data(), once, 0)
    train(perceptron(), feature_data(), replace(once, batch_size=10), 0)
