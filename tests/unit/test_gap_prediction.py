"""How well measures predict the gap: against loops, SciPy, counts by hand and made-up truths."""

from functools import partial
from itertools import combinations, product

import numpy as np
import pytest
from gap_cases import BASES, RATES, SIZES, sweep
from scipy import stats

from minimascope.analysis.gap_prediction import gap_prediction
from minimascope.errors import InputError

SHARP = "fisher_rao_norm"
AXES = {"base_condition", "batch_size", "optimizer.lr"}


def of(found, statistic, measure=SHARP, axis="all"):
    chosen = (found["statistic"] == statistic) & (found["measure"] == measure)
    [row] = found[chosen & (found["axis"] == axis)].to_dict("records")
    return row


def true_gap(base, rate, size, seed):
    return 3 + 2 * rate - 0.01 * size + (base == "decay") + 0.001 * seed


def noisy(*cell):
    """A number of each cell that follows nothing."""
    seed = [BASES.index(cell[0]), RATES.index(cell[1]), cell[2], cell[3]]
    return float(np.random.default_rng(seed).normal())


def test_a_perfect_measure_is_never_wrong_and_its_reverse_always():
    tables = sweep(
        true_gap, {SHARP: lambda *c: true_gap(*c) ** 3, "log_path_norm": lambda *c: -true_gap(*c)}
    )
    found = gap_prediction(*tables)
    for axis in ("all", *AXES):
        assert of(found, "kendall_tau", axis=axis)["value"] == 1
        assert of(found, "sign_error_worst", axis=axis)["value"] == 0
        assert of(found, "kendall_tau", "log_path_norm", axis)["value"] == -1
        assert of(found, "sign_error_90", "log_path_norm", axis)["value"] == 1
        assert of(found, "sign_error_mean", "log_path_norm", axis)["value"] == 1


def test_large_distances_to_the_boundary_predict_small_gaps():
    found = gap_prediction(*sweep(true_gap, {"boundary_distance": lambda *c: -true_gap(*c)}))
    assert of(found, "kendall_tau", "boundary_distance")["value"] == 1
    assert of(found, "kendall_tau", "boundary_distance")["kind"] == "margin"


def test_tau_along_one_axis_is_that_of_scipy():
    """With one base condition and one size there is one axis, and a τ for each seed."""
    tables = sweep(
        lambda *c: 5 + noisy(*c),
        {SHARP: lambda b, r, s, k: noisy(b, r, s, k + 7)},
        4,
        bases=BASES[:1],
        sizes=(25,),
    )
    measures = tables[0].pivot(index=["seed", "condition"], columns="measure", values="value")
    by_seed = [
        stats.kendalltau(own[SHARP], own["generalisation_gap"])[0]
        for _, own in measures.groupby(level="seed")
    ]
    row = of(gap_prediction(*tables), "kendall_tau", axis="optimizer.lr")
    assert row["value"] == pytest.approx(np.mean(by_seed))
    low, high = stats.t.interval(0.95, 3, np.mean(by_seed), stats.sem(by_seed))
    assert (row["lower"], row["upper"]) == pytest.approx((max(low, -1), min(high, 1)))


def by_loops(measures, conditions):
    """ψ of each axis, Ψ and the errors of all environments, with loops and dictionaries."""
    values = measures.pivot(index=["condition", "seed"], columns="measure", values="value")
    settings = conditions.set_index("condition")[["base_condition", "batch_size", "optimizer.lr"]]
    taus, errors = {axis: {} for axis in settings}, {}
    for a, b in combinations(settings.index, 2):
        differ = [axis for axis in settings if settings.at[a, axis] != settings.at[b, axis]]
        if len(differ) != 1:
            continue
        rest = tuple(settings.at[a, axis] for axis in settings if axis != differ[0])
        for seed in values.loc[a].index:
            one, other = values.loc[(a, seed)], values.loc[(b, seed)]
            gap, own = (np.sign(one[k] - other[k]) for k in ("generalisation_gap", SHARP))
            taus[differ[0]].setdefault((rest, seed), []).append(gap * own)
            errors.setdefault((a, b), []).append((1 - gap * own) / 2)
    psi = {
        axis: np.mean([np.mean(line) for line in lines.values()]) for axis, lines in taus.items()
    }
    return psi, np.mean(list(psi.values())), {key: np.mean(each) for key, each in errors.items()}


