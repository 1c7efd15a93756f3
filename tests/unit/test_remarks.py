"""What `make check` says that a study is too small for agrees with what its report says."""

import re

import pandas as pd
import pytest
from study_cases import BASE, ROOT, SCHEMA, published_study

from minimascope.analysis.links import networks_of
from minimascope.analysis.rank_correlation import fewest_of
from minimascope.study.loading import load_study
from minimascope.study.remarks import remarks

KEPT = ("flat_minima", "random_labels_digits", "spoken_digits", "survey")


def told(loaded) -> tuple[int, int] | None:
    """Return how many correlations a remark counts, and how many conditions they take."""
    text = "none of (\\d+) or more correlations over conditions, .* with fewer than (\\d+)"
    found = [match for line in remarks(loaded) if (match := re.search(text, line))]
    return (int(found[0][1]), int(found[0][2])) if found else None


@pytest.mark.parametrize("name", KEPT)
def test_too_few_conditions_for_a_sure_correlation_are_as_few_as_in_the_report(name):
    rows = pd.read_csv(ROOT / "docs" / "results" / name / "correlations.csv")
    names = [network for network in rows["network"].unique() if network != "all"]
    counts = [network.count for network in networks_of(rows, names, names)]
    two = {"baseline": {}, "sam": {"sam": {"rho": 0.05}}}
    few = published_study(name, conditions=two, sweeps={})
    at_least, fewest = told(few)
    assert at_least <= min(counts)
    assert fewest == fewest_of(min(counts))


@pytest.mark.parametrize(("seeds", "count", "fewest"), [([0, 1], 21, 7), ([0], 18, 6)])
def test_the_remark_goes_by_the_number_of_correlations(seeds, count, fewest):
    # Three measures of sharpness with accuracy, gap, ECE, two further sets and corruptions, and
    # disagreement between seeds.
    sets = {
        "shifted": {"thick": {"source": "digit_styles", "style": "thick"}},
        "unseen": {"letters": {"source": "letters"}},
    }
    for conditions in (2, 5, 6, 7):
        named = {f"c{i}": {"optimizer": {"lr": 0.1 / 2**i}} for i in range(conditions)}
        small = {"small": {"source": "digits", **sets}}
        loaded = load_study(
            {**BASE, "seeds": seeds, "datasets": small, "conditions": named}, SCHEMA
        )
        assert told(loaded) == ((count, fewest) if conditions < fewest else None)


def test_data_whose_test_split_has_unseen_domains_are_named():
    scenes = {
        "all": {"source": "synthetic_scenes"},
        "some": {"source": "synthetic_scenes", "train_domains": ["A", "S2"]},
    }
    loaded = load_study({**BASE, "datasets": scenes}, SCHEMA)
    said = [line for line in remarks(loaded) if "unseen" in line]
    over = "test accuracy, generalisation gap, ECE and all else of the test split are over both"
    assert said == [
        f"note: all is tested on seen domains (A, B, C, S1, S2, S3) and unseen ones (S4, S5, S6):"
        f" {over}",
        f"note: some is tested on seen domains (A, S2) and unseen ones (B, C, S1, S3, S4, S5, S6):"
        f" {over}",
    ]
    assert not [line for line in remarks(load_study(BASE, SCHEMA)) if "unseen" in line]
