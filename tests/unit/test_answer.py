"""The answer says what its tables say, in either direction, and no more."""

import re

import numpy as np
import pandas as pd
import pytest
from answer_cases import (
    DOWN,
    NONE,
    OPEN,
    UP,
    claims,
    conditions,
    correlations,
    means_of,
    one,
    said,
    statistics,
    summary,
    trends,
)

from minimascope.analysis.answer import answers, text
from minimascope.analysis.links import correlation_table
from minimascope.analysis.render import Fold, markdown


@pytest.mark.parametrize(
    ("evaluation", "values", "outcome", "more"),
    [
        ("test_accuracy", UP, "better", "higher"),
        ("test_accuracy", DOWN, "worse", "lower"),
        ("test_ece", UP, "worse", "higher"),
        ("test_ece", DOWN, "better", "lower"),
    ],
)
def test_a_sure_link_is_said_with_its_direction_and_what_that_means(
    evaluation, values, outcome, more
):
    found = said(one(values, evaluation))
    name = {"test_accuracy": "test accuracy", "test_ece": "test ECE"}[evaluation]
    assert (
        found["answer"]
        == f"In vit, sharper minima were surely {outcome} on {name} by Fisher–Rao norm."
    )
    assert f"the {more} the {name}" in found["evidence"]
    assert "Open" not in found["limits"]


def test_an_open_link_has_no_direction():
    found = said(one(OPEN))
    assert found["answer"] == (
        "In vit, it stays open whether sharper minima are better or worse: of 1 correlation none is"
        " sure."
    )
    told = " ".join(found.values())
    assert not re.search(r"higher|lower|surely", told)
    assert "ρ = 0.40 [−0.30, 0.80]" in found["evidence"]
    assert "Open does not mean that there is no link." in found["limits"]


@pytest.mark.parametrize("ends", [(0.0, 0.9), (-0.9, 0.0)])
def test_an_interval_that_ends_at_zero_is_open(ends):
    assert "it stays open" in said(one((np.mean(ends), *ends)))["answer"]


def test_an_evaluation_without_a_better_side_is_neither_better_nor_worse():
    found = said(
        correlations(
            {
                ("all", "fisher_rao_norm", "own_score"): DOWN,
                ("all", "fisher_rao_norm", "test_nll"): OPEN,
            }
        )
    )
    assert found["answer"] == (
        "In vit, sharper minima had a surely lower own_score by Fisher–Rao norm; of 2 correlations"
        " 1 stays open."
    )
    assert "the lower the own_score" in found["evidence"]


def test_measures_of_sharpness_that_disagree_are_both_told():
    found = said(
        correlations(
            {
                ("all", "fisher_rao_norm", "test_accuracy"): UP,
                ("all", "sam_sharpness", "test_accuracy"): DOWN,
                ("all", "relative_flatness", "test_accuracy"): OPEN,
            }
        )
    )
    assert "surely higher in test accuracy by one measure of sharpness and lower" in found["answer"]
    assert "sure by 1 of 3 measures of sharpness, surely the other way by 1" in found["evidence"]


@pytest.mark.parametrize(("second", "share"), [(UP, "2 of 2"), (OPEN, "1 of 2")])
def test_the_answer_says_by_how_many_measures_of_sharpness_it_is_sure(second, share):
    found = said(
        correlations(
            {
                ("all", "fisher_rao_norm", "test_accuracy"): UP,
                ("all", "sam_sharpness", "test_accuracy"): second,
            }
        )
    )
    assert f"surely better on test accuracy by {share} measures of sharpness" in found["answer"]


