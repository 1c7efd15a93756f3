"""SpecAugment's masks: spans of one axis become the input's mean."""

import pytest
import torch
from scipy.stats import chisquare

from minimascope.data.augment import Augmentation, augment, mask
from minimascope.seeding import generator

BANDS, FRAMES = 12, 20


def features(n: int) -> torch.Tensor:
    """Features in which no value is its input's mean."""
    values = torch.arange(n * BANDS * FRAMES, dtype=torch.float32)
    return 2 * values.reshape(n, 1, BANDS, FRAMES)


def masked_lines(before: torch.Tensor, after: torch.Tensor, dimension: int) -> torch.Tensor:
    """Return which bands or frames were masked, [n, size]; all or nothing of each must be."""
    changed = (before != after).movedim(dimension, 1).flatten(2)
    assert torch.equal(changed.any(2), changed.all(2))
    return changed.all(2)


@pytest.mark.parametrize("dimension", [2, 3])
def test_a_mask_is_one_span_that_has_the_mean_of_its_input(dimension):
    before = features(200)
    after = mask(before, dimension, 1, 5, generator("test"))
    lines = masked_lines(before, after, dimension)
    starts = lines.int().diff(dim=1, prepend=torch.zeros(200, 1, dtype=torch.int)).clamp(min=0)
    assert starts.sum(1).max() == 1
    assert lines.sum(1).unique().tolist() == [0, 1, 2, 3, 4, 5]
    means = before.mean((1, 2, 3), keepdim=True).expand_as(before)
    assert torch.equal(after[before != after], means[before != after])


def test_lengths_are_uniform_and_every_place_that_fits_is_as_likely():
    before = features(6_000)
    lines = masked_lines(before, mask(before, 2, 1, 3, generator("uniform")), 2)
    lengths = lines.sum(1)
    assert chisquare(torch.bincount(lengths, minlength=4)).pvalue > 1e-3
    starts = lines[lengths == 2].int().argmax(1)
    assert chisquare(torch.bincount(starts, minlength=BANDS - 1)).pvalue > 1e-3


def test_a_mask_longer_than_the_axis_covers_at_most_all_of_it():
    before = features(500)
    lines = masked_lines(before, mask(before, 2, 1, 1_000, generator("long")), 2)
    assert lines.sum(1).max() == BANDS


def test_several_masks_overlap_as_several_draws_do():
    before = features(2_000)
    lines = masked_lines(before, mask(before, 3, 2, 4, generator("two")), 3)
    assert lines.sum(1).max() == 8
    assert lines.sum(1).double().mean() > 3


def test_an_augmentation_masks_bands_and_frames_from_its_generator():
    before = features(50)
    kept = before.clone()
    augmentation = Augmentation(band_masks=1, band_mask_size=2, time_masks=2, time_mask_size=3)
    after = augment(before, augmentation, generator(7, "a"))
    assert torch.equal(after, augment(before, augmentation, generator(7, "a")))
    assert not torch.equal(after, augment(before, augmentation, generator(8, "a")))
    assert torch.equal(before, kept)
    changed = (before != after).squeeze(1)
    assert changed.all(2).sum(1).max() == 2  # bands
    assert changed.all(1).sum(1).max() > 2  # frames
