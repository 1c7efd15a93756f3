"""Weights on the way are those of the moments they are named by, whatever interrupts a training."""

import copy

import pytest
import torch
from refusals import refused
from study_cases import completed, refusal, study
from torch import nn
from training_cases import (
    CPU,
    GDTUO,
    KFAC,
    SGD,
    InterruptedAfter,
    TrainingInterruptedError,
    after_each_step,
    image_data,
    resnet,
    same_bytes,
)

from minimascope.checkpoints import CheckpointFile
from minimascope.files import remove_abandoned
from minimascope.models import load_divisors, load_model, save_model
from minimascope.networks import NetworkSpec
from minimascope.optim import build, preconditioner
from minimascope.schedule import Schedule
from minimascope.sharpness.trajectory import Snapshot
from minimascope.snapshot_files import SnapshotFiles
from minimascope.snapshots import Moment, kept_moments, ladder
from minimascope.study.moments import kept, moments, trajectory_jobs
from minimascope.study.products import network_figures
from minimascope.training import TrainingSpec, train

SPEC = NetworkSpec("resnet18", 1, (8, 8), 3, width=0.0625)
NORMALIZE = {"mean": [0.5], "std": [0.5]}
NAMES = ("epoch0", "epoch2", "epoch3")
# Three steps in an epoch, at a rate that falls.
FALLING = TrainingSpec(3, 8, SGD, Schedule("cosine"))


def files(folder, names=NAMES) -> SnapshotFiles:
    folder.mkdir(exist_ok=True)
    places = {Moment.named(name): folder / f"{name}.safetensors" for name in names}
    return SnapshotFiles(places, SPEC, NORMALIZE, run={"seed": "1"})


def kept_by(folder, spec=FALLING, names=NAMES, checkpoint=None, model=None):
    """Train, and return the networks that it kept, with what their files say."""
    snapshots = files(folder, names)
    train(model or resnet(), image_data(), spec, 1, checkpoint, snapshots)
    snapshots.finish()
    snapshots.remove()
    return {name: load_model(folder / f"{name}.safetensors", CPU) for name in names}


@pytest.mark.parametrize(
    ("last", "steps"),
    [(1, [0, 1]), (2, [0, 1, 2]), (5, [0, 1, 2, 5]), (7, [0, 1, 2, 5, 7]), (1000, 13)],
)
def test_a_ladder_ends_with_the_last_epoch(last, steps):
    found = ladder(last)
    assert found == steps if isinstance(steps, list) else len(found) == steps - 2
    assert found[-1] == last
    assert found == sorted(set(found))


def test_moments_are_in_their_order_and_named_by_their_unit():
    assert kept_moments([5, 0], 9) == [Moment("epoch", 0), Moment("epoch", 5)]
    assert [moment.name for moment in kept_moments({"steps": [20, 3]}, 9)] == ["step3", "step20"]
    assert kept_moments(None, 9) == []
    assert Moment.named("step20") == Moment("step", 20)


def test_what_is_kept_are_the_weights_of_that_epoch_and_training_is_the_same(tmp_path):
    plain, watched = resnet(), resnet()
    train(plain, image_data(), FALLING, 1)
    found = kept_by(tmp_path / "kept", model=watched)
    assert same_bytes(plain, watched)
    assert same_bytes(found["epoch0"][0], resnet())
    assert same_bytes(found["epoch3"][0], watched)
    # The same schedule, stopped after two of its three epochs.
    begun = resnet()
    checkpoint = InterruptedAfter(tmp_path / "checkpoint", {}, CPU, 2)
    with pytest.raises(TrainingInterruptedError):
        train(begun, image_data(), FALLING, 1, checkpoint)
    assert same_bytes(found["epoch2"][0], begun)


def test_steps_are_counted_over_epochs(tmp_path):
    with after_each_step(lambda found: copy.deepcopy(found.param_groups[0]["params"])) as passed:
        found = kept_by(tmp_path / "kept", names=("step0", "step1", "step4", "step9"))
    for step in (1, 4, 9):
        model, _, metadata = found[f"step{step}"]
        assert all(map(torch.equal, model.parameters(), passed[step - 1]))
        assert metadata["moment"]["step"] == step
        assert metadata["moment"]["epoch"] == pytest.approx(step / 3)


def test_the_learning_rate_is_that_of_the_last_step(tmp_path):
    found = kept_by(tmp_path / "kept")
    rates = [found[name][2]["moment"]["learning_rate"] for name in NAMES]
    expected = [0.1 * FALLING.schedule.factor(epoch, 0, 3, 3) for epoch in (0, 1, 2)]
    assert rates == pytest.approx(expected)