def test_networks_that_look_alike_share_a_sentence_and_others_have_their_own():
    found = said(
        correlations(
            {
                (network, "fisher_rao_norm", evaluation): values
                for network, values in (("all", OPEN), ("a", UP), ("b", DOWN), ("c", UP))
                for evaluation in ("test_accuracy", "test_ece")
            }
        ),
        summary(networks=("a", "b", "c")),
        conditions(("a", "b", "c")),
        claims(networks=("a", "b", "c")),
    )
    assert found["answer"] == (
        "In a and c, sharper minima were surely better on test accuracy by Fisher–Rao norm and were"
        " surely worse on test ECE by Fisher–Rao norm. In b, sharper minima were surely worse on"
        " test accuracy by Fisher–Rao norm and were surely better on test ECE by Fisher–Rao norm."
    )


def test_what_is_open_beside_what_is_sure_is_counted():
    found = said(
        correlations(
            {
                ("all", "fisher_rao_norm", "test_accuracy"): UP,
                ("all", "fisher_rao_norm", "test_ece"): OPEN,
            }
        )
    )
    assert found["answer"].endswith("by Fisher–Rao norm; of 2 correlations 1 stays open.")


def test_too_few_conditions_are_named_as_the_reason():
    found = said(one(NONE, n=2, note="fewer than 3 conditions"))
    assert found["answer"] == (
        "In vit, sharper and flatter minima cannot be compared (fewer than 3 conditions)."
    )
    assert "evidence" not in found
    assert "link" not in found.get("limits", "")


def test_a_correlation_without_an_interval_is_not_sure():
    found = said(one((1.0, np.nan, np.nan), n=3, note="too few for an interval"))
    assert found["answer"] == (
        "In vit, 3 conditions are too few to say whether sharper minima are better or worse: of 1"
        " correlation none can be sure with fewer than 5 conditions."
    )
    assert "evidence" not in found


@pytest.mark.parametrize(
    ("measures", "n", "needed"), [(3, 5, None), (4, 5, 6), (18, 6, None), (19, 6, 7), (15, 4, 6)]
)
def test_too_few_conditions_for_so_many_correlations_are_said_with_how_many_it_takes(
    measures, n, needed
):
    values = NONE if n < 5 else OPEN
    each = {
        (network, "fisher_rao_norm", f"own_{i}"): (0.4, *values[1:])
        for i in range(measures)
        for network in ("all", "a", "b")
    }
    found = said(correlations(each, n=n), summary(networks=("a", "b")))
    never = f"of {measures} correlations per network none can be sure with fewer than {needed}"
    assert (f"{n} conditions are too few" in found["answer"]) == (needed is not None)
    assert (never in found["answer"]) == (needed is not None)
    assert ("it stays open" in found["answer"]) == (needed is None)
    assert ("strongest links can be sure" in found["limits"]) == (needed is None)
    if n >= 5:
        assert ("none can be sure" in found["pooled"]) == (needed is not None)


@pytest.mark.parametrize(("p_value", "sure"), [(0.016, True), (0.02, False)])
def test_a_link_is_sure_where_it_is_so_for_all_links_of_the_network_together(p_value, sure):
    measures = ("fisher_rao_norm", "sam_sharpness", "relative_flatness")
    values = {("all", measure, "test_accuracy"): OPEN for measure in measures}
    values[("all", measures[0], "test_accuracy")] = UP
    found = said(correlations(values, p_value=p_value))
    assert ("surely" in found["answer"]) == sure
    assert ("stays open" in found["answer"]) != sure


def test_the_largest_of_equal_correlations_is_not_called_the_largest():
    measures = ("fisher_rao_norm", "sam_sharpness", "relative_flatness")
    values = {("all", measure, "test_accuracy"): OPEN for measure in measures}
    found = said(correlations(values))["evidence"]
    assert "one of the 3 largest is that of test accuracy with Fisher–Rao norm" in found


def test_a_study_without_sharpness_says_so():
    found = said(one(UP).iloc[:0])
    assert found["answer"] == "In vit, sharpness and evaluations were not measured together."


