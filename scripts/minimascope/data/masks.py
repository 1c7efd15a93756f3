"""Masks over mel bands and frames, as in SpecAugment, for whole batches."""

import torch


def mask(
    features: torch.Tensor, dimension: int, count: int, largest: int, generator: torch.Generator
) -> torch.Tensor:
    """Return a batch of log-mels in which random spans of bands or frames are blanked.

    For each mask of each input a length is drawn uniformly from 0 … ``largest`` and a place
    uniformly from where it fits (Park et al. 2019, arXiv:1904.08779, section 2). What is masked
    becomes the input's own mean, since the paper's zero is the mean of normalised features.

    Args:
        features: [n, channels, bands, frames], floating.
        dimension: 2 for bands, 3 for frames.
        count: masks per input; they may overlap.
        largest: of their lengths, at most the size of the dimension.
        generator: on the device of the features.
    """
    n, size = len(features), features.shape[dimension]
    device = features.device
    # With float64 no draw times a count reaches it.
    draws = torch.rand(2, n, count, generator=generator, device=device, dtype=torch.float64)
    length = (draws[0] * (min(largest, size) + 1)).long()
    start = (draws[1] * (size - length + 1)).long()
    places = torch.arange(size, device=device)
    inside = (places >= start[..., None]) & (places < (start + length)[..., None])
    shape = [n, 1, 1, 1]
    shape[dimension] = size
    mean = features.mean(dim=(1, 2, 3), keepdim=True)
    return torch.where(inside.any(1).reshape(shape), mean, features)
