"""Random labels, parts of data sets and rows of splits."""

import itertools

import pytest
import torch
from scipy.stats import binomtest, chisquare

from minimascope.data.label_noise import with_label_noise
from minimascope.data.part import part_of
from minimascope.data.prepared import Dataset, Split
from minimascope.errors import InputError

N, CLASSES = 20_000, 5


def labelled(labels: torch.Tensor, domains: bool = False) -> Split:
    """Images that hold their own row number."""
    rows = torch.arange(len(labels), dtype=torch.float32)
    return Split(rows.reshape(-1, 1, 1, 1), labels, 10 * rows.long() if domains else None)


def row_numbers(split: Split) -> list[int]:
    return split.inputs.flatten().long().tolist()


@pytest.fixture(scope="module")
def split() -> Split:
    return labelled(torch.arange(N) % CLASSES, domains=True)


def changed(split: Split, share: float, seed: int = 0) -> torch.Tensor:
    return with_label_noise(split, share, CLASSES, seed).labels != split.labels


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_of_random_labels_one_in_c_is_right_by_chance(split, share):
    expected = share * (CLASSES - 1) / CLASSES
    assert binomtest(int(changed(split, share).sum()), N, expected).pvalue > 1e-4


def test_label_noise_changes_labels_and_nothing_else(split):
    assert with_label_noise(split, 0.0, CLASSES, 0) is split
    before = split.labels.clone()
    noisy = with_label_noise(split, 0.5, CLASSES, 0)
    assert noisy.inputs is split.inputs
    assert torch.equal(noisy.domains, split.domains)
    assert noisy.labels.dtype == torch.int64
    assert torch.equal(split.labels, before)


def test_labels_that_are_random_at_one_share_are_the_same_random_ones_at_every_larger_one(split):
    shares = [0.1, 0.2, 0.5, 0.9, 1.0]
    labels = [with_label_noise(split, share, CLASSES, 3).labels for share in shares]
    for smaller, larger in itertools.pairwise(labels):
        random = smaller != split.labels
        assert random.any()
        assert torch.equal(larger[random], smaller[random])
        assert (larger != split.labels).sum() > random.sum()


def test_random_labels_depend_on_the_seed_alone(split):
    first, again, other = (changed(split, 0.3, seed) for seed in (7, 7, 8))
    assert torch.equal(first, again)
    # Of unrelated draws with a chance of 0.24 each, 36 % differ.
    assert (first != other).double().mean() == pytest.approx(2 * 0.24 * 0.76, abs=0.02)


def test_random_labels_are_uniform_whatever_the_right_ones_are():
    split = labelled(torch.zeros(N, dtype=torch.int64))
    labels = with_label_noise(split, 1.0, CLASSES, 0).labels
    assert chisquare(torch.bincount(labels, minlength=CLASSES).tolist()).pvalue > 1e-4


# Parts of data sets

SIZES = (150, 90, 60)


def sorted_dataset() -> Dataset:
    """Classes one after the other, as folders give them, with 50 %, 30 % and 20 % of the data."""
    labels = torch.arange(3).repeat_interleave(torch.tensor(SIZES))
    return Dataset(labelled(labels, domains=True), labelled(labels), ("a", "b", "c"), ("x",))


@pytest.mark.parametrize("samples", [3, 10, 47, 100, 299, 300])
def test_a_part_has_so_many_samples_in_their_order_and_classes_keep_their_shares(samples):
    part = part_of(sorted_dataset(), samples, None).train
    rows = row_numbers(part)
    assert len(rows) == len(set(rows)) == samples
    assert rows == sorted(rows)
    counts = torch.bincount(part.labels, minlength=3).tolist()
    for count, size in zip(counts, SIZES, strict=True):
        assert abs(count - samples * size / 300) <= 1
    # Labels and domains come along.
    assert torch.equal(part.labels, sorted_dataset().train.labels[rows])
    assert part.domains.tolist() == [10 * row for row in rows]


@pytest.mark.parametrize("all_of_them", [None, 300, 301])
def test_each_split_has_its_own_number_and_none_or_too_many_means_all(all_of_them):
    data = sorted_dataset()
    part = part_of(data, all_of_them, 30)
    assert part.train is data.train
    assert len(part.test) == 30
    assert (part.classes, part.domains) == (data.classes, data.domains)
    both = part_of(data, 30, 30)
    assert row_numbers(both.train) != row_numbers(both.test)


def test_a_part_is_always_the_same_and_lies_within_every_larger_one():
    rows = {k: row_numbers(part_of(sorted_dataset(), k, None).train) for k in (5, 20, 21, 200)}
    assert rows[20] == row_numbers(part_of(sorted_dataset(), 20, 40).train)
    assert set(rows[5]) < set(rows[20]) < set(rows[21]) < set(rows[200])


@pytest.mark.parametrize("name", ["train", "test"])
def test_parts_smaller_than_the_number_of_classes_are_refused(name):
    wanted = {"train": None, "test": None} | {name: 2}
    with pytest.raises(InputError) as error:
        part_of(sorted_dataset(), **wanted)
    assert str(error.value) == (
        f"{name}_samples: 2 is less than the number of classes, 3; raise it"
    )


# Rows of splits


def test_rows_are_taken_in_the_given_order_with_labels_and_domains():
    split = labelled(torch.tensor([4, 5, 6, 7]), domains=True).rows(torch.tensor([3, 0, 2]))
    assert row_numbers(split) == [3, 0, 2]
    assert split.labels.tolist() == [7, 4, 6]
    assert split.domains.tolist() == [30, 0, 20]
    assert labelled(torch.tensor([4, 5])).rows(torch.tensor([1])).domains is None


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_share_of_one_is_the_split_itself_and_draws_nothing(split):
    generator = draws()
    assert split.drawn(1, generator) is split
    assert torch.equal(generator.get_state(), draws().get_state())


@pytest.mark.parametrize(("share", "samples"), [(0.2, 20), (0.5, 50), (0.004, 1), (0.996, 100)])
def test_a_share_is_drawn_without_replacement_in_order(share, samples):
    drawn = labelled(torch.arange(100), domains=True).drawn(share, draws())
    rows = row_numbers(drawn)
    assert len(set(rows)) == len(rows) == samples
    assert rows == sorted(rows) == drawn.labels.tolist()
    assert drawn.domains.tolist() == [10 * row for row in rows]


def test_what_is_drawn_depends_on_the_generator_alone():
    split = labelled(torch.arange(100))
    first, again, other = (row_numbers(split.drawn(0.5, draws(seed))) for seed in (1, 1, 2))
    assert first == again
    assert first != other
