"""Which condition each is compared with, and which one is the same without SAM."""

import pandas as pd
import pytest
from study_cases import published_study, study

from minimascope.analysis.environments import settings_of
from minimascope.analysis.model_table import conditions_table
from minimascope.errors import InputError
from minimascope.study.conditions import condition_rows

SWEEP = {"axes": {"training.batch_size": [20]}}


def compared(**changes):
    """The baseline of each condition of a changed study."""
    changed = study(**changes)
    return {name: changed.baseline_of(name) for name in changed.conditions}


def test_conditions_are_compared_with_the_one_called_baseline():
    assert compared() == {"baseline": None, "sam": "baseline"}


def test_another_baseline_can_be_named():
    assert compared(analysis={"baseline": "sam"}) == {"baseline": "sam", "sam": None}


def test_without_a_condition_called_baseline_nothing_is_compared():
    plain = published_study("acoustic_scenes")
    assert plain.baseline is None
    assert {plain.baseline_of(name) for name in plain.conditions} == {None}


def test_cells_of_a_sweep_are_compared_with_the_same_cell_of_the_baseline():
    assert compared(sweeps={"batches": SWEEP}) == {
        "baseline": None,
        "sam": "baseline",
        "baseline-batch_size20": "baseline",
        "sam-batch_size20": "baseline-batch_size20",
    }


def test_cells_that_the_baseline_lacks_are_compared_with_itself():
    found = compared(sweeps={"batches": SWEEP | {"conditions": ["sam"]}})
    assert found["sam-batch_size20"] == "baseline"


def test_a_cell_can_be_the_baseline_of_all():
    found = compared(sweeps={"batches": SWEEP}, analysis={"baseline": "baseline-batch_size20"})
    assert found["baseline-batch_size20"] is None
    assert found["baseline"] == found["sam"] == "baseline-batch_size20"
    assert found["sam-batch_size20"] == "baseline-batch_size20"


def test_a_baseline_that_does_not_exist_is_refused_by_name():
    with pytest.raises(InputError, match=r"analysis\.baseline: no condition 'basline'; .*baseline"):
        study(analysis={"baseline": "basline"})


def test_the_published_conditions_pair_with_themselves_without_sam():
    rows = pd.DataFrame(condition_rows(published_study("function_centric")))
    rows = rows[(rows["dataset"] == "cifar10") & (rows["network"] == "vit")]
    assert rows.set_index("condition")["without_sam"].dropna().to_dict() == {
        f"{name}_sam": name for name in ("baseline", "augmentation", "weight_decay")
    }
    assert set(rows["baseline"].dropna()) == {"baseline"}


def test_every_radius_of_a_sweep_pairs_with_the_condition_without_sam():
    rows = pd.DataFrame(condition_rows(published_study("sam_rho_sweep")))
    pairs = rows.set_index("condition")["without_sam"].dropna()
    assert set(pairs) == {"baseline"}
    assert len(pairs) == 6


# What conditions change beside the baseline, and whether that makes them regularised controls.
CONTROLS = {
    "sam": ({"sam": {"rho": 0.05}}, True),
    "decay": ({"optimizer": {"weight_decay": 0.1}}, True),
    "augmented": ({"augment": {"horizontal_flip": 0.5}}, True),
    "all": (
        {
            "sam": {"rho": 0.05},
            "optimizer": {"weight_decay": 0.1},
            "augment": {"horizontal_flip": 0.5},
        },
        True,
    ),
    "asam": ({"sam": {"rho": 0.05, "adaptive": 0.01}}, False),
    "rate": ({"optimizer": {"lr": 0.3}}, False),
    "rate_and_sam": ({"optimizer": {"lr": 0.3}, "sam": {"rho": 0.05}}, False),
    "optimizer": ({"optimizer": {"name": "adam", "lr": 0.01}}, False),
    "noise": ({"label_noise": 0.2}, False),
    "batch": ({"batch_size": 7}, False),
    "longer": ({"epochs": 9}, False),
    "less_decay": ({"optimizer": {"weight_decay": 0.0}}, False),
    "less_decay_sam": ({"sam": {"rho": 0.05}, "optimizer": {"weight_decay": 0.0}}, False),
    "same": ({}, False),
}


def test_controls_have_more_sam_augmentation_or_weight_decay_and_differ_in_nothing_else():
    conditions = {"baseline": {"optimizer": {"weight_decay": 0.01}}}
    for name, (changes, _) in CONTROLS.items():
        optimizer = {"weight_decay": 0.01, **changes.get("optimizer", {})}
        conditions[name] = {**changes, "optimizer": optimizer}
    conditions["theirs"] = {"checkpoint": "theirs-{seed}.pt"}
    rows = pd.DataFrame(condition_rows(study(conditions=conditions)))
    found = rows.drop_duplicates("condition").set_index("condition")["regularised"]
    expected = {name: control for name, (_, control) in CONTROLS.items()}
    assert found.to_dict() == {"baseline": False, **expected, "theirs": False}


def test_cells_of_a_sweep_are_controls_beside_the_same_cell_of_the_baseline():
    rates = {"axes": {"training.optimizer.lr": [0.1, 0.2]}, "conditions": ["baseline", "sam"]}
    rows = pd.DataFrame(condition_rows(study(sweeps={"rates": rates})))
    found = rows.drop_duplicates("condition").set_index("condition")["regularised"]
    assert set(found.index[found]) == {"sam", "sam-lr0.1", "sam-lr0.2"}


def test_whether_a_cell_is_a_control_is_no_setting_of_its_own():
    decays = {"axes": {"training.optimizer.weight_decay": [0.1, 0.2]}, "conditions": ["baseline"]}
    rows = conditions_table(condition_rows(study(sweeps={"decays": decays})))
    assert rows["regularised"].nunique() == 2
    here = rows["dataset"].eq("small") & rows["network"].eq(rows["network"].iloc[0])
    assert list(settings_of(rows[here])) == ["base_condition", "optimizer.weight_decay"]


def test_the_published_conditions_are_controls():
    rows = pd.DataFrame(condition_rows(published_study("function_centric")))
    own = rows[rows["condition"] != "baseline"]
    assert own["regularised"].all()
    assert not rows.loc[rows["condition"] == "baseline", "regularised"].any()


VARIANTS = {
    "asam": {"sam": {"rho": 0.5, "adaptive": 0}},
    "gsam": {"sam": {"rho": 0.05, "gap_weight": 0.1}},
    "m_sam": {"sam": {"rho": 0.05, "group_size": 5}},
}


def test_variants_of_sam_pair_with_nothing_and_have_no_published_values():
    of_radii = {"axes": {"training.sam.rho": [0.1, 0.2]}, "conditions": ["asam"]}
    loaded = study(
        conditions=VARIANTS,
        training={"batch_size": 10},
        datasets={"small": {"published_as": "cifar10"}},
        sweeps={"radii": of_radii},
    )
    rows = pd.DataFrame(condition_rows(loaded))
    rows = rows[rows["dataset"] == "small"].drop_duplicates("condition").set_index("condition")
    assert rows["without_sam"].dropna().to_dict() == {"sam": "baseline"}
    # A sweep of a variant's radius is a trend of its own all the same.
    assert rows["like_base_condition"].all()
    published = rows["published_dataset"].notna()
    assert list(rows.index[published]) == ["baseline", "sam"]
