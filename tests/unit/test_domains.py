"""Accuracy per domain and city, in-domain and out-of-domain."""

import math

import numpy as np
import pytest
import torch

from minimascope.analysis.collect import DOMAIN_COLUMNS, domain_table
from minimascope.data.prepared import Dataset, Split
from minimascope.errors import InputError
from minimascope.evaluation.domains import domain_rows, measure_domains

HITS = [1, 1, 0, 1, 1, 0, 0, 1, 0, 1]
DOMAINS = [0, 0, 0, 0, 1, 1, 3, 3, 4, 4]  # 2 is in the training split alone
CITIES = [0, 1] * 5


def dataset(domains=DOMAINS, cities=CITIES, seen=(True, True, True, False, False)) -> Dataset:
    labels = torch.tensor([0, 1] * 5)
    inputs = torch.zeros(10, 1, 2, 2)
    domains = None if domains is None else torch.tensor(domains)
    cities = None if cities is None else torch.tensor(cities)
    test = Split(inputs, labels, domains, cities)
    names = ("A", "B", "C", "S4", "S5")
    return Dataset(Split(inputs, labels), test, ("quiet", "loud"), names, seen, ("lyon", "paris"))


def logits() -> np.ndarray:
    """Logits that are right where HITS says so."""
    right = np.array([0, 1] * 5)
    predicted = np.where(HITS, right, 1 - right)
    return np.eye(2)[predicted]


def test_each_domain_and_city_has_the_share_of_its_samples_that_is_right():
    rows = {(row["kind"], row["name"]): row for row in domain_rows(logits(), dataset())}
    expected = {
        ("domain", "A"): (0.75, 4, True),
        ("domain", "B"): (0.5, 2, True),
        ("domain", "S4"): (0.5, 2, False),
        ("domain", "S5"): (0.5, 2, False),
        ("city", "lyon"): (0.4, 5, None),
        ("city", "paris"): (0.8, 5, None),
    }
    found = {key: (row["accuracy"], row["n"], row["seen"]) for key, row in rows.items()}
    assert found == expected


def test_every_domain_counts_the_same_in_and_out_of_domain():
    rows = domain_rows(logits(), dataset())
    measured = {m.measure: m for m in measure_domains(rows)}
    assert measured["accuracy_in_domain"].value == (0.75 + 0.5) / 2
    assert measured["accuracy_in_domain"].n == 6
    assert measured["accuracy_out_of_domain"].value == 0.5
    assert measured["domain_gap"].value == pytest.approx(12.5)
    error = math.sqrt(0.75 * 0.25 / 4 + 0.5 * 0.5 / 2) / 2
    assert measured["accuracy_in_domain"].standard_error == pytest.approx(error)
    outside = math.sqrt(2 * 0.25 / 2) / 2
    gap = 100 * math.hypot(error, outside)
    assert measured["domain_gap"].standard_error == pytest.approx(gap)
    assert measured["domain_gap"].unit == "percentage points"


def test_the_standard_error_is_the_scatter_of_repeated_test_sets():
    draws = np.random.default_rng(0)
    shares, sizes = np.array([0.9, 0.6, 0.3]), np.array([50, 20, 80])
    hits = draws.binomial(sizes, shares, (20_000, 3)) / sizes
    seen = [True, True, False]
    rows = [
        {"kind": "domain", "seen": s, "accuracy": p, "n": n}
        for s, p, n in zip(seen, shares, sizes, strict=True)
    ]
    gap = next(m for m in measure_domains(rows) if m.measure == "domain_gap")
    scatter = 100 * (hits[:, :2].mean(1) - hits[:, 2]).std()
    assert gap.standard_error == pytest.approx(scatter, rel=0.03)


@pytest.mark.parametrize("seen", [(True,) * 5, (False,) * 5])
def test_without_both_kinds_of_domains_there_is_no_gap(seen):
    assert measure_domains(domain_rows(logits(), dataset(seen=seen))) == []


def test_a_data_set_without_domains_has_no_rows():
    assert domain_rows(logits(), dataset(domains=None, cities=None)) == []


def test_the_table_has_a_row_for_each_model_and_domain():
    rows = domain_rows(logits(), dataset())
    run = {"dataset": "d", "network": "n", "condition": "c"}
    documents = {
        f"{seed}.json": {"run": run | {"seed": str(seed)}, "details": {"domains": rows}}
        for seed in (0, 1)
    }
    table = domain_table(documents)
    assert list(table.columns) == DOMAIN_COLUMNS
    assert len(table) == 2 * len(rows)
    assert table.seed.tolist() == [0] * len(rows) + [1] * len(rows)
    with pytest.raises(InputError, match=r"x\.json: no evaluation with domains"):
        domain_table({"x.json": {"run": run}})
