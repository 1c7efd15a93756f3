"""Which networks a family of measures is taken of, and what a study then has."""

import pytest
from study_cases import published_study, refusal, study

from minimascope.study import products

VALID = "valid: baseline, sam"
RUNS = [
    (network, condition, seed)
    for network in ("resnet", "vgg")
    for condition in ("baseline", "sam")
    for seed in (0, 1)
]


def with_landscapes(**settings):
    return study(seeds=[0, 1], sharpness={"forward": {}, "landscape": settings})


def measured(loaded, dataset="small"):
    """The networks of which landscapes are measured, with their further directions."""
    found = {}
    for network, condition, seed in RUNS:
        run = {"network": network, "condition": condition, "seed": seed}
        own = loaded.settings_of("landscape", dataset, **run)
        if own is not None:
            found[network, condition, seed] = own.get("more_direction_seeds")
    return found


def test_all_networks_are_measured_alike_unless_the_study_says_otherwise():
    assert measured(with_landscapes()) == dict.fromkeys(RUNS)
    assert measured(with_landscapes(only={})) == dict.fromkeys(RUNS)


def test_only_the_networks_that_are_named_are_measured():
    loaded = with_landscapes(only={"seeds": [1], "networks": ["vgg"]})
    assert measured(loaded) == {("vgg", "baseline", 1): None, ("vgg", "sam", 1): None}
    assert list(measured(with_landscapes(only={"conditions": ["sam"]}))) == [
        run for run in RUNS if run[1] == "sam"
    ]


def test_named_networks_have_more_directions_than_the_others():
    more = {"direction_seeds": [50, 51], "only": {"conditions": ["sam"], "seeds": [0]}}
    loaded = with_landscapes(more_directions=more, only={"networks": ["resnet"]})
    named = {("resnet", "sam", 0)}
    expected = {run: [50, 51] if run in named else None for run in RUNS if run[0] == "resnet"}
    assert measured(loaded) == expected
    # Those who have none have the settings of a study that never speaks of any.
    plain = with_landscapes().sharpness["small"]["landscape"]
    other = {"network": "resnet", "condition": "baseline", "seed": 0}
    assert loaded.settings_of("landscape", "small", **other) == plain


def test_a_data_set_can_choose_its_own_networks():
    own = {"sharpness": {"landscape": {"only": {"networks": ["resnet"]}}}}
    loaded = study(
        sharpness={"landscape": {"only": {"conditions": ["sam"]}}}, datasets={"small": own}
    )
    assert list(measured(loaded)) == [("resnet", "sam", 0), ("resnet", "sam", 1)]
    assert {network for network, _, _ in measured(loaded, "large")} == {"resnet", "vgg"}


@pytest.mark.parametrize(
    "chosen",
    [{"only": {"seeds": [0]}}, {"more_directions": {"direction_seeds": [50]}}],
)
def test_a_cheap_family_of_some_networks_has_a_job_for_each(chosen):
    few = {"points": 3, "line_points": 0, "direction_seeds": [1]}
    assert with_landscapes(**few).sharpness_jobs == {"sharpness": ["forward", "landscape"]}
    jobs = {"sharpness": ["forward"], "landscape": ["landscape"]}
    assert with_landscapes(**few, **chosen).sharpness_jobs == jobs


def test_figures_are_drawn_of_networks_with_something_to_see():
    loaded = with_landscapes(only={"networks": ["vgg"]})
    landscapes = {"landscape_contours", "landscape_surfaces", "landscape_lines"}
    assert landscapes <= set(products.network_figures(loaded, "small", "vgg"))
    others = products.network_figures(loaded, "small", "resnet")
    assert landscapes.isdisjoint(others)
    assert "minima" in others
    away = {"networks": ["resnet"]}
    loaded = study(
        sharpness={"landscape": {"only": {"networks": ["vgg"]}}}, datasets={"small": away}
    )
    assert "stability" not in products.dataset_figures(loaded, "small")
    assert "stability" in products.dataset_figures(loaded, "large")


def test_stability_is_told_where_some_networks_have_several_directions():
    one = {"direction_seeds": [42]}
    assert not with_landscapes(**one).has_stability
    assert with_landscapes(**one, more_directions={"direction_seeds": [50]}).has_stability


@pytest.mark.parametrize(
    ("only", "said"),
    [
        ({"networks": ["vg"]}, "only.networks: no network 'vg'; did you mean 'vgg'?"),
        ({"conditions": ["sma"]}, "only.conditions: no condition 'sma'; did you mean 'sam'?"),
        ({"conditions": ["initial"]}, f"only.conditions: no condition 'initial'; {VALID}"),
        ({"seeds": [7]}, "only.seeds: no seed 7; valid: 0"),
        ({"seeds": []}, "only.seeds: is empty; give at least 1"),
        ({"seed": [0]}, "only.seed: unknown key; did you mean 'seeds'?"),
    ],
)  # fmt: skip
def test_networks_that_do_not_exist_are_refused(only, said):
    assert refusal(sharpness={"landscape": {"only": only}}) == f"sharpness.landscape.{said}"
    more = {"direction_seeds": [50], "only": only}
    found = refusal(sharpness={"landscape": {"more_directions": more}})
    assert found == f"sharpness.landscape.more_directions.{said}"