@pytest.mark.parametrize("interrupted", [1, 2])
def test_an_interrupted_training_keeps_the_same_bytes(tmp_path, interrupted):
    kept_by(tmp_path / "undisturbed")
    place = tmp_path / "checkpoint"
    with pytest.raises(TrainingInterruptedError):
        kept_by(tmp_path / "kept", checkpoint=InterruptedAfter(place, {}, CPU, interrupted))
    kept_by(tmp_path / "kept", checkpoint=CheckpointFile(place, {}, CPU))
    for name in NAMES:
        one, other = (
            (tmp_path / run / f"{name}.safetensors").read_bytes() for run in ("undisturbed", "kept")
        )
        assert one == other, name


def test_a_training_begins_anew_where_what_it_kept_is_gone(tmp_path):
    kept_by(tmp_path / "undisturbed")
    place = tmp_path / "checkpoint"
    with pytest.raises(TrainingInterruptedError):
        kept_by(tmp_path / "kept", checkpoint=InterruptedAfter(place, {}, CPU, 2))
    files(tmp_path / "kept").unfinished(Moment("epoch", 0)).unlink()
    model = resnet()
    found = kept_by(tmp_path / "kept", checkpoint=CheckpointFile(place, {}, CPU), model=model)
    assert same_bytes(found["epoch0"][0], resnet())
    assert same_bytes(model, load_model(tmp_path / "undisturbed/epoch3.safetensors", CPU)[0])


def test_nothing_but_the_files_stays(tmp_path):
    kept_by(tmp_path / "kept")
    assert {path.stem for path in (tmp_path / "kept").iterdir()} == {*NAMES}


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("epoch4", "training.keep: 4 is beyond the last epoch, 3; leave it out"),
        ("step10", "training.keep.steps: 10 is beyond the last step, 9; leave it out"),
    ],
)
def test_a_moment_beyond_the_end_is_refused_before_training(tmp_path, name, line):
    with refused(line):
        kept_by(tmp_path / "kept", names=(name,))


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [
        (
            completed("optimizer", name="adam", lr=0.1),
            # After two steps with gradients 3 and 1: v = 0.999 · 0.001 · 9 + 0.001 · 1.
            ((0.999 * 0.001 * 9 + 0.001) / (1 - 0.999**2)) ** 0.5 + 1e-8,
        ),
        (
            completed("optimizer", name="rmsprop", lr=0.1),
            (0.99 * 0.01 * 9 + 0.01) ** 0.5 + 1e-8,
        ),
        (SGD, None),
    ],
)
def test_the_divisors_of_adaptive_optimisers_are_their_formulas(optimizer, expected):
    model = nn.Linear(1, 1, bias=False).double()
    found = build(model, optimizer)
    assert preconditioner(model, found) == {}
    for gradient in (3.0, 1.0):
        model.weight.grad = torch.full_like(model.weight, gradient)
        found.step()
    divisors = preconditioner(model, found)
    assert [*divisors] == ([] if expected is None else ["weight"])
    if expected is not None:
        assert divisors["weight"].item() == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("optimizer", [GDTUO, KFAC])
def test_optimisers_of_which_no_divisors_are_known_keep_weights_alone(tmp_path, optimizer):
    kept_by(tmp_path / "kept", TrainingSpec(3, 8, optimizer))
    assert load_divisors(tmp_path / "kept/epoch2.safetensors", CPU) == {}


def test_divisors_are_kept_beside_the_weights(tmp_path):
    adam = completed("optimizer", name="adam", lr=0.01)
    found = kept_by(tmp_path / "kept", TrainingSpec(3, 8, adam))
    divisors = load_divisors(tmp_path / "kept/epoch2.safetensors", CPU)
    shapes = {name: p.shape for name, p in found["epoch2"][0].named_parameters()}
    assert {name: tensor.shape for name, tensor in divisors.items()} == shapes
    assert load_divisors(tmp_path / "kept/epoch0.safetensors", CPU) == {}
    remove_abandoned(tmp_path)


def test_a_study_keeps_the_same_moments_for_all_and_measures_what_it_names():
    sharpness = {"forward": {}, "hessian": {}, "edge_of_stability": {}, "on": ["final", 2]}
    along = study(
        training={"keep": "log"},
        conditions={"sam": {"epochs": 4}},
        sharpness=sharpness,
        evaluation={"on": ["kept", "final"]},
    )
    assert kept(along) == ["epoch0", "epoch1", "epoch2", "epoch4"]
    assert moments(along, "forward") == ["epoch2"]
    assert moments(along, "edge_of_stability") == moments(along, "evaluation") == kept(along)
    assert trajectory_jobs(along) == {
        "trajectory": ["forward", "evaluation", "edge_of_stability"],
        "trajectory_hessian": ["hessian"],
    }
    assert along.families == ["forward", "hessian"]


