"""The standard vision transformer against torch's own layers."""

import pytest
import torch
from networks_cases import randomise
from torch import nn
from torch.nn import functional as F

from minimascope.errors import InputError
from minimascope.networks import NetworkSpec, build, count_weight_layers, initialise
from minimascope.networks.vit_standard import EncoderBlock, SelfAttention

# Sides that are multiples of the patch size, and such that are not.
SPECS = [
    NetworkSpec("vit_standard", 3, (8, 12), 10, width=0.125, options={"patch_size": 4}),
    NetworkSpec("vit_standard", 1, (7, 10), 5, width=0.125, options={"patch_size": 3}),
]
HEADS, HEAD, DIMENSION, MLP = 3, 4, 12, 20


@pytest.fixture(autouse=True)
def same_numbers_every_time():
    torch.manual_seed(0)


def tokens() -> torch.Tensor:
    return torch.randn(2, 7, DIMENSION, dtype=torch.float64)


def copied_attention(ours: SelfAttention, theirs: nn.MultiheadAttention) -> None:
    theirs.in_proj_weight.data.copy_(ours.query_key_value.weight)
    theirs.in_proj_bias.data.copy_(ours.query_key_value.bias)
    theirs.out_proj.load_state_dict(ours.projection.state_dict())


def test_attention_is_torchs():
    ours = randomise(SelfAttention(DIMENSION, HEADS, HEAD, 0.0)).double()
    theirs = nn.MultiheadAttention(DIMENSION, HEADS, batch_first=True, dtype=torch.float64)
    copied_attention(ours, theirs)
    given = tokens()
    expected, _ = theirs(given, given, given)
    torch.testing.assert_close(ours(given), expected, rtol=1e-12, atol=1e-12)


def test_a_block_is_torchs_encoder_layer():
    ours = randomise(EncoderBlock(DIMENSION, HEADS, HEAD, MLP, 0.0)).double()
    settings = {"activation": "gelu", "batch_first": True, "norm_first": True}
    theirs = nn.TransformerEncoderLayer(
        DIMENSION, HEADS, MLP, dropout=0.0, dtype=torch.float64, **settings
    )
    copied_attention(ours.attention[1], theirs.self_attn)
    pairs = zip(
        (theirs.norm1, theirs.norm2, theirs.linear1, theirs.linear2),
        (ours.attention[0], ours.mlp[0], ours.mlp[1], ours.mlp[3]),
        strict=True,
    )
    for layer, own in pairs:
        layer.load_state_dict(own.state_dict())
    given = tokens()
    torch.testing.assert_close(ours(given), theirs(given), rtol=1e-12, atol=1e-12)


def by_torch(spec: NetworkSpec, state: dict[str, torch.Tensor], images: torch.Tensor):
    """The logits from torch's convolution and attention, with the weights of a network."""

    def linear(values, name):
        return F.linear(values, state[f"{name}.weight"], state[f"{name}.bias"])

    def norm(values, name):
        weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
        return F.layer_norm(values, weight.shape, weight, bias)

    size = spec.options["patch_size"]
    kernel = state["body.tokenisation.projection.weight"].unflatten(1, (-1, size, size))
    height, width = (-(-side // size) * size for side in spec.input_size)
    whole = images.new_zeros(len(images), spec.channels, height, width)
    whole[..., : images.shape[-2], : images.shape[-1]] = images
    patches = F.conv2d(whole, kernel, state["body.tokenisation.projection.bias"], stride=size)
    rows = patches.flatten(2).transpose(1, 2)
    first = state["body.class_token"].expand(len(images), -1, -1)
    values = torch.cat([first, rows], dim=1) + state["body.position"]
    for depth in range(6):
        block = f"body.blocks.{depth}"
        inner = linear(norm(values, f"{block}.attention.0"), f"{block}.attention.1.query_key_value")
        heads = inner.unflatten(-1, (3, 6, -1)).permute(2, 0, 3, 1, 4)
        gathered = F.scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2)
        values = values + linear(gathered, f"{block}.attention.1.projection")
        hidden = F.gelu(linear(norm(values, f"{block}.mlp.0"), f"{block}.mlp.1"))
        values = values + linear(hidden, f"{block}.mlp.3")
    return linear(norm(values, "body.norm")[:, 0], "head")


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("spec", SPECS)
def test_the_network_is_that_of_torchs_functions(spec, training):
    model = randomise(build(spec)).double().train(training)
    images = torch.randn(2, spec.channels, *spec.input_size, dtype=torch.float64)
    with torch.no_grad():
        expected = by_torch(spec, model.state_dict(), images)
        torch.testing.assert_close(model(images), expected, rtol=1e-10, atol=1e-10)


def test_it_has_the_size_of_the_transformer_for_small_data_sets():
    shape = {"channels": 3, "input_size": (32, 32), "classes": 10, "options": {"patch_size": 4}}
    with torch.device("meta"):
        standard, small = (build(NetworkSpec(name, **shape)) for name in ("vit_standard", "vit"))
    assert count_weight_layers(standard) == count_weight_layers(small) == 26
    assert standard.body.position.shape == small.body.position.shape == (1, 65, 512)
    numbers = [sum(p.numel() for p in model.parameters()) for model in (standard, small)]
    # Without four shifted copies, the norm of patches and temperatures; with biases of attention.
    patches = 3 * 16
    fewer = 4 * patches * 512 + 2 * 5 * patches + 6
    assert numbers[0] == numbers[1] - fewer + 6 * 3 * 384


def test_class_token_and_positions_start_small():
    model = initialise(NetworkSpec("vit_standard", 3, (32, 32), 10, options={"patch_size": 4}), 0)
    assert model.body.position.std().item() == pytest.approx(0.02, rel=0.02)
    assert model.body.class_token.std().item() == pytest.approx(0.02, rel=0.15)


def test_odd_patches_are_taken_and_none_refused():
    assert build(SPECS[1])(torch.zeros(2, 1, 7, 10)).shape == (2, 5)
    with pytest.raises(InputError, match="vit_standard: patch_size 0 is too small; use 1 or more"):
        build(NetworkSpec("vit_standard", 1, (8, 8), 5, options={"patch_size": 0}))