def test_a_fault_of_a_data_set_is_told_with_its_path():
    own = {"sharpness": {"hessian": {"only": {"seeds": [7]}}}}
    found = refusal(sharpness={"hessian": {}}, datasets={"large": own})
    assert found == "datasets.large.sharpness.hessian.only.seeds: no seed 7; valid: 0"


def test_a_choice_without_any_trained_network_is_refused():
    sharpness = {"on": ["final", "initial"], "hessian": {"only": {"conditions": ["initial"]}}}
    assert refusal(sharpness=sharpness) == (
        "sharpness.hessian.only: leaves no trained network; name another network, condition or"
        " seed, or set the family to null"
    )


@pytest.mark.parametrize(
    ("only", "more"),
    [
        ({"networks": ["resnet"]}, {"networks": ["vgg"]}),
        ({"conditions": ["sam"], "seeds": [0]}, {"conditions": ["baseline"]}),
        ({"seeds": [1]}, {"networks": ["vgg"], "seeds": [0]}),
    ],
)
def test_more_directions_of_no_network_that_has_landscapes_are_refused(only, more):
    chosen = {"more_directions": {"direction_seeds": [50], "only": more}}
    said = "names no network that has landscapes; name another network, condition or seed, or leave"
    line = refusal(sharpness={"landscape": {"only": only} | chosen}, seeds=[0, 1])
    assert line.startswith(f"sharpness.landscape.more_directions.only: {said}")
    # A data set of its own choice is told, and one that has any is enough for the choice of all.
    own = {"large": {"sharpness": {"landscape": chosen}}}
    line = refusal(sharpness={"landscape": {"only": only}}, datasets=own, seeds=[0, 1])
    assert line.startswith(f"datasets.large.sharpness.landscape.more_directions.only: {said}")
    other = {"large": {"sharpness": {"landscape": {"only": more}}}}
    loaded = study(sharpness={"landscape": {"only": only} | chosen}, datasets=other, seeds=[0, 1])
    assert [50] in measured(loaded, "large").values()


def test_initial_weights_can_have_more_directions_than_the_others():
    more = {"direction_seeds": [50], "only": {"conditions": ["initial"]}}
    sharpness = {"on": ["final", "initial"], "landscape": {"more_directions": more}}
    assert study(sharpness=sharpness).has_stability


def test_directions_that_stand_in_both_lists_are_refused():
    landscape = {"more_directions": {"direction_seeds": [50, 44]}}
    assert refusal(sharpness={"landscape": landscape}) == (
        "sharpness.landscape.more_directions.direction_seeds: 44 is one of direction_seeds already;"
        " leave it out"
    )


def test_a_view_that_is_not_measured_cannot_be_shown():
    assert refusal(analysis={"figure_view": "augmented"}) == (
        "analysis.figure_view: augmented data are not measured; add augmented to sharpness.view"
    )


@pytest.mark.parametrize(
    ("views", "wanted", "shown"),
    [
        (["clean"], "clean", "clean"),
        (["clean", "augmented"], "clean", "clean"),
        (["clean", "augmented"], "augmented", "augmented"),
        (["augmented"], "clean", "augmented"),
    ],
)
def test_figures_show_the_view_that_is_asked_for_or_the_only_one(views, wanted, shown):
    loaded = study(analysis={"figure_view": wanted}, sharpness={"view": views})
    assert loaded.config["analysis"]["figure_view"] == shown


def test_whether_networks_trained_is_judged_of_all():
    assert "unknown key" in refusal(sharpness={"forward": {"only": {"seeds": [0]}}})


# The landscapes of the function-centric study


def test_landscapes_are_drawn_for_each_control_of_the_networks_that_the_paper_shows():
    loaded = published_study("function_centric")
    found = [
        (*pair, condition, seed)
        for pair in loaded.pairs
        for condition in loaded.conditions
        for seed in loaded.seeds
        if loaded.settings_of("landscape", pair[0], network=pair[1], condition=condition, seed=seed)
    ]
    pairs = {found[:2] for found in found}
    assert pairs == {(d, n) for d in ("cifar10", "cifar100") for n in ("resnet18", "vgg19")}
    assert {seed for *_, seed in found} == {0, 1, 2}
    assert len(found) == 4 * 6 * 3
