"""Shares of variance against fits by repeated means and closed forms."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy.stats import f

from minimascope.analysis.relations import text
from minimascope.analysis.variance import COLUMNS, variance_shares


def design(*drop, seeds=2):
    """All combinations of two optimisers, three rates and two networks, less some rows.

    Each model counts as a condition of its own.
    """
    levels = product(("sgd", "adam"), (1e-3, 1e-4, 1e-5), ("cnn10", "cnn14"), range(seeds))
    models = pd.DataFrame(levels, columns=["optimizer", "learning_rate", "network", "seed"])
    random = np.random.default_rng(0)
    effect = (models["optimizer"] == "adam") + 0.5 * (models["network"] == "cnn14")
    effect -= 0.3 * np.log10(models["learning_rate"])
    noise = random.normal(scale=0.3, size=len(models))
    models = models.assign(
        dataset="scenes",
        condition=[f"condition{i}" for i in range(len(models))],
        base_condition="baseline",
        trained=True,
        batch_size=16,
        asc_sharpness=np.exp(effect + noise),
        test_accuracy=0.5 + 0.05 * effect + 0.02 * random.normal(size=len(models)),
    )
    return models.drop(index=list(drop))


def shares(models, response="asc_sharpness"):
    table = variance_shares(models, ["asc_sharpness"])
    assert list(table.columns) == COLUMNS
    return table[table["response"] == response].set_index(["kind", "factor"])


def error(y, models, *names):
    """Sum of squares that effects of these settings leave: group means come off until all are 0."""
    rest = y - y.mean()
    for _ in range(500 if names else 0):
        for name in names:
            rest = rest - rest.groupby(models[name]).transform("mean")
    return (rest**2).sum()


def f_test(y, models, full, without, df, df_residual):
    """Share, F value and p-value of what a model loses without some of its settings."""
    lost, left = error(y, models, *without) - error(y, models, *full), error(y, models, *full)
    f_value = (lost / df) / (left / df_residual)
    return pytest.approx([lost / error(y, models), f_value, f.sf(f_value, df, df_residual)])


TESTED = ["value", "f_value", "p_value"]
DEGREES = {"optimizer": 1, "learning_rate": 2, "network": 1}


@pytest.mark.parametrize("drop", [(), (0, 1, 4, 9, 17)])
@pytest.mark.parametrize("response", ["asc_sharpness", "test_accuracy"])
def test_joint_shares_are_what_a_model_loses_without_a_setting(drop, response):
    models = design(*drop)
    y = np.log(models[response]) if response == "asc_sharpness" else models[response]
    found = shares(models, response).loc["joint"]
    rest = len(models) - 5
    for name, df in DEGREES.items():
        others = [other for other in DEGREES if other != name]
        assert [*found.loc[name, TESTED]] == f_test(y, models, DEGREES, others, df, rest)
        assert [*found.loc[name, ["df", "df_residual"]]] == [df, rest]
    assert [*found.loc["model", TESTED]] == f_test(y, models, DEGREES, [], 4, rest)
    assert found.loc["residual", "value"] == pytest.approx(1 - found.loc["model", "value"])
    assert (found["note"] == "").all()


def test_one_way_shares_are_between_groups_over_total():
    models = design(0, 5)
    found = shares(models).loc["one-way"]
    y = np.log(models["asc_sharpness"])
    for name, df in DEGREES.items():
        assert [*found.loc[name, TESTED]] == f_test(y, models, [name], [], df, 21 - df)
    assert set(found["n"]) == {22}


def test_a_balanced_design_has_shares_that_add_up():
    found = shares(design())
    names = ["optimizer", "learning_rate", "network"]
    one_way, joint = (found.loc[kind]["value"] for kind in ("one-way", "joint"))
    np.testing.assert_allclose(one_way[names], joint[names])
    assert joint[names].sum() == pytest.approx(joint["model"])
    assert joint["model"] + joint["residual"] == pytest.approx(1)


def test_factors_that_always_go_together_have_no_share_of_their_own():
    models = design()
    models = models[(models["optimizer"] == "adam") == (models["network"] == "cnn14")]
    found = shares(models)
    for factor, other in (("optimizer", "network"), ("network", "optimizer")):
        row = found.loc[("joint", factor)]
        assert np.isnan([row["value"], row["f_value"], row["p_value"]]).all()
        assert row["note"] == f"confounded with {other}: no share of its own"
    assert found.loc[("joint", "learning_rate"), "note"] == ""
    y, both = np.log(models["asc_sharpness"]), ["optimizer", "learning_rate"]
    assert [*found.loc[("joint", "model"), TESTED]] == f_test(y, models, both, [], 3, 8)
    assert found.loc[("joint", "residual"), "df_residual"] == 8
    rate = found.loc[("joint", "learning_rate"), TESTED]
    assert [*rate] == f_test(y, models, both, ["optimizer"], 2, 8)


def test_a_partly_confounded_factor_says_what_is_left_of_it():
    models = design()
    # The smallest rate with one optimiser, the others with the other.
    smallest = models["learning_rate"] == 1e-5
    models = models[smallest == (models["optimizer"] == "adam")]
    found = shares(models)
    row = found.loc[("joint", "learning_rate")]
    expected = "partly confounded with optimizer: 1 of 2 degrees of freedom are its own"
    assert (row["df"], row["note"]) == (1, expected)
    assert np.isfinite(row["value"])
    lost = found.loc[("joint", "optimizer"), "note"]
    assert lost == "confounded with learning_rate: no share of its own"


def test_three_factors_can_be_confounded_without_any_two_being():
    models = design()
    parity = (models["optimizer"] == "adam") ^ (models["network"] == "cnn14")
    models = models.assign(batch_size=np.where(parity, 32, 16))
    single = shares(models).loc["joint"]
    assert (single["note"] == "").all()
    code = (models["optimizer"] == "adam").astype(int) + 2 * (models["network"] == "cnn14")
    found = shares(models.assign(batch_size=code)).loc["joint"]
    assert found.loc["batch_size", "note"] == (
        "partly confounded with optimizer and with network: 1 of 3 degrees of freedom are its own"
    )
    # Of three levels at a time, an additive model can hold one as the sum of two others.
    optimizers, networks = ["sgd", "adam", "sgd", "sgd"] * 3, ["a", "a", "b", "a"] * 3
    summed = models.iloc[:12].assign(
        optimizer=optimizers, network=networks, batch_size=[16, 32, 32, 16] * 3
    )
    row = shares(summed).loc[("joint", "batch_size")]
    assert row["note"] == "confounded with the other factors together: no share of its own"


def test_as_many_settings_as_models_leave_nothing_to_test():
    models = design(seeds=1).iloc[[0, 1, 2, 4]].assign(network="cnn10")
    models["batch_size"] = [8, 16, 32, 64]
    found = shares(models)
    assert np.isnan(found["p_value"]).sum() >= 3
    row = found.loc[("one-way", "batch_size")]
    assert row["value"] == pytest.approx(1)
    assert row["note"] == "as many settings as models: no residual to test against"


@pytest.mark.parametrize("drop", [(), (0, 1, 4, 9, 17)])
@pytest.mark.parametrize("response", ["asc_sharpness", "test_accuracy"])
def test_a_response_that_one_setting_determines_has_shares_and_no_tests(drop, response):
    models = design(*drop)
    values = pd.Series(np.where(models["optimizer"] == "adam", 0.93, 0.91), models.index)
    found = shares(models.assign(**{response: values}), response)
    joint, one_way = found.loc["joint"], found.loc["one-way"]
    alone = error(values, models, "learning_rate", "network") / error(values, models)
    assert joint["value"].to_dict() == {
        "optimizer": pytest.approx(alone),
        "learning_rate": 0,
        "network": 0,
        "model": pytest.approx(1),
        "residual": 0,
    }
    for tested in (joint, one_way.loc[["optimizer"]]):
        assert tested[["f_value", "p_value"]].isna().all(axis=None)
        assert set(tested["note"]) == {"determined exactly: no residual to test against"}
    # Alone, the others leave a residual.
    assert one_way.loc[["learning_rate", "network"], "p_value"].between(0, 1).all()


def test_a_setting_without_any_effect_has_the_share_0():
    models = design()
    # Half of each of the six cells of the other settings.
    values = models["learning_rate"] * 1e3 + models["seed"]
    found = shares(models.assign(test_accuracy=values), "test_accuracy")
    for kind in ("one-way", "joint"):
        row = found.loc[(kind, "optimizer")]
        assert (row["value"], row["p_value"]) == (0, pytest.approx(1))


@pytest.mark.parametrize(
    ("values", "note"),
    [([1.0] * 24, "is the same for all models"), ([1.0, 2.0] + [0.0] * 22, "fewer than 3 models")],
)
def test_what_has_no_variance_to_share_has_a_note(values, note):
    found = shares(design().assign(asc_sharpness=values))
    assert found["value"].isna().all()
    assert set(found["note"]) == {note}


def test_values_without_a_logarithm_are_left_out():
    models = design()
    models.loc[[0, 1], "asc_sharpness"] = [0.0, np.nan]
    found = shares(models)
    assert set(found["n"]) == {22}
    pd.testing.assert_frame_equal(found, shares(models.drop(index=[0, 1])))


def test_several_seeds_of_a_condition_have_shares_and_no_test():
    single = design()
    several = single.assign(condition=np.repeat([f"c{i}" for i in range(12)], 2))
    tested, found = shares(single), shares(several)
    pd.testing.assert_frame_equal(
        found.drop(columns=["f_value", "p_value"]), tested.drop(columns=["f_value", "p_value"])
    )
    assert found[["f_value", "p_value"]].isna().all(axis=None)
    # One of them trained: no condition has several any more.
    alone = shares(several.assign(trained=several["seed"] == 0))
    assert alone.loc[("joint", "optimizer"), "p_value"] < 0.05


def test_models_that_did_not_train_are_left_out_and_counted():
    models = design()
    models.loc[:4, "trained"] = False
    found = shares(models)
    assert set(found["n"]) == {19}
    assert set(found["left_out"]) == {5}


def test_without_a_setting_that_varies_there_is_no_share():
    models = design().assign(optimizer="sgd", learning_rate=0.1, network="cnn10")
    assert variance_shares(models, ["asc_sharpness"]).empty


def test_readers_see_settings_in_words():
    models = design()
    models = models.assign(base_condition=models["optimizer"] + models["network"])
    [table] = text(pd.DataFrame(columns=["dataset"]), variance_shares(models, ["asc_sharpness"]))
    shown = table.loc["ln ASC sharpness"].set_index("Setting")
    assert {"optimiser", "learning rate", "condition"} <= set(shown.index)
    assert shown.loc["optimiser", "Note"] == "confounded with condition: no share of its own"
    assert not table.astype(str).apply(lambda column: column.str.contains("_")).any(axis=None)