@pytest.mark.parametrize(
    ("verdict", "sentence"),
    [
        ("supported", "SAM surely made minima sharper by some measure"),
        (
            "contradicted",
            "SAM surely made minima sharper by no more than the smallest difference that matters,"
            " on every measure",
        ),
        ("inconclusive", "it stays open whether SAM made minima sharper"),
    ],
)
def test_what_sam_does_is_what_claim_3_says_with_its_factors(verdict, sentence):
    means = {
        ("baseline", "fisher_rao_norm"): 2.0,
        ("sam", "fisher_rao_norm"): 3.0,
        ("baseline", "sam_sharpness"): 4.0,
        ("sam", "sam_sharpness"): 1.0,
    }
    found = said(one(OPEN), summary(means), verdict=claims(verdict))
    assert sentence in found["sam"]
    assert found["factors"].startswith(
        "In vit, a mean with SAM is 1.50 times that without it by Fisher–Rao norm and 0.25 times by"
        " SAM-sharpness (1 pair of conditions)."
    )


def test_a_study_without_sam_does_not_mention_it():
    plain = conditions().assign(without_sam=None)
    assert not {"sam", "factors"} & set(said(one(OPEN), sam=plain))
    negative = {("baseline", "fisher_rao_norm"): -2.0, ("sam", "fisher_rao_norm"): 3.0}
    assert "factors" not in said(one(OPEN), summary(negative))


def test_networks_that_did_not_train_are_counted_and_named():
    assert "untrained" not in said(one(OPEN))
    found = said(one(OPEN), summary(sam=3))
    assert found["untrained"] == (
        "3 of 20 networks did not train (vit, sam: 3) and count in no comparison."
    )


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        (
            {"sam": 3},
            "3 of 10 adopted networks do not fit the training data (vit, sam: 3) and count in no"
            " comparison.",
        ),
        (
            {"sam": 1, "baseline": 1},
            "1 of 10 networks did not train (vit, baseline: 1) and counts in no comparison. 1 of 10"
            " adopted networks does not fit the training data (vit, sam: 1) and counts in no"
            " comparison.",
        ),
    ],
)
def test_of_networks_that_were_trained_elsewhere_it_is_said_that_they_do_not_fit(counts, expected):
    adopted = conditions().assign(adopted=lambda rows: rows["condition"] == "sam")
    assert said(one(OPEN), summary(**counts), sam=adopted)["untrained"] == expected


def test_trends_that_surely_reverse_over_all_networks_are_told_and_others_not():
    row = {"network": "all", "sharpness": "fisher_rao_norm", "evaluation": "test_ece"}
    assert "reversals" not in said(
        one(OPEN), slopes=trends(row | {"flips": True, "certain": False})
    )
    assert "reversals" not in said(
        one(OPEN), slopes=trends(row | {"flips": False, "certain": False})
    )
    found = said(one(OPEN), slopes=trends(row | {"flips": True, "certain": True}))
    assert "test ECE along Fisher–Rao norm surely runs the other way" in found["reversals"]


PAIR = {("fisher_rao_norm", "sam"): "open", ("fisher_rao_norm", "noise"): "open"}
BE_SURE = "a difference between two conditions has to be {} times its standard error to be sure."
ONE_SEED = "With one seed no difference between two conditions can be sure."
ONE_SEED_OF = "Differences with one seed cannot be sure: those {}."


@pytest.mark.parametrize(
    ("seeds", "sentences"),
    [
        ((1, 1), ONE_SEED),
        ((2, 2), f"With 2 seeds {BE_SURE.format('12.7')}"),
        ((3, 2), f"With 2–3 seeds {BE_SURE.format('12.7 to 4.3')}"),
        ((3, 1), f"With 3 seeds {BE_SURE.format('4.3')} {ONE_SEED_OF.format('of noise')}"),
        ((3, 0), f"With 3 seeds {BE_SURE.format('4.3')}"),
    ],
)
def test_few_seeds_of_a_comparison_are_said_to_settle_little(seeds, sentences):
    limits = said(one(UP), compared=statistics(PAIR, n=seeds))["limits"]
    assert limits.startswith(f"{sentences} A link does not")