def test_a_study_without_snapshots_has_no_jobs_for_them():
    assert kept(study()) == []
    assert trajectory_jobs(study()) == {}


@pytest.mark.parametrize("family", ["edge_of_stability", "path"])
def test_networks_that_are_not_measured_on_the_way_have_no_figure_of_it(family):
    along = study(
        training={"keep": [0, 2]},
        sharpness={family: {"only": {"networks": ["vgg"]}}, "on": ["final"]},
    )
    assert family in network_figures(along, "small", "vgg")
    assert family not in network_figures(along, "small", "resnet")
    assert family not in network_figures(study(training={"keep": [0, 2]}), "small", "vgg")


FEW = {"small": {"source": "digits", "train_size": 60}}
SIX_EPOCHS = {"epochs": 6, "batch_size": 30}


def test_steps_up_to_the_last_one_are_kept():
    along = study(datasets=FEW, training={"keep": {"steps": [12, 1]}, **SIX_EPOCHS})
    assert kept(along) == ["step1", "step12"]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"training": {"keep": [0, 3]}, "conditions": {"sam": {"epochs": 2}}},
            "conditions.sam.epochs: 2 epochs do not reach epoch 3 of training.keep; leave that out,"
            " or train for longer",
        ),
        (
            {"training": {"keep": [0, 3]}, "conditions": {"sam": {"keep": [1]}}},
            "conditions.sam.keep: all conditions keep the weights of the same moments; set it in"
            " training alone",
        ),
        (
            {"sharpness": {"on": ["final", 3]}},
            "sharpness.on: epoch 3 is not kept; add it to training.keep",
        ),
        (
            {"evaluation": {"on": ["final", "step20"]}},
            "evaluation.on: step 20 is not kept; add it to training.keep",
        ),
        (
            {"sharpness": {"on": ["final", "kept"]}},
            "sharpness.on: nothing is kept; set training.keep",
        ),
        (
            {"sharpness": {"edge_of_stability": {}}},
            "sharpness.edge_of_stability: measures weights on the way, and none are kept; set"
            " training.keep",
        ),
        (
            {"sharpness": {"path": {}}, "training": {"keep": [3]}},
            "sharpness.path: runs through two moments or more, and training.keep has one; add"
            " another",
        ),
        (
            # Of 60 samples, in batches of 30.
            {"datasets": FEW, "training": {"keep": {"steps": [0, 13]}, **SIX_EPOCHS}},
            "training.epochs: 12 steps do not reach step 13 of training.keep.steps; leave that"
            " out, or train for longer",
        ),
        (
            {
                "datasets": FEW,
                "training": {"keep": {"steps": [12]}, **SIX_EPOCHS},
                "conditions": {"full": {"batch_size": "full"}},
            },
            "conditions.full.epochs: 6 steps do not reach step 12 of training.keep.steps; leave"
            " that out, or train for longer",
        ),
        (
            {"evaluation": {"on": ["final", "initial"]}},
            "evaluation.on[1]: 'initial' is no moment: final, kept, an epoch such as 5, or a step"
            " such as step200",
        ),
        (
            {"evaluation": {"on": [3]}, "training": {"keep": [3]}},
            "evaluation.on: lists no 'final', without which nothing can be compared",
        ),
        (
            {"training": {"loss": "squared_error", "optimizer": {"name": "kfac", "lr": 0.1}}},
            "training.loss: kfac's curvature is that of a softmax; use"
            " cross_entropy, or another optimizer",
        ),
        (
            {
                "training": {"loss": "squared_error"},
                "sharpness": {"perturbation": {"adaptive": {"normalise_logits": True}}},
            },
            "sharpness.perturbation.adaptive.normalise_logits: squared_error on small has no"
            " softmax; set it to false",
        ),
        (
            {"conditions": {"other": {"loss": "squared_error"}}},
            "conditions.other.loss: baseline and other have different losses, whose sharpness"
            " cannot be compared; train all conditions of a data set with one",
        ),
    ],
)
def test_moments_that_cannot_be_measured_are_refused_in_one_line(changes, line):
    assert refusal(**changes) == line


def test_a_finished_network_in_the_place_of_a_snapshot_is_refused(tmp_path):
    path = tmp_path / "epoch2.safetensors"
    save_model(path, resnet(), SPEC, NORMALIZE, run={}, training={})
    with refused("epoch2.safetensors: says of no moment of a training; delete it and run again"):
        Snapshot.read(path, CPU)
