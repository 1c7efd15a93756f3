"""Conditions whose networks were trained elsewhere: what a study may say of them, and refuses."""

from typing import Any

import pytest
from study_cases import BASE, SCHEMA, refusal, study

from minimascope.study import products
from minimascope.study.conditions import condition_rows
from minimascope.study.loading import load_study
from minimascope.study.raw_data import missing_files, reads_files
from minimascope.study.remarks import remarks

PATH = "runs/{dataset}/{network}-{seed}.pt"
THEIRS = {"checkpoint": PATH}


def adopting(**settings: Any):
    return study(conditions={"theirs": THEIRS | settings})


def refused(**settings: Any) -> str:
    return refusal(conditions={"theirs": THEIRS | settings})


def test_a_checkpoint_makes_a_condition_that_is_not_trained():
    found = adopting()
    assert found.conditions == ["baseline", "sam", "theirs"]
    assert found.trained_conditions == ["baseline", "sam"]
    assert found.adopted_conditions == ["theirs"]
    assert found.adopted["small", "theirs"] == {
        "checkpoint": PATH,
        "key": None,
        "classes": None,
        "normalize": None,
        "matched": False,
        "initial": None,
    }


def test_wildcards_stand_for_their_names():
    names = {"dataset": "large", "network": "vgg", "condition": "theirs", "seed": 3}
    assert adopting().adopted_file("checkpoint", **names) == "runs/large/vgg-3.pt"
    assert adopting().adopted_file("initial", **names) is None


def test_of_the_training_only_what_is_said_is_known():
    trained = study(training={"augment": {"crop_padding": 4}, "label_noise": 0.5})
    trained = load_study(
        trained.config | {"conditions": {**trained.config["conditions"], "theirs": THEIRS}}, SCHEMA
    )
    assert trained.augmentation("small", "theirs") is None
    assert trained.label_noise("small", "theirs") == 0
    assert trained.weight_decay("small", "theirs") == 0
    known = adopting(augment={"crop_padding": 2}, optimizer={"weight_decay": 1})
    assert known.augmentation("small", "theirs")["crop_padding"] == 2
    assert known.augmentation("small", "theirs")["horizontal_flip"] == 0
    assert known.weight_decay("small", "theirs") == 1


def test_settings_for_one_data_set_count_there_alone():
    found = study(
        datasets={"small": {"conditions": {"theirs": {"classes": [3, "b"]}}}},
        conditions={"theirs": THEIRS},
    )
    assert found.adopted["small", "theirs"]["classes"] == ["3", "b"]
    assert found.adopted["large", "theirs"]["classes"] is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 3}, "conditions.theirs.epochs: nothing is trained here;"),
        ({"label_noise": 0.1}, "conditions.theirs.label_noise: nothing is trained here;"),
        ({"optimizer": {"lr": 1}}, "conditions.theirs.optimizer.lr: nothing is trained here;"),
        ({"sam": None}, "conditions.theirs.sam: nothing is trained here;"),
        ({"classe": ["a", "b"]}, "conditions.theirs.classe: unknown key; did you mean 'classes'?"),
        ({"checkpoint": None}, "conditions.theirs.checkpoint: expected text, got nothing"),
        ({"checkpoint": "a{sed}.pt"}, "{sed} stands for nothing; did you mean '{seed}'?"),
        ({"checkpoint": "a{}.pt"}, "{} stands for nothing; valid: {dataset}, {network}, {seed}"),
        ({"checkpoint": "a}.pt"}, "conditions.theirs.checkpoint: '}' cannot stand in a path"),
        ({"checkpoint": "~/a.pt"}, "conditions.theirs.checkpoint: '~' is not filled in"),
        ({"matched": True}, "conditions.theirs.matched: does nothing without initial"),
        ({"initial": PATH}, "conditions.theirs.initial: does nothing without matched: true"),
        ({"normalize": {"std": [0]}}, "conditions.theirs.normalize.std[0]: must be greater"),
    ],
)
def test_what_says_nothing_of_a_checkpoint_is_refused(settings, message):
    assert message in refused(**settings)


