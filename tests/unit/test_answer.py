"""The answer says what its tables say, in either direction, and no more."""

import re

import numpy as np
import pandas as pd
import pytest
from table_frames import read_again

from minimascope.analysis.answer import BETTER, WORSE, answers, correlation_table, text
from minimascope.analysis.render import markdown
from minimascope.analysis.trends import COLUMNS as TREND_COLUMNS

# A correlation with its interval: surely above zero, surely below, and neither.
UP, DOWN, OPEN = (0.9, 0.5, 0.98), (-0.8, -0.97, -0.3), (0.4, -0.3, 0.8)
NONE = (np.nan, np.nan, np.nan)


def correlations(found, n=12, note="", dataset="digits", p_value=1e-6):
    """Rows of {(network, sharpness, evaluation): (value, lower, upper)}.

    Those over all networks are those of a single one, too, if no other is given.
    """
    if {network for network, *_ in found} == {"all"}:
        found = found | {("vit", *names): values for (_, *names), values in found.items()}
    rows = [
        {"network": network, "sharpness": sharpness, "evaluation": evaluation}
        | dict(zip(("value", "lower", "upper"), values, strict=True))
        for (network, sharpness, evaluation), values in found.items()
    ]
    own = {"dataset": dataset, "statistic": "spearman", "n": n, "left_out": 0}
    columns = ["network", "sharpness", "evaluation", "value", "lower", "upper"]
    table = pd.DataFrame(rows, columns=columns).assign(**own, note=note)
    excludes_zero = (table["lower"] > 0) | (table["upper"] < 0)
    p_values = np.where(excludes_zero, p_value, 0.5)
    return table.assign(p_value=np.where(table["lower"].isna(), np.nan, p_values))


def means_of(about):
    """The means of a summary as points of trends: of networks that trained."""
    keys = ["dataset", "network", "condition"]
    table = about[about["n_untrained"] == 0].pivot(index=keys, columns="measure", values="mean")
    return table.rename_axis(columns=None).reset_index()


def summary(means=None, networks=("vit",), dataset="digits", n_seeds=10, **untrained):
    """Rows of {(condition, measure): mean}, the same for each network."""
    means = means or {("baseline", "test_accuracy"): 0.9, ("sam", "test_accuracy"): 0.9}
    rows = [
        {"network": network, "condition": condition, "measure": measure, "mean": mean}
        | {"n_untrained": untrained.get(condition, 0)}
        for network in networks
        for (condition, measure), mean in means.items()
    ]
    own = {"dataset": dataset, "view": "clean", "family": "evaluation", "n_seeds": n_seeds}
    return pd.DataFrame(rows).assign(**own)


def conditions(networks=("vit",), dataset="digits"):
    rows = [
        {"network": network, "condition": condition, "without_sam": without}
        for network in networks
        for condition, without in (("baseline", None), ("sam", "baseline"))
    ]
    return pd.DataFrame(rows).assign(dataset=dataset)


def claims(verdict="inconclusive", networks=("vit",), dataset="digits"):
    rows = [{"network": network, "claim": 3, "verdict": verdict} for network in networks]
    return pd.DataFrame(rows).assign(dataset=dataset)


def trends(*rows):
    return pd.DataFrame(rows, columns=TREND_COLUMNS).assign(dataset="digits")


def said(found, about=None, sam=None, verdict=None, slopes=None) -> dict[str, str]:
    """Return the sentences by topic, from tables as they are read from files."""
    about = summary() if about is None else about
    given = (
        about,
        conditions() if sam is None else sam,
        claims() if verdict is None else verdict,
        found,
        trends() if slopes is None else slopes,
        means_of(about),
    )
    table = answers(*map(read_again, given))
    return table.groupby("topic")["sentence"].agg(" ".join).to_dict()


def one(values, evaluation="test_accuracy", **more):
    """A single network's correlation with the Fisher–Rao norm; the table has it as all."""
    return correlations({("all", "fisher_rao_norm", evaluation): values}, **more)


@pytest.mark.parametrize(
    ("evaluation", "values", "outcome", "more"),
    [
        ("test_accuracy", UP, BETTER, "higher"),
        ("test_accuracy", DOWN, WORSE, "lower"),
        ("test_ece", UP, WORSE, "higher"),
        ("test_ece", DOWN, BETTER, "lower"),
    ],
)
def test_a_sure_link_is_said_with_its_direction_and_what_that_means(
    evaluation, values, outcome, more
):
    found = said(one(values, evaluation))
    name = {"test_accuracy": "test accuracy", "test_ece": "test ECE"}[evaluation]
    assert (
        found["answer"]
        == f"In vit, sharper minima were surely {outcome} by Fisher–Rao norm on {name}."
    )
    assert f"the {more} the {name}" in found["evidence"]
    assert "Open" not in found["limits"]


