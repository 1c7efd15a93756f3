"""Captions of the report, which describe only what a study has."""

import re
from itertools import product
from pathlib import Path

import pandas as pd
import pytest
from jinja2 import UndefinedError

from minimascope.analysis.agreement import UNCERTAIN
from minimascope.report.contents import contents_of
from minimascope.report.facts import Facts, facts_of

LIST = (Path(__file__).parents[2] / "report" / "contents.yaml").read_text(encoding="utf-8")
COUNTS = (
    *("networks", "conditions", "points", "seeds"),
    *("spectrum_seeds", "landscape_seeds", "test_samples", "toy_width"),
)
NOTHING = Facts(
    *(1, 2, 2, 1, 0, 0, 0),
    toy_width=0,
    noise="",
    attack="",
    **dict.fromkeys(
        [name for name in Facts._fields if name not in (*COUNTS, "noise", "attack")], False
    ),
)
# Of each fact the words that only stand where it is so.
WORDS = {
    "networks": ("thick pale", "its filling the network", "Simpson", "within each", "over all"),
    "conditions": ("with its 95 % interval, as", "Above the diagonal"),
    "points": ("conditions with its 95 % interval: if flat",),
    "seeds": ("its standard error over 3 seeds", "3 seeds pooled"),
    "spectrum_seeds": ("the mean over 3 seeds, the band",),
    "landscape_seeds": ("mean over seeds and directions",),
    "test_samples": ("of 60 test samples one is 1.7 pp",),
    "sweeps": ("cells of a sweep",),
    "augmented": ("where a condition augments", "shown on clean training data"),
    "augmented_view": ("shown on augmented training data",),
    "averaged": ("curves are of the weights before averaging, tables of the averaged network",),
    "attacked": ("on attacked inputs where a condition trains",),
    "attack": ("Attack: PGD.",),
    "untrained": ("did not train", "§"),
    "unconverged": ("crosses",),
    "published": ("papers' code",),
    "null": ("near its null",),
    "reversal": ('"reversal" stands',),
    "recordings": ("first those about acoustic scenes",),
    "unseen": ("shaded ground were never seen", "never seen in training among them"),
    "noise": ("noise of the inputs have σ = 0.1, 0.2 and 0.3, in units",),
    "cities": ("in each city", "Domains and cities"),
    "doubtful": ("values in doubt",),
    "unmatched": ("not adopted ones", "Welch's t", "except of adopted", "unless one is adopted"),
    "matched": ("weight matching", "matched to those of"),
    "curved": ("a low loss (Garipov", "trained curves"),
    "planes": ("and over planes",),
    "between_seeds": ("another order of batches",),
    "reestimated": ("BatchNorm are estimated anew at each point",),
    "interpolated": ("mixed from those of the networks",),
    "toy_width": ("2–64–64–1",),
}


def parts_of(facts: Facts) -> dict[str, dict]:
    """Return the parts of the list by their kinds, without those of published models of scenes."""
    sections = contents_of(LIST, facts._asdict())
    parts = {kind: part for section in sections for kind, part in section["parts"].items()}
    return {kind: part for kind, part in parts.items() if "/published-" not in kind}


def words_of(facts: Facts) -> str:
    return "\n".join(f"{part['title']}\n{part['caption']}" for part in parts_of(facts).values())


def test_every_fact_is_told_by_words():
    assert WORDS.keys() == set(Facts._fields)


@pytest.mark.parametrize("fact", WORDS)
def test_words_about_a_fact_stand_only_where_it_is_so(fact: str):
    counts = {"networks": 2, "conditions": 6, "points": 6, "seeds": 3, "test_samples": 60}
    counts |= {"noise": "0.1, 0.2 and 0.3", "attack": "PGD"}
    counts |= {"spectrum_seeds": 3, "landscape_seeds": 3, "toy_width": 64}
    value = counts.get(fact, True)
    seeds, networks = {"seeds": 3}, {"networks": 2}
    others = {"reversal": networks, "test_samples": seeds, "unmatched": seeds}.get(fact, {})
    without = words_of(NOTHING._replace(**others))
    with_fact = words_of(NOTHING._replace(**others | {fact: value}))
    for words in WORDS[fact]:
        assert (words in without, words in with_fact) == (False, True), words


@pytest.mark.parametrize("so", list(product([False, True], repeat=2)))
def test_captions_are_whole_sentences_whatever_the_facts(so: tuple[bool, bool]):
    several, marks = so
    names = [name for name in Facts._fields if name not in COUNTS]
    counts = dict.fromkeys(COUNTS, 6 if several else 1)
    for kind, part in parts_of(Facts(**counts | dict.fromkeys(names, marks))).items():
        caption = part["caption"]
        assert not caption or (caption[0].isupper() and caption.endswith(".")), kind
        assert not re.search(r"[ ,.;:][ ,.;:]{2}|  | [,.;:]|\.\.|\n|[{}]", caption), kind
        assert part["title"] == part["title"].strip()


def test_a_list_that_asks_for_an_unknown_fact_is_refused():
    with pytest.raises(UndefinedError, match="colour"):
        contents_of("{{ colour }}", NOTHING._asdict())


