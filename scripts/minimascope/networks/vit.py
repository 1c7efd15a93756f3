"""Vision transformer for small data sets (Lee, Lee & Song 2021, arXiv:2112.13492)."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import InputError
from . import Classifier, scaled

DIMENSION = 512
DEPTH = 6
HEADS = 6
HEAD_DIMENSION = 64
MLP_DIMENSION = 256
EMBEDDING_STD = 0.02
# Up to so many entries, torch's softmax over the last dimension on a CPU is slower than one over
# the first, copies included: for five tokens by a factor of 15.
FEW_TOKENS = 8


class ShiftedPatchTokenisation(nn.Module):
    """Images [n, c, h, w] to tokens [n, ⌈h/p⌉ · ⌈w/p⌉, d], p the patch size.

    Zeros at the bottom and on the right complete the last patches. The image and its four copies
    shifted by half a patch along the diagonals (zeros move in) are stacked as channels, cut into
    patches of 5·c·p² numbers, normalised and projected (section 3.1 of the paper).
    """

    def __init__(self, channels: int, patch_size: int, dimension: int):
        super().__init__()
        self.patch_size = patch_size
        patch_numbers = 5 * channels * patch_size**2
        self.norm = nn.LayerNorm(patch_numbers)
        self.projection = nn.Linear(patch_numbers, dimension)

    def forward(self, images: Tensor) -> Tensor:
        """Return the tokens, row by row."""
        bottom, right = (-side % self.patch_size for side in images.shape[-2:])
        whole = F.pad(images, (0, right, 0, bottom))
        patches = F.pixel_unshuffle(self.shifted(whole), self.patch_size)
        return self.projection(self.norm(patches.flatten(2).transpose(1, 2)))

    def shifted(self, images: Tensor) -> Tensor:
        """Return the image and its shifts, left-up, right-up, left-down, right-down."""
        height, width = images.shape[-2:]
        shift = self.patch_size // 2
        padded = F.pad(images, (shift, shift, shift, shift))
        copies = [
            padded[..., top : top + height, left : left + width]
            for top in (2 * shift, 0)
            for left in (2 * shift, 0)
        ]
        return torch.cat([images, *copies], dim=1)


class LocalitySelfAttention(nn.Module):
    """Self-attention [n, t, d] to [n, t, d] in which no token attends to itself.

    Per head softmax(q kᵀ / τ) v, with the diagonal of q kᵀ masked and one temperature τ per layer,
    learned from √(head dimension) on (section 3.2 of the paper).
    """

    def __init__(self, dimension: int, head_dimension: int, dropout: float):
        super().__init__()
        inner_dimension = HEADS * head_dimension
        self.query_key_value = nn.Linear(dimension, 3 * inner_dimension, bias=False)
        self.temperature = nn.Parameter(torch.tensor(math.sqrt(head_dimension)))
        self.projection = nn.Linear(inner_dimension, dimension)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return what each token gathers from the others."""
        query, key, value = (
            part.unflatten(-1, (HEADS, -1)).transpose(1, 2)
            for part in self.query_key_value(tokens).chunk(3, dim=-1)
        )
        # Plain products and softmax, because torch's fused attention kernels have no second
        # derivative and the curvature measures need one.
        similarity = (query / self.temperature) @ key.transpose(-2, -1)
        itself = torch.eye(tokens.shape[1], dtype=torch.bool, device=tokens.device)
        similarity = similarity.masked_fill(itself, -math.inf)
        # They round differently; training keeps the first, so that trained weights stay the same.
        if self.training or tokens.shape[1] > FEW_TOKENS:
            attention = similarity.softmax(dim=-1)
        else:
            attention = similarity.movedim(-1, 0).contiguous().softmax(dim=0).movedim(0, -1)
        gathered = (attention @ value).transpose(1, 2).flatten(2)
        return self.dropout(self.projection(gathered))


class TransformerBlock(nn.Module):
    """Attention and MLP, each after a LayerNorm and added to its input: [n, t, d] to [n, t, d]."""

    def __init__(self, dimension: int, head_dimension: int, mlp_dimension: int, dropout: float):
        super().__init__()
        self.attention = nn.Sequential(
            nn.LayerNorm(dimension), LocalitySelfAttention(dimension, head_dimension, dropout)
        )
        self.mlp = nn.Sequential(
            nn.LayerNorm(dimension),
            nn.Linear(dimension, mlp_dimension),
            nn.GELU(),
            nn.Linear(mlp_dimension, dimension),
            nn.Dropout(dropout),
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the tokens after attention and MLP."""
        tokens = tokens + self.attention(tokens)
        return tokens + self.mlp(tokens)


class ClassTokenEncoder(nn.Module):
    """Images [n, c, h, w] to the encoded class token [n, d]."""

    def __init__(
        self, tokenisation: nn.Module, patches: int, dimension: int, blocks: list[nn.Module]
    ):
        super().__init__()
        self.tokenisation = tokenisation
        self.class_token = nn.Parameter(EMBEDDING_STD * torch.randn(1, 1, dimension))
        self.position = nn.Parameter(EMBEDDING_STD * torch.randn(1, patches + 1, dimension))
        self.blocks = nn.Sequential(*blocks)
        self.norm = nn.LayerNorm(dimension)

    def forward(self, images: Tensor) -> Tensor:
        """Return the normalised class token after all blocks."""
        patches = self.tokenisation(images)
        class_token = self.class_token.expand(len(images), -1, -1)
        tokens = torch.cat([class_token, patches], dim=1) + self.position
        return self.norm(self.blocks(tokens)[:, 0])


def vit(
    *,
    channels: int,
    input_size: tuple[int, int],
    classes: int,
    width: float,
    dropout: float,
    patch_size: int,
) -> Classifier:
    """Return the vision transformer with shifted patch tokenisation and locality self-attention.

    Dimension 512, depth 6, 6 heads of dimension 64, MLP dimension 256 (GELU), pre-norm, learned
    position embedding, linear head on the class token: 26 weight layers. Features are
    [n, 512 · width]. Linear layers keep torch's default initialisation; class token and position
    embedding are drawn from N(0, 0.02²).

    Args (others: see `NetworkSpec`):
        input_size: sides that are no multiple of ``patch_size`` are filled up with zeros, the mean
            of normalised inputs.
        width: factor on the token, head and MLP dimensions; depth and heads stay.
        dropout: acts after each attention projection, too, and after each MLP.
        patch_size: height and width of a patch, even, because the shift is half of it.

    Raises:
        InputError: the patch size is odd.
    """
    if patch_size < 2 or patch_size % 2:
        raise InputError(
            f"vit: patch_size {patch_size} cannot be halved for the shift; use an even patch_size"
        )
    dimension = scaled(DIMENSION, width)
    tokenisation = ShiftedPatchTokenisation(channels, patch_size, dimension)
    blocks = [
        TransformerBlock(
            dimension, scaled(HEAD_DIMENSION, width), scaled(MLP_DIMENSION, width), dropout
        )
        for _ in range(DEPTH)
    ]
    patches = math.prod(math.ceil(side / patch_size) for side in input_size)
    body = ClassTokenEncoder(tokenisation, patches, dimension, blocks)
    return Classifier(body, dimension, classes, dropout)