def test_an_open_link_has_no_direction():
    found = said(one(OPEN))
    assert found["answer"] == (
        "In vit, it stays open whether sharper minima are better or worse"
        " (no sure link with test accuracy)."
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
    assert "surely" not in found["answer"]
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
    assert (
        "surely better by one measure of sharpness and surely worse by another" in found["answer"]
    )
    assert "sure by 1 of 3 measures of sharpness, surely the other way by 1" in found["evidence"]


@pytest.mark.parametrize(("second", "share"), [(UP, "every measure"), (OPEN, "some measures")])
def test_the_answer_says_whether_every_measure_of_sharpness_makes_it_sure(second, share):
    found = said(
        correlations(
            {
                ("all", "fisher_rao_norm", "test_accuracy"): UP,
                ("all", "sam_sharpness", "test_accuracy"): second,
            }
        )
    )
    assert f"surely better by {share} of sharpness on test accuracy" in found["answer"]


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
        "In a and c, sharper minima were surely better by Fisher–Rao norm on test accuracy; surely"
        " worse by Fisher–Rao norm on test ECE. In b, sharper minima were surely worse by"
        " Fisher–Rao norm on test accuracy; surely better by Fisher–Rao norm on test ECE."
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
    assert found["answer"].endswith("on test accuracy; 1 other evaluation stays open.")


def test_too_few_conditions_are_named_as_the_reason():
    found = said(one(NONE, n=2, note="fewer than 3 conditions"))
    assert found["answer"] == (
        "In vit, sharper and flatter minima cannot be compared (fewer than 3 conditions)."
    )
    assert "evidence" not in found
    assert "link" not in found.get("limits", "")


def test_a_correlation_without_an_interval_is_not_sure():
    found = said(one((1.0, np.nan, np.nan), n=3, note="too few for an interval"))
    assert "it stays open" in found["answer"]
    assert found["evidence"] == (
        "Over the 3 conditions of vit no correlation can be sure: it takes 5 conditions or more."
    )


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
        ("contradicted", "SAM made minima sharper by no measure"),
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
    found = said(one(OPEN), summary(means), verdict=claims(verdict))["sam"]
    assert sentence in found
    assert found.endswith(
        "With SAM the means are 1.50 times as large by Fisher–Rao norm and 0.25 by SAM-sharpness"
        " (1 pair of conditions)."
    )


def test_a_study_without_sam_does_not_mention_it():
    plain = conditions().assign(without_sam=None)
    assert "sam" not in said(one(OPEN), sam=plain)
    negative = {("baseline", "fisher_rao_norm"): -2.0, ("sam", "fisher_rao_norm"): 3.0}
    assert "sam" not in said(one(OPEN), summary(negative))


def test_networks_that_did_not_train_are_counted_and_named():
    assert "untrained" not in said(one(OPEN))
    found = said(one(OPEN), summary(sam=3))
    assert found["untrained"] == (
        "3 of 20 networks did not train (vit, sam: 3) and count in no comparison."
    )


def test_trends_that_surely_reverse_over_all_networks_are_told_and_others_not():
    row = {"network": "all", "sharpness": "fisher_rao_norm", "evaluation": "test_ece"}
    assert "pooled" not in said(one(OPEN), slopes=trends(row | {"flips": True, "certain": False}))
    assert "pooled" not in said(one(OPEN), slopes=trends(row | {"flips": False, "certain": False}))
    found = said(one(OPEN), slopes=trends(row | {"flips": True, "certain": True}))
    assert "test ECE along Fisher–Rao norm surely runs the other way" in found["pooled"]


@pytest.mark.parametrize(
    ("seeds", "sentence"),
    [
        (1, "With one seed no difference"),
        (2, "2 seeds a difference between two conditions has to be 12.7 times"),
        (3, "3 seeds a difference between two conditions has to be 4.3 times"),
    ],
)
def test_few_seeds_are_said_to_settle_little(seeds, sentence):
    assert sentence in said(one(UP), summary(n_seeds=seeds))["limits"]


def test_many_seeds_and_conditions_are_not_called_few():
    limits = said(one(UP, n=10), summary(n_seeds=6))["limits"]
    assert "seed" not in limits
    assert "few" not in limits
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
        found["answer"] == "In vit, sharper minima were surely worse by Hessian trace on test NLL."
    )
    assert "the higher the own_score (ρ with Hessian trace" in found["evidence"]


def test_audio_evaluations_read_as_names():
    found = said(one(DOWN, "accuracy_out_of_domain"))
    assert found["answer"].endswith("surely worse by Fisher–Rao norm on out-of-domain accuracy.")


def test_data_sets_are_told_apart():
    both = ("digits", "scenes")
    given = (
        [summary(dataset=name) for name in both],
        [conditions(dataset=name) for name in both],
        [claims(dataset=name) for name in both],
        [one(UP), one(DOWN, dataset="scenes")],
    )
    tables = [pd.concat(frames) for frames in given]
    shown = markdown(text(answers(*tables, trends(), means_of(tables[0])), tables[-1]))
    assert (
        "**digits: In vit, sharper minima were surely better by Fisher–Rao norm on test accuracy.**"
        in shown
    )
    assert (
        "**scenes: In vit, sharper minima were surely worse by Fisher–Rao norm on test accuracy.**"
        in shown
    )


def test_every_number_of_the_sentences_is_computed_from_the_tables():
    found = said(one(UP, n=12), summary(n_seeds=4))
    numbers = set(re.findall(r"\d+(?:\.\d+)?", " ".join(found.values())))
    # The level of intervals, a correlation and its ends, the numbers of measures, conditions and
    # seeds, the factor of Student's t with 3 degrees of freedom.
    assert numbers == {"95", "0.90", "0.50", "0.98", "1", "12", "4", "3.2"}


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
    assert "2.00 times as large" in said(one(OPEN), summary(means))["sam"]
    assert "sam" not in said(one(OPEN), summary(means, sam=1))
