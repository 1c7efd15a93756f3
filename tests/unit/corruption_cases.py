"""Images to corrupt."""

import torch


def random_images(n: int, channels: int, side: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    shape = (n, channels, side, side)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


def smooth_images(n: int, channels: int, side: int) -> torch.Tensor:
    """Images with structure: random 4 × 4 squares enlarged."""
    squares = random_images(n, channels, 4).float()
    enlarged = torch.nn.functional.interpolate(squares, (side, side), mode="bicubic")
    return enlarged.clamp(0, 255).to(torch.uint8)


def constant_images(value: int, n: int = 20, channels: int = 3, side: int = 32) -> torch.Tensor:
    return torch.full((n, channels, side, side), value, dtype=torch.uint8)