def test_of_one_seed_it_is_said_which_measures_and_conditions_have_it():
    found = {(m, c): "open" for m in ("test_nll", "hessian_trace") for c in ("sam", "noise")}
    compared = statistics(found, n=(2, 2, 1, 1))
    limits = said(one(UP), compared=compared)["limits"]
    assert (
        f"12.7 times its standard error to be sure. {ONE_SEED_OF.format('by Hessian trace')}"
        in limits
    )
    compared = statistics(found, n=(2, 1, 1, 1))
    limits = said(one(UP), compared=compared)["limits"]
    assert ONE_SEED_OF.format("of noise, and those by Hessian trace") in limits
    assert ONE_SEED not in limits


def test_seeds_are_not_called_few_where_they_are_many_or_nothing_is_compared():
    for compared in (statistics(PAIR, n=6), statistics(PAIR, n=0), statistics()):
        limits = said(one(UP, n=10), summary(n_seeds=2), compared=compared)["limits"]
        assert limits.startswith("A link does not")
        assert "share the noise of seeds" in limits


def test_many_conditions_are_not_called_few():
    assert "few" not in said(one(UP, n=10))["limits"]
    assert "9 conditions are few" in said(one(UP, n=9))["limits"]


def test_the_papers_measures_are_meant_where_there_are_any_and_all_others_where_not():
    values = {
        ("all", "fisher_rao_norm", "test_accuracy"): OPEN,
        ("all", "hessian_trace", "test_accuracy"): UP,
        ("all", "fisher_rao_norm", "test_nll"): UP,
    }
    assert "stays open" in said(correlations(values))["answer"]
    own = {("all", "hessian_trace", "own_score"): UP, ("all", "hessian_trace", "test_nll"): UP}
    found = said(correlations(own))
    assert (
        found["answer"]
        == "In vit, sharper minima had a surely higher own_score by Hessian trace and were surely"
        " worse on test NLL by Hessian trace."
    )
    assert "the higher the own_score (ρ with Hessian trace" in found["evidence"]


def test_audio_evaluations_read_as_names():
    found = said(one(DOWN, "accuracy_out_of_domain"))
    assert found["answer"].endswith("surely worse on out-of-domain accuracy by Fisher–Rao norm.")


def test_data_sets_are_told_apart():
    both = ("digits", "scenes")
    given = (
        [summary(dataset=name) for name in both],
        [conditions(dataset=name) for name in both],
        [statistics(dataset=name) for name in both],
        [claims(dataset=name) for name in both],
        [one(UP), one(DOWN, dataset="scenes")],
    )
    tables = [pd.concat(frames) for frames in given]
    shown = markdown(text(answers(*tables, trends(), means_of(tables[0])), tables[-1]))
    assert (
        "**digits: In vit, sharper minima were surely better on test accuracy by Fisher–Rao norm.**"
        in shown
    )
    assert (
        "**scenes: In vit, sharper minima were surely worse on test accuracy by Fisher–Rao norm.**"
        in shown
    )


def test_how_sure_an_answer_is_stands_sentence_by_sentence_in_a_fold():
    tables = summary(), conditions(), statistics(), claims(), one(UP)
    found = answers(*tables, trends(), means_of(tables[0]))
    shown = text(found, tables[-1])
    [fold] = [part for part in shown if isinstance(part, Fold)]
    paragraphs = " ".join(part for part in shown if isinstance(part, str))
    assert set(fold.statements) == set(
        found.loc[found["topic"].isin(["evidence", "limits"]), "sentence"]
    )
    assert not any(sentence in paragraphs for sentence in fold.statements)
    assert all(
        sentence in paragraphs or sentence in fold.statements for sentence in found["sentence"]
    )


