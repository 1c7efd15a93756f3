"""In which order an epoch shows the training samples."""

import pytest
import torch
from scipy.stats import chisquare

from minimascope.data.prepared import Split
from minimascope.data.sampling import epoch_order
from minimascope.errors import InputError
from minimascope.seeding import generator

# Domain 1 is named by the data set, but has no training sample.
DOMAINS = torch.tensor([0] * 700 + [2] * 250 + [3] * 50)


def split(domains: torch.Tensor | None) -> Split:
    return Split(torch.zeros(1_000, 1, 2, 2), torch.zeros(1_000, dtype=torch.int64), domains)


def test_a_shuffled_epoch_has_every_sample_once_in_the_order_it_always_had():
    order = epoch_order(split(DOMAINS), "shuffled", generator(3, "order", 0))
    assert torch.equal(order, torch.randperm(1_000, generator=generator(3, "order", 0)))


def test_a_balanced_epoch_has_as_many_samples_and_every_domain_as_often():
    orders = [
        epoch_order(split(DOMAINS), "domain_balanced", generator(0, "order", epoch))
        for epoch in range(20)
    ]
    assert all(len(order) == 1_000 for order in orders)
    rows = torch.cat(orders)
    counts = torch.bincount(DOMAINS[rows], minlength=4)
    assert counts[1] == 0
    assert chisquare(counts[[0, 2, 3]]).pvalue > 1e-3
    within = torch.bincount(rows, minlength=1_000)
    assert chisquare(within[DOMAINS == 0]).pvalue > 1e-3
    assert chisquare(within[DOMAINS == 3]).pvalue > 1e-3


def test_an_epoch_depends_on_its_generator_alone():
    one, same, other = (
        epoch_order(split(DOMAINS), "domain_balanced", generator(0, "order", epoch))
        for epoch in (1, 1, 2)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_balanced_domains_need_domains():
    with pytest.raises(InputError, match=r"training\.sampling: domain_balanced needs .* domains"):
        epoch_order(split(None), "domain_balanced", generator(0))
