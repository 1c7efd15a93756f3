"""A study that keeps weights on the way, on squared errors and full batches, from end to end."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from documented_tables import ALONG_AND_BETWEEN, check_columns
from small_study import ROOT, Project, made_once, study_with

from minimascope.models import load_model
from minimascope.safetensors_files import load_arrays

pytestmark = pytest.mark.workflow

STUDY = study_with(
    {
        "networks": {"mlp": {"architecture": "mlp", "width": 0.1, "activation": "tanh"}},
        "parts": "trajectories/parts.py",
        "training.epochs": 4,
        "training.batch_size": "full",
        "training.loss": "squared_error",
        "training.keep": [0, 2, 4],
        "training.optimizer.momentum": 0.0,
        "sharpness": {
            "forward": {},
            "edge_of_stability": {},
            "path": {"points": 3},
            "parts:largest_weight": {},
            "landscape": {"points": 3, "line_points": 3, "direction_seeds": [0]},
            "interpolation": {"lines": [["baseline", "baseline_sam"]], "points": 3},
            "on": ["final", "kept"],
        },
        "evaluation": {"on": ["final", 2], "corruptions": None},
        "compare_with_published": False,
        "toy_functions": False,
    }
)
RUN = ["condition", "seed"]
PARTS = """
def largest_weight(model, inputs, labels, generator):
    return max(weight.abs().max().item() for weight in model.parameters())
"""


@pytest.fixture(scope="module")
def along(tmp_path_factory: pytest.TempPathFactory) -> Project:
    def make(folder: Path) -> None:
        (folder / "parts.py").write_text(PARTS)
        result = Project(ROOT, folder).run(STUDY)
        assert result.returncode == 0, result.stdout

    return Project(ROOT, made_once(tmp_path_factory, "trajectories", make))


def table(project: Project, name: str) -> pd.DataFrame:
    return pd.read_csv(project.results(f"tables/{name}.csv"))


def test_every_family_is_measured_where_the_study_says(along: Project):
    found = table(along, "trajectory")
    epochs = found.groupby("family")["epoch"].agg(lambda values: sorted(set(values)))
    assert epochs["forward"] == epochs["edge_of_stability"] == [0, 2, 4]
    assert epochs["evaluation"] == [2, 4]
    assert epochs["path"] == [4]
    assert found.groupby(RUN).ngroups == 4


def test_the_last_moment_is_the_finished_network(along: Project):
    last = table(along, "trajectory").query("epoch == 4 and family == 'forward'")
    finished = table(along, "measures").query("family == 'forward'")
    keys = [*RUN, "measure"]
    pairs = last.merge(finished, on=keys, suffixes=("", "_finished"))
    assert len(pairs) == len(last) > 0
    # In the order of other samples, so apart from rounding.
    assert pairs["value"].to_numpy() == pytest.approx(pairs["value_finished"], rel=1e-6)
    folder = along.results("models/digits/mlp/baseline/seed0")
    files = (folder / f"{name}.safetensors" for name in ("epoch4", "model"))
    kept, model = (load_arrays(file)[0] for file in files)
    assert all(np.array_equal(kept[name], model[name]) for name in model)


def test_a_measure_of_ones_own_is_that_of_the_kept_weights(along: Project):
    found = table(along, "trajectory").query("measure == 'largest_weight'")
    assert len(found) == 12
    for row in found.itertuples():
        folder = along.results(f"models/digits/mlp/{row.condition}/seed{row.seed}")
        kept, *_ = load_model(folder / f"{row.moment}.safetensors", torch.device("cpu"))
        assert row.value == max(weight.abs().max().item() for weight in kept.parameters())


def test_a_document_of_ones_own_that_is_missing_is_made_though_all_tables_are_there(along: Project):
    [path, *_] = sorted(along.results("measures").rglob("*largest_weight-trajectory.json"))
    aside = path.rename(path.with_suffix(".aside"))
    assert along.planned(STUDY)["trajectory_own"] == 1
    aside.rename(path)
    assert "trajectory_own" not in along.planned(STUDY)


def test_all_conditions_of_a_seed_begin_at_the_same_weights(along: Project):
    first = table(along, "trajectory").query("epoch == 0 and measure == 'train_loss'")
    assert first.groupby("seed")["value"].nunique().eq(1).all()


def test_losses_are_squared_errors_everywhere_and_say_so(along: Project):
    losses = table(along, "measures").query("measure == 'train_loss'").set_index(RUN)
    assert set(losses["unit"]) == {"squared outputs"}
    landscape, lines, path = (table(along, name) for name in ("landscape", "interpolation", "path"))
    for found in (landscape, lines, path, table(along, "barriers")):
        assert set(found["unit"]) == {"squared outputs"}
    centres = landscape[(landscape.x == 0) & landscape.y.isna()].set_index(RUN)["loss"]
    ends = lines[lines.model.notna()].set_index(["model", "seed"])["loss"]
    last = path[path.moment == "epoch4"].set_index(RUN)["loss"]
    for places in (centres, ends, last):
        expected = losses["value"].loc[places.index].to_numpy()
        assert places.to_numpy() == pytest.approx(expected, rel=1e-5)


def test_tables_have_the_documented_columns_and_the_report_links_to_them(along: Project):
    check_columns(along, ALONG_AND_BETWEEN)


def test_documents_say_of_which_moments_they_are(along: Project):
    place = along.results("measures/digits/mlp/baseline/seed0/path-trajectory.json")
    assert json.loads(place.read_text(encoding="utf-8"))["moments"] == [
        "epoch0",
        "epoch2",
        "epoch4",
    ]


@pytest.mark.parametrize("keep", [[0, 4], [4], None])
def test_to_keep_less_trains_nothing(along: Project, keep):
    sharpness = {"forward": {}}
    changed = {**STUDY, "training": {**STUDY["training"], "keep": keep}, "sharpness": sharpness}
    assert "train" not in along.planned({**changed, "evaluation": {"corruptions": None}})


def test_weights_on_the_way_of_another_training_are_not_taken_for_those_of_this(
    along: Project, tmp_path: Path
):
    """Those that the last training kept none of are still there, from the one before."""
    project = Project(ROOT, shutil.copytree(along.folder, tmp_path / "trajectories"))
    other = {**STUDY["training"], "optimizer": {**STUDY["training"]["optimizer"], "lr": 0.03}}
    result = project.run({**STUDY, "training": {**other, "keep": [0, 2]}}, "--until", "train")
    assert result.returncode == 0, result.stdout
    reasons = {
        job.reasons
        for job in project.plan({**STUDY, "training": other}).jobs
        if job.rule == "train"
    }
    assert reasons == {("settings changed: training.optimizer.lr 0.02 → 0.03",)}


def test_another_measure_trains_nothing_and_another_moment_trains_again(along: Project):
    changed = {**STUDY, "sharpness": {**STUDY["sharpness"], "norms": {"pac_bayes": False}}}
    assert "train" not in along.planned(changed)
    training = {**STUDY["training"], "keep": [0, 1, 2, 4]}
    assert along.planned({**STUDY, "training": training})["train"] == 4