def test_facts_are_read_from_the_tables():
    columns = ["network", "condition", "seed", "measure", "trained", "converged", "n"]
    measures = pd.DataFrame(
        [
            ("a", "initial", 0, "sam_sharpness_null", False, False, 9),
            ("a", "x", 0, "test_ece_published", True, True, 9),
            ("b", "x", 1, "fisher_rao_norm_l5", True, True, 9),
            ("b", "y", 1, "sam_sharpness", False, True, 9),
            ("a", "x", 1, "sam_sharpness", True, True, 9),
            ("a", "x", 2, "sam_sharpness", False, True, 9),
            ("b", "y", 1, "test_accuracy", False, True, 60),
            ("b", "x", 1, "test_accuracy", True, True, 80),
        ],
        columns=columns,
    )
    families = dict.fromkeys(measures["measure"], "evaluation") | {"sam_sharpness": "landscape"}
    measures["family"] = measures["measure"].map(families)
    domains = pd.DataFrame({"kind": ["domain", "domain"], "seen": [True, False]})
    trends = pd.DataFrame({"certain": [None, False]})
    conditions = pd.DataFrame({"averaging.name": [None, None], "sam.rho": [None, 0.1]})
    config = {"conditions": {"x": {}, "y": {"augment": {"flip": True}}}, "sweeps": {}}
    config |= {"analysis": {"figure_view": "clean"}, "datasets": {"sounds": {}}}
    tables = {"measures": measures, "domains": domains, "trends": trends}
    tables["conditions"] = conditions
    assert facts_of(config, tables) == NOTHING._replace(
        networks=2,
        conditions=1,
        points=2,
        seeds=2,
        landscape_seeds=2,
        test_samples=60,
        augmented=True,
        untrained=True,
        published=True,
        recordings=True,
        unseen=True,
    )
    of_solver = measures["measure"].eq("sam_sharpness_null")
    families = measures["family"].mask(of_solver, "hessian")
    late = {
        "measures": measures.assign(condition="x", trained=True, family=families),
        "domains": pd.DataFrame({"kind": ["city"], "seen": [None]}),
        "trends": pd.DataFrame({"certain": [None, True]}),
        "agreement": pd.DataFrame({"verdict": [UNCERTAIN, "agrees"]}),
        "adopted": pd.DataFrame({"matched": [True, False]}),
        "barriers": pd.DataFrame({"batchnorm": [None, "reestimated"]}),
        "conditions": pd.DataFrame(
            {"averaging.name": [None, "swad"], "adversarial.radius": [None, 0.1]}
        ),
    }
    adopted = {"theirs": {"checkpoint": "a.pt", "augment": {"flip": True}}}
    config = {"sweeps": {"s": {}}, "conditions": adopted, "datasets": {"sounds": {}}}
    assert facts_of(config, late) == NOTHING._replace(
        networks=2,
        conditions=1,
        points=2,
        seeds=3,
        spectrum_seeds=1,
        landscape_seeds=2,
        test_samples=60,
        sweeps=True,
        averaged=True,
        attacked=True,
        unconverged=True,
        published=True,
        null=True,
        reversal=True,
        recordings=True,
        cities=True,
        doubtful=True,
        unmatched=True,
        reestimated=True,
    )


def test_networks_of_several_seeds_are_not_said_to_start_from_the_same_weights():
    # None trained, so that no condition has several seeds that did.
    caption = parts_of(NOTHING)["figures/disagreement"]["caption"]
    assert "Networks of a seed started from the same initial weights." in caption
    assert "All networks" not in caption


def test_the_attack_of_a_study_is_named_with_its_steps_starts_and_losses():
    attack = {"attack": "apgd", "steps": 10, "restarts": 1, "losses": None}
    own = {"attack": "fgsm", "steps": 10, "restarts": 2, "losses": ["ce"]}
    both = "cross-entropy and the ratio of differences of logits"
    words = [facts_of({"evaluation": {"adversarial": each}}, {}).attack for each in (attack, own)]
    assert words == [
        f"Auto-PGD, 10 steps from 1 start on {both}, of two classes on cross-entropy alone",
        "FGSM, 1 step from 2 starts on cross-entropy",
    ]


def test_a_study_without_networks_has_no_facts():
    assert facts_of({}, {}) == NOTHING._replace(networks=0, conditions=0, points=0, seeds=0)
    assert facts_of({"toy_fits": {"width": 32}}, {}).toy_width == 32


@pytest.mark.parametrize("view", ["clean", "augmented"])
def test_captions_know_which_view_figures_show(view):
    config = {"analysis": {"figure_view": view}}
    augmenting = config | {"conditions": {"x": {"augment": {"flip": True}}}}
    assert facts_of(augmenting, {}).augmented_view == (view == "augmented")
    assert not facts_of(config | {"conditions": {"x": {}}}, {}).augmented_view


@pytest.mark.parametrize(
    ("own", "words"),
    [
        ({}, "0.02, 0.05 and 0.1"),
        ({"input": {"noise": [1, 2, 3]}}, "0.02, 0.05 and 0.1 on a; 1, 2 and 3 on b"),
    ],
)
def test_sizes_of_noise_are_told_by_data_set_where_they_differ(own, words):
    config = {
        "sharpness": {"input": {"noise": [0.02, 0.05, 0.1]}},
        "datasets": {"a": {"sharpness": {}}, "b": {"sharpness": own}},
    }
    assert facts_of(config, {}).noise == words
    assert facts_of(config | {"sharpness": {"input": None}}, {}).noise == ""
