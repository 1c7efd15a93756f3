"""What the answer says of conditions compared with the baseline."""

from answer_cases import OPEN, one, said, statistics, summary

SHARP = {
    ("baseline", "fisher_rao_norm"): 1.0,
    ("baseline", "sam_sharpness"): 1.0,
    ("baseline", "test_accuracy"): 0.9,
    ("baseline", "test_ece"): 0.1,
}


def against(found, means=SHARP, **more):
    about = summary(means, **more)
    networks = more.get("networks", ("vit",))
    return said(one(OPEN), about, compared=statistics(found, networks)).get("differences")


def test_conditions_that_are_surely_sharper_and_flatter_are_named_with_counts():
    found = against(
        {
            ("fisher_rao_norm", "sam"): "larger",
            ("fisher_rao_norm", "noise"): "open",
            ("sam_sharpness", "sam"): "larger",
            ("sam_sharpness", "noise"): "smaller",
            ("test_accuracy", "sam"): "no difference",
            ("test_accuracy", "noise"): "too few",
        }
    )
    assert found == (
        "Compared with the baseline, in vit minima are surely sharper by some measure with sam (2"
        " of 4 comparisons) and surely flatter by some measure with noise (1 of 4 comparisons); no"
        " evaluation surely differs (1 comparison)."
    )


def test_evaluations_that_surely_differ_are_named_with_their_conditions():
    found = against(
        {
            ("fisher_rao_norm", "sam"): "no difference",
            ("test_accuracy", "sam"): "smaller",
            ("test_accuracy", "noise"): "smaller",
            ("test_ece", "sam"): "larger",
            ("test_ece", "noise"): "open",
            ("train_loss", "noise"): "larger",
        }
    )
    assert found == (
        "Compared with the baseline, in vit no minima are surely sharper or flatter (1 comparison);"
        " test accuracy is surely lower with all 2 conditions; test ECE is surely higher with sam"
        " (3 of 4 comparisons)."
    )


def test_measures_that_the_main_table_has_not_are_counted_apart():
    means = SHARP | {("baseline", name): 0.5 for name in ("test_nll", "test_brier")}
    means[("baseline", "hessian_trace")] = 1.0
    own = {("fisher_rao_norm", "sam"): "open", ("test_accuracy", "sam"): "open"}
    others = {("test_nll", "sam"): "larger", ("test_brier", "sam"): "smaller"}
    others |= {("hessian_trace", "sam"): "open"}
    assert against(own | others, means=means) == (
        "Compared with the baseline, in vit no minima are surely sharper or flatter by any measure"
        " of the main table (1 comparison; of 1 by other measures none is sure); no evaluation of"
        " the main table surely differs (1 comparison; of 2 by other measures 2 are sure)."
    )
    own = dict.fromkeys(own, "larger")
    assert against(own | others, means=means) == (
        "Compared with the baseline, in vit minima are surely sharper with sam (1 of 1 comparison"
        " of the main table; of 1 by other measures none is sure); test accuracy is surely higher"
        " with sam (1 of 1 comparison of the main table; of 2 by other measures 2 are sure)."
    )


def test_networks_that_differ_alike_share_a_sentence_and_one_seed_says_nothing():
    larger = {("fisher_rao_norm", "sam"): "larger"}
    assert against(larger, networks=("a", "b")) == (
        "Compared with the baseline, in a and b minima are surely sharper with sam (1 of 1"
        " comparison)."
    )
    assert against({("fisher_rao_norm", "sam"): "too few"}) is None


def test_many_conditions_are_counted_and_the_rule_for_sure_is_said_once():
    found = {("fisher_rao_norm", f"c{i}"): "larger" for i in range(5)}
    found[("fisher_rao_norm", "c5")] = "open"
    assert "with 5 of 6 conditions (5 of 6" in against(found)
    evidence = said(one(OPEN), summary(SHARP), compared=statistics(found))["evidence"]
    assert evidence.count("A difference from the baseline is sure if") == 1


def test_conditions_that_are_sharper_and_flatter_are_so_by_some_measure():
    found = {
        (measure, condition): verdict
        for measure, verdict in (("fisher_rao_norm", "larger"), ("sam_sharpness", "smaller"))
        for condition in ("sam", "noise")
    }
    assert against(found) == (
        "Compared with the baseline, in vit minima are surely sharper by some measure with all 2"
        " conditions (2 of 4 comparisons) and surely flatter by some measure with all 2 conditions"
        " (2 of 4 comparisons)."
    )
    assert "by some measure" not in against(dict.fromkeys(found, "larger"))


def test_all_conditions_are_meant_only_where_none_lacks_a_comparison():
    found = dict.fromkeys([("fisher_rao_norm", "sam"), ("fisher_rao_norm", "noise")], "larger")
    assert "with all 2 conditions" in against(found)
    found[("fisher_rao_norm", "untrained")] = "too few"
    assert "with sam and noise (2 of 2 comparisons)" in against(found)