def test_every_number_of_the_sentences_is_computed_from_the_tables():
    found = said(one(UP, n=12), compared=statistics(PAIR, n=4))
    numbers = set(re.findall(r"\d+(?:\.\d+)?", " ".join(found.values())))
    # The level of intervals, a correlation and its ends, the numbers of measures, conditions and
    # seeds, the factor of Student's t with 3 degrees of freedom, claim 3.
    assert numbers == {"95", "0.90", "0.50", "0.98", "1", "12", "4", "3.2", "3"}


def test_the_table_has_a_row_for_each_network_and_evaluation_and_marks_what_is_sure():
    found = correlations(
        {
            (network, sharpness, evaluation): values
            for network, values in (("all", OPEN), ("a", UP), ("b", NONE))
            for sharpness in ("sam_sharpness", "fisher_rao_norm")
            for evaluation in ("test_accuracy", "test_ece")
        }
    )
    table = correlation_table(found)
    assert list(table.index) == ["a", "a", "b", "b", "all\u00a0networks", "all\u00a0networks"]
    assert list(table.columns) == ["Evaluation", "Fisher–Rao norm", "SAM-sharpness", "Conditions"]
    cells = table["SAM-sharpness"].iloc[[0, 2, 4]].to_list()
    assert cells == ["**0.90 [0.50, 0.98]**", "—", "0.40 [−0.30, 0.80]"]
    alone = correlation_table(one(UP))
    assert list(alone.columns) == ["Fisher–Rao norm", "Conditions"]
    assert "Over all networks" not in alone.attrs["caption"]


def test_a_single_network_is_counted_once():
    values = {
        ("all", "fisher_rao_norm", "test_accuracy"): UP,
        ("all", "sam_sharpness", "test_accuracy"): OPEN,
        ("all", "relative_flatness", "test_accuracy"): OPEN,
    }
    assert "sure by 1 of 3 measures" in said(correlations(values))["evidence"]


def test_what_sam_does_is_not_said_of_networks_that_did_not_train():
    means = {("baseline", "fisher_rao_norm"): 1.0, ("sam", "fisher_rao_norm"): 2.0}
    assert "2.00 times" in said(one(OPEN), summary(means))["factors"]
    found = said(one(OPEN), summary(means, sam=1), verdict=claims("not applicable"))
    assert not {"sam", "factors"} & set(found)


# Over all networks together


@pytest.mark.parametrize(
    ("pooled", "sentence"),
    [
        (OPEN, "Over all networks together, of 1 correlation none is sure."),
        (
            DOWN,
            "Over all networks together, of 1 correlation 1 is sure: the sharper the minima, the"
            " lower the test accuracy. Differences between networks alone can make such a"
            " correlation.",
        ),
    ],
)
def test_what_is_sure_over_all_networks_is_told_beside_what_is_within_them(pooled, sentence):
    values = {
        (network, "fisher_rao_norm", "test_accuracy"): found
        for network, found in (("all", pooled), ("a", OPEN), ("b", OPEN))
    }
    found = said(correlations(values), summary(networks=("a", "b")))
    assert found["answer"] == (
        "In a and b, it stays open whether sharper minima are better or worse: of 1 correlation per"
        " network none is sure."
    )
    assert found["pooled"] == sentence
    assert "conditions of all networks together" in found["evidence"]


def test_a_network_that_never_trained_is_named_as_such_and_not_put_together_with_another():
    values = {
        (network, "fisher_rao_norm", "test_accuracy"): found
        for network, found in (("all", UP), ("a", OPEN), ("b", NONE))
    }
    table = correlations(values, note="fewer than 3 conditions")
    one_each = [summary(networks=["a"]), summary(networks=["b"], sam=10, baseline=10)]
    found = said(table, pd.concat(one_each))
    assert (
        "In b, sharper and flatter minima cannot be compared (no network trained)."
        in found["answer"]
    )
    assert "per network" not in found["answer"]
    assert "pooled" not in found
    assert "all networks together" not in found["evidence"]
    assert "pooled" in said(table, pd.concat([one_each[0], summary(networks=["b"], sam=10)]))
