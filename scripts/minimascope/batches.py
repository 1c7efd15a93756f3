"""How many inputs are computed at once where no gradient step depends on it."""

import torch

# Positions (pixels, or bands × frames) in a batch. On a GPU the activations of a wide network on
# 1024 images of 64×64 fit into its memory; on a CPU those of a narrow one on 256 images of 32×32
# stay near its caches, which halves the time of larger batches.
LARGEST_AREA = {"cuda": 2**22, "cpu": 2**18}


def inputs_at_once(inputs: torch.Tensor, batch_size: int) -> int:
    """Return how many inputs to compute at once: ``batch_size``, or fewer if they are large.

    Args:
        inputs: [n, channels, height, width], or any other shape with n first.
        batch_size: the largest number.
    """
    area = inputs.shape[2:].numel() if inputs.ndim > 2 else 1
    return max(1, min(batch_size, LARGEST_AREA[inputs.device.type] // area))
