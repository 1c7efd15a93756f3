"""The vision transformer of Dosovitskiy et al. 2021 (arXiv:2010.11929), at the size of `vit`."""

import math

from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import InputError
from . import Classifier, scaled
from .vit import DEPTH, DIMENSION, HEAD_DIMENSION, HEADS, MLP_DIMENSION, ClassTokenEncoder


class PatchProjection(nn.Module):
    """Images [n, c, h, w] to tokens [n, ⌈h/p⌉ · ⌈w/p⌉, d], p the patch size.

    Zeros at the bottom and on the right complete the last patches; each patch of c·p² numbers is
    projected by one linear layer (equation 1 of the paper).
    """

    def __init__(self, channels: int, patch_size: int, dimension: int):
        super().__init__()
        self.patch_size = patch_size
        self.projection = nn.Linear(channels * patch_size**2, dimension)

    def forward(self, images: Tensor) -> Tensor:
        """Return the tokens, row by row."""
        bottom, right = (-side % self.patch_size for side in images.shape[-2:])
        patches = F.pixel_unshuffle(F.pad(images, (0, right, 0, bottom)), self.patch_size)
        return self.projection(patches.flatten(2).transpose(1, 2))


class SelfAttention(nn.Module):
    """Multi-head self-attention [n, t, d] to [n, t, d] (appendix A of the paper).

    Per head softmax(q kᵀ / √(head dimension)) v, with all linear layers biased.
    """

    def __init__(self, dimension: int, heads: int, head_dimension: int, dropout: float):
        super().__init__()
        self.heads = heads
        inner_dimension = heads * head_dimension
        self.query_key_value = nn.Linear(dimension, 3 * inner_dimension)
        self.projection = nn.Linear(inner_dimension, dimension)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return what each token gathers from all."""
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in self.query_key_value(tokens).chunk(3, dim=-1)
        )
        # Plain products and softmax, because torch's fused attention kernels have no second
        # derivative and the curvature measures need one.
        similarity = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
        gathered = (similarity.softmax(dim=-1) @ value).transpose(1, 2).flatten(2)
        return self.dropout(self.projection(gathered))


class EncoderBlock(nn.Module):
    """Attention and MLP, each after a LayerNorm and added to its input: [n, t, d] to [n, t, d]."""

    def __init__(
        self, dimension: int, heads: int, head_dimension: int, mlp_dimension: int, dropout: float
    ):
        super().__init__()
        self.attention = nn.Sequential(
            nn.LayerNorm(dimension), SelfAttention(dimension, heads, head_dimension, dropout)
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


def vit_standard(
    *,
    channels: int,
    input_size: tuple[int, int],
    classes: int,
    width: float,
    dropout: float,
    patch_size: int,
) -> Classifier:
    """Return the vision transformer with plain patches and standard attention.

    All sizes are those of `vit.vit`: dimension 512, depth 6, 6 heads of dimension 64, MLP dimension
    256 (GELU), pre-norm, learned position embedding, linear head on the class token: 26 weight
    layers. Features are [n, 512 · width]. Linear layers keep torch's default initialisation; class
    token and position embedding are drawn from N(0, 0.02²).

    Args (others: see `NetworkSpec`):
        input_size: sides that are no multiple of ``patch_size`` are filled up with zeros, the mean
            of normalised inputs.
        width: factor on the token, head and MLP dimensions; depth and heads stay.
        dropout: acts after each attention projection, too, and after each MLP.
        patch_size: height and width of a patch.

    Raises:
        InputError: the patch size is not positive.
    """
    if patch_size < 1:
        raise InputError(f"vit_standard: patch_size {patch_size} is too small; use 1 or more")
    dimension, head = scaled(DIMENSION, width), scaled(HEAD_DIMENSION, width)
    tokenisation = PatchProjection(channels, patch_size, dimension)
    blocks = [
        EncoderBlock(dimension, HEADS, head, scaled(MLP_DIMENSION, width), dropout)
        for _ in range(DEPTH)
    ]
    patches = math.prod(math.ceil(side / patch_size) for side in input_size)
    body = ClassTokenEncoder(tokenisation, patches, dimension, blocks)
    return Classifier(body, dimension, classes, dropout)