def test_everything_is_what_loops_find():
    tables = sweep(
        lambda *c: 5 + noisy(*c), {SHARP: lambda b, r, s, k: round(noisy(b, r, s, k + 7))}
    )
    psi, both, errors = by_loops(*tables)
    found = gap_prediction(*tables)
    for axis, value in psi.items():
        assert of(found, "kendall_tau", axis=axis)["value"] == pytest.approx(value)
    assert of(found, "kendall_tau")["value"] == pytest.approx(both)
    rows = found[found["statistic"] == "sign_error"]
    shown = {(row.first, row.second): row.value for row in rows.itertuples()}
    assert shown == pytest.approx(errors)
    worst = of(found, "sign_error_worst")
    assert worst["value"] == max(errors.values())
    assert shown[worst["first"], worst["second"]] == worst["value"]
    ordered = sorted(errors.values())
    assert of(found, "sign_error_90")["value"] == ordered[int(np.ceil(0.9 * len(ordered))) - 1]
    assert of(found, "sign_error_mean")["value"] == pytest.approx(np.mean(ordered))
    # 2 x 3 x 2 cells: 6 pairs of base conditions, 6 of sizes, 4 x 3 of rates.
    assert worst["n_environments"] == len(errors) == 24


def test_the_mean_hides_the_axis_that_the_worst_environment_shows():
    """Right along the rate and the base condition, wrong along the size."""
    tables = sweep(true_gap, {SHARP: lambda b, r, s, k: 2 * r + (b == "decay") + 0.01 * s})
    found = gap_prediction(*tables)
    assert of(found, "sign_error_mean")["value"] == pytest.approx(6 / 24)
    worst = of(found, "sign_error_worst")
    assert worst["value"] == 1
    assert {int(worst[end].split("-")[-1]) for end in ("first", "second")} == set(SIZES)
    assert of(found, "sign_error_worst", axis="optimizer.lr")["value"] == 0
    assert of(found, "kendall_tau")["value"] == pytest.approx((1 + 1 - 1) / 3)


def test_equal_measures_are_half_wrong_and_widen_the_interval():
    found = gap_prediction(*sweep(true_gap, {SHARP: lambda *c: 1.0}))
    assert of(found, "kendall_tau")["value"] == 0
    rows = found[found["statistic"] == "sign_error"]
    assert set(rows["value"]) == {0.5}
    assert (rows["lower"] == 0).all()
    assert (rows["upper"] == 1).all()


def test_gaps_within_their_noise_decide_nothing():
    """Of 100 samples two accuracies of 0.95 differ by 6 points through the samples alone."""
    tables = sweep(
        lambda base, rate, size, seed: 5 + 20 * (base == "decay") + rate,
        {SHARP: lambda base, rate, size, seed: (base == "decay") - 2 * rate},
        n=100,
    )
    found = gap_prediction(*tables)
    worst = of(found, "sign_error_worst")
    assert (worst["value"], worst["n_environments"]) == (0, 6)
    assert worst["in_noise"] == 3 * (12 + 6)
    lacking = of(found, "sign_error_worst", axis="optimizer.lr")
    assert np.isnan(lacking["value"])
    assert lacking["note"] == "gaps differ by less than their noise"
    # With enough samples each of them counts, but for equal gaps.
    assert (
        of(
            gap_prediction(
                *sweep(
                    lambda b, r, s, k: 5 + 20 * (b == "decay") + r, {SHARP: lambda b, r, s, k: -r}
                )
            ),
            "sign_error_worst",
        )["n_environments"]
        == 18
    )