def test_one_file_for_several_seeds_is_refused():
    said = refusal(seeds=[0, 1], conditions={"theirs": {"checkpoint": "a.pt"}})
    assert said.startswith("conditions.theirs.checkpoint: one file for 2 seeds")
    assert study(conditions={"theirs": {"checkpoint": "a.pt"}}).adopted
    files = {"checkpoint": PATH, "matched": True, "initial": "a.pt"}
    said = refusal(seeds=[0, 1], conditions={"theirs": files})
    assert said.startswith("conditions.theirs.initial: one file for 2 seeds")


@pytest.mark.parametrize("key", ["key", "classes", "normalize", "matched", "initial"])
def test_what_is_said_of_a_checkpoint_is_refused_without_one(key):
    value = {"classes": ["a", "b"], "normalize": {}, "matched": True}.get(key, "a")
    said = refusal(conditions={"sam": {key: value}})
    assert said.startswith(f"conditions.sam.{key}: is for networks that were trained elsewhere")
    said = refusal(datasets={"small": {"conditions": {"sam": {key: value}}}})
    assert said.startswith(f"datasets.small.conditions.sam.{key}: is for networks")


def test_a_sweep_leaves_adopted_conditions_out_and_refuses_them_by_name():
    axes = {"axes": {"training.batch_size": [5]}}
    cells = study(conditions={"theirs": THEIRS}, sweeps={"sizes": axes}).conditions[3:]
    assert cells == ["baseline-batch_size5", "sam-batch_size5"]
    named = {"sizes": axes | {"conditions": ["theirs"]}}
    said = refusal(conditions={"theirs": THEIRS}, sweeps=named)
    assert said.startswith("sweeps.sizes.conditions: theirs was trained elsewhere")


def test_a_study_of_checkpoints_alone_needs_no_training():
    config = {key: value for key, value in BASE.items() if key != "training"}
    found = load_study(config | {"conditions": {"theirs": THEIRS}}, SCHEMA)
    assert found.trained_conditions == []
    assert "training_curves" not in products.figures(found)
    assert "adopted" in products.tables(found)
    said = {"conditions": {"theirs": THEIRS, "baseline": {}}}
    with pytest.raises(Exception, match="'training' is missing"):
        load_study(config | said, SCHEMA)


def test_the_table_of_conditions_says_which_are_adopted_and_matched():
    files = THEIRS | {"matched": True, "initial": PATH}
    found = study(conditions={"theirs": THEIRS, "paired": files, "other": {"sam": {"rho": 1}}})
    rows = {row["condition"]: row for row in condition_rows(found) if row["dataset"] == "small"}
    assert {name: (row["adopted"], row["matched"]) for name, row in rows.items()} == {
        "baseline": (False, True),
        "sam": (False, True),
        "other": (False, True),
        "theirs": (True, False),
        "paired": (True, True),
    }
    assert rows["other"]["without_sam"] == "baseline"
    assert rows["theirs"]["optimizer.lr"] is None
    assert rows["theirs"]["baseline"] == "baseline"


def test_missing_checkpoints_are_told_before_any_job(tmp_path):
    (tmp_path / "runs").mkdir()
    for seed in (0, 1):
        (tmp_path / "runs" / f"{seed}.pt").touch()
    config = {"seeds": [0, 1, 2, 3], "data_dir": str(tmp_path), "datasets": {"small": {}}}
    found = study(**config, conditions={"theirs": {"checkpoint": "runs/{seed}.pt"}})
    assert reads_files(found)
    assert missing_files(found) == [
        f"conditions.theirs.checkpoint: {tmp_path}/runs/2.pt does not exist; put the files there,"
        " or name others (and 1 more of 4)"
    ]


def test_adopted_conditions_are_not_said_to_change_nothing():
    assert not [line for line in remarks(adopting()) if "conditions.theirs" in line]


def test_a_line_between_other_normalisations_is_refused():
    lines = {"lines": [["baseline", "theirs"]], "points": 3}
    other = {"checkpoint": "runs/{seed}.pt", "normalize": {"mean": [0.1], "std": [0.2]}}
    line = refusal(conditions={"baseline": {}, "theirs": other}, sharpness={"interpolation": lines})
    assert "baseline and theirs normalise the inputs of" in line
    assert "name networks that are alike" in line


def test_a_library_s_network_has_no_width():
    network = {"architecture": "timm:test_vit", "width": 0.5}
    line = refusal(networks={"vit": network})
    assert line.startswith("networks.vit.width: is for this project's own networks")