def test_intervals_of_environments_are_exact_binomial_ones():
    wrong = {0: 1, 1: 1, 2: -1, 3: 1}
    tables = sweep(
        lambda b, r, s, k: 5 + r,
        {SHARP: lambda b, r, s, k: r * wrong[k]},
        4,
        (0.1, 1.0),
        (25,),
        BASES[:1],
    )
    [row] = gap_prediction(*tables).query("statistic == 'sign_error'").to_dict("records")
    exact = stats.binomtest(1, 4).proportion_ci(0.95, "exact")
    assert (row["value"], row["n_seeds"]) == (0.25, 4)
    assert (row["lower"], row["upper"]) == pytest.approx((exact.low, exact.high))
    worst = of(gap_prediction(*tables), "sign_error_worst")
    assert (worst["lower"], worst["upper"]) == pytest.approx((exact.low, exact.high))


def test_the_interval_of_the_worst_environment_holds_it():
    """Twelve environments, the worst of which is wrong in 70 % of seeds; 100 measures."""
    rates, seeds = tuple(range(1, 7)), 8
    chance = dict(zip(product(rates, SIZES), np.linspace(0.1, 0.7, 12), strict=True))
    drawn = np.random.default_rng(0).random((100, 6, 2, seeds))

    def measure(study, base, rate, size, seed):
        wrong = drawn[study, rate - 1, SIZES.index(size), seed] < chance[rate, size]
        return (base == "decay") * (-1 if wrong else 1)

    # Gaps along rates and sizes are equal, and so are not asked for.
    tables = sweep(
        lambda base, *_: 5 + (base == "decay"),
        {f"pac_bayes_{i}": partial(measure, i) for i in range(100)},
        seeds,
        rates,
    )
    tables[0].loc[tables[0]["measure"].str.startswith("pac"), "family"] = "norms"
    found = gap_prediction(*tables)
    worst = found[(found["statistic"] == "sign_error_worst") & (found["axis"] == "all")]
    assert len(worst) == 100
    assert set(worst["n_environments"]) == {12}
    assert (worst["lower"].le(0.7) & worst["upper"].ge(0.7)).sum() >= 92
    assert worst["value"].mean() > 0.7


def test_conditions_without_a_sweep_are_environments_of_their_own():
    tables = sweep(
        true_gap, {SHARP: noisy}, rates=(0.1,), sizes=(25,), bases=("a", "baseline", "decay")[1:]
    )
    found = gap_prediction(*tables)
    assert set(found["axis"]) == {"all", "base_condition"}
    assert of(found, "sign_error_worst")["n_environments"] == 1


def test_settings_that_change_together_are_one_axis():
    measures, conditions = sweep(true_gap, {SHARP: true_gap}, bases=BASES[:1], sizes=(25,))
    conditions = conditions.assign(**{"schedule.floor": conditions["optimizer.lr"] / 10})
    found = gap_prediction(measures, conditions)
    assert set(found["axis"]) == {"all", "optimizer.lr + schedule.floor"}


def test_who_is_no_predictor_or_did_not_train_or_is_not_matched_counts_for_nothing():
    tables = sweep(
        true_gap, {SHARP: true_gap, "test_jacobian_norm": true_gap, "sam_sharpness_null": true_gap}
    )
    measures, conditions = tables
    found = gap_prediction(*tables)
    assert set(found["measure"]) == {SHARP}
    untrained = measures.assign(trained=measures["seed"] > 0)
    assert of(gap_prediction(untrained, conditions), "kendall_tau")["n_seeds"] == 2
    unmatched = conditions.assign(matched=conditions["base_condition"] == "baseline")
    assert "base_condition" not in set(gap_prediction(measures, unmatched)["axis"])


def test_one_seed_has_values_without_errors():
    row = of(gap_prediction(*sweep(true_gap, {SHARP: true_gap}, seeds=1)), "kendall_tau")
    assert (row["value"], row["note"]) == (1, "one seed")
    assert np.isnan(row["lower"])


def test_nothing_to_compare_gives_no_rows():
    measures, conditions = sweep(
        true_gap, {SHARP: true_gap}, rates=(0.1,), sizes=(25,), bases=BASES[:1]
    )
    assert gap_prediction(measures, conditions).empty
    with pytest.raises(InputError, match="no column 'matched'"):
        gap_prediction(measures, conditions.drop(columns="matched"))
