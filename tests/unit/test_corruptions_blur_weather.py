import numpy as np
import pytest
import torch
from corruption_cases import constant_images, random_images, smooth_images
from scipy import ndimage

from minimascope.data.corruptions.blur import line_blur
from minimascope.data.corruptions.generated import FUNCTIONS, corrupt
from minimascope.data.corruptions.layers import plasma
from minimascope.data.corruptions.severities import STRENGTHS

BLURS_THAT_KEEP_CONSTANTS = (
    "gaussian_blur",
    "glass_blur",
    "defocus_blur",
    "motion_blur",
    "zoom_blur",
    "elastic_transform",
)


# --- blur ------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [32, 64, 96])
@pytest.mark.parametrize("name", BLURS_THAT_KEEP_CONSTANTS)
def test_constant_images_stay_as_they_are(name, side):
    images = constant_images(77, n=2, side=side)
    for severity in (1, 5):
        assert torch.equal(corrupt(images, name, severity, seed=0), images)


@pytest.mark.parametrize(
    ("side", "severity", "sigma"), [(32, 1, 0.4), (32, 5, 1.0), (64, 3, 1.0), (96, 4, 2.4)]
)
def test_gaussian_blur_is_scipys_on_each_channel_with_sigma_scaled_to_the_side(
    side, severity, sigma
):
    images = random_images(2, 3, side)
    blurred = corrupt(images, "gaussian_blur", severity, seed=0)
    for image, result in zip(images, blurred, strict=True):
        for channel, plane in zip(image, result, strict=True):
            expected = ndimage.gaussian_filter(channel.double().numpy(), sigma, mode="nearest")
            assert np.abs(plane.double().numpy() - expected).max() <= 0.5 + 1e-6


def test_defocus_blur_spreads_a_point_over_the_disc():
    images = constant_images(0, n=1, channels=1, side=32)
    images[0, 0, 16, 16] = 255
    spread = corrupt(images, "defocus_blur", 5, seed=0)[0, 0].double() / 255
    # Radius 1.5 reaches the diagonal neighbours (√2) and no further: nine equal pixels.
    expected = torch.zeros(32, 32, dtype=torch.double)
    expected[15:18, 15:18] = 1 / 9
    assert torch.allclose(spread, expected, atol=1 / 255)


def test_glass_blur_takes_neighbours_and_leaves_a_border_when_its_gaussian_is_tiny():
    # At severity 1 σ is 0.05 px, which smooths nothing. All pixels of the image differ.
    images = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16).expand(300, 1, 16, 16)
    strength, reference = STRENGTHS["glass_blur"][32][0], 16
    blurred = FUNCTIONS["glass_blur"](
        images.numpy() / 255, strength, reference, np.random.default_rng(0)
    )
    values = np.rint(blurred[:, 0] * 255).astype(int)
    place = np.arange(256).reshape(16, 16)
    offsets = np.stack([values // 16 - place // 16, values % 16 - place % 16])
    assert (offsets[:, :, :2] == 0).all()
    assert (offsets[:, :, :, :2] == 0).all()
    inner = offsets[:, :, 2:, 2:].reshape(2, -1)
    found, counts = np.unique(inner, axis=1, return_counts=True)
    assert found.T.tolist() == [[-1, -1], [-1, 0], [0, -1], [0, 0]]
    assert counts / inner.shape[1] == pytest.approx(0.25, abs=0.01)


def glass_blur_by_loop(images, sigma, reach, rounds, random):
    """The published procedure, pixel by pixel; images [n, side, side] of floats."""
    images = np.stack([ndimage.gaussian_filter(image, sigma, mode="nearest") for image in images])
    n, side, _ = images.shape
    for _ in range(rounds):
        for row in range(side - reach, reach, -1):
            for column in range(side - reach, reach, -1):
                down, right = random.integers(-reach, reach, (2, n))
                images[:, row, column] = images[np.arange(n), row + down, column + right]
    return np.stack([ndimage.gaussian_filter(image, sigma, mode="nearest") for image in images])


@pytest.mark.parametrize(
    ("side", "severity", "sigma", "reach", "rounds"),
    [(32, 1, 0.05, 1, 1), (32, 3, 0.4, 1, 1), (32, 5, 0.4, 1, 2), (64, 4, 0.7, 2, 1)],
)
def test_glass_blur_is_as_strong_as_the_published_procedure(side, severity, sigma, reach, rounds):
    images = random_images(100, 1, side)
    changed = corrupt(images, "glass_blur", severity, seed=0).double() - images
    planes = images[:, 0].double().numpy()
    expected = glass_blur_by_loop(planes, sigma, reach, rounds, np.random.default_rng(1)) - planes
    assert changed.abs().mean().item() == pytest.approx(np.abs(expected).mean(), rel=0.01)


def test_glass_blur_replaces_fewer_pixels_where_its_reach_is_below_a_pixel():
    images = torch.arange(64, dtype=torch.uint8).reshape(1, 1, 8, 8).expand(300, 1, 8, 8)
    moved = corrupt(images, "glass_blur", 1, seed=0) != images  # δ = 1 · 8/32 = a quarter
    # One in four takes a neighbour's value, which is itself in one case of four.
    assert moved[:, :, 2:, 2:].double().mean().item() == pytest.approx(0.25 * 0.75, abs=0.015)


def line_blur_by_loop(image, radius, sigma, degrees):
    side = image.shape[0]
    weights = [np.exp(-(i**2) / (2 * sigma**2)) for i in range(2 * int(np.ceil(radius)) + 1)]
    blurred = np.zeros_like(image)
    for row in range(side):
        for column in range(side):
            for i, weight in enumerate(weights):
                y = row + round(i * np.sin(np.radians(degrees)))
                x = column + round(i * np.cos(np.radians(degrees)))
                y, x = min(max(y, 0), side - 1), min(max(x, 0), side - 1)
                blurred[row, column] += weight * image[y, x] / sum(weights)
    return blurred


def test_line_blur_is_the_sum_along_the_line_of_each_image():
    images = np.random.default_rng(0).random((3, 1, 12, 12))
    degrees = np.array([0.0, 33.0, -100.0])
    blurred = line_blur(images, 3, 1.5, degrees)
    for image, result, angle in zip(images, blurred, degrees, strict=True):
        assert np.allclose(result[0], line_blur_by_loop(image[0], 3, 1.5, angle))


def test_motion_blur_streaks_more_across_than_up():
    images = constant_images(0, n=50, channels=1)
    images[:, :, 16, 16] = 255
    streaks = corrupt(images, "motion_blur", 5, seed=0)[:, 0].double().sum(0)
    columns, rows = streaks.sum(0), streaks.sum(1)
    assert (columns > 0).sum() > 5
    # Angles within ±45°: never steeper than the diagonal.
    offsets = torch.nonzero(streaks) - 16
    assert (offsets[:, 0].abs() <= offsets[:, 1].abs() + 1).all()
    assert rows[17:].sum() > 0
    assert rows[:16].sum() > 0


def zoomed(image, factor):
    """An enlargement as in the published sets, by whole pixels; image [side, side]."""
    side = len(image)
    crop = int(np.ceil(side / factor))
    top = (side - crop) // 2
    large = ndimage.zoom(image[top : top + crop, top : top + crop], factor, order=1)
    left = (len(large) - side) // 2
    return large[left : left + side, left : left + side]


@pytest.mark.parametrize("side", [32, 64])
@pytest.mark.parametrize(
    ("severity", "end", "count"),
    # Rounding lets the ends 1.06 and 1.11 in, and leaves the others out.
    [(1, 1.06, 7), (2, 1.11, 12), (3, 1.16, 16), (4, 1.21, 21), (5, 1.26, 26)],
)
def test_zoom_blur_is_the_mean_over_the_image_and_its_zooms(side, severity, end, count):
    images, zooms = smooth_images(2, 1, side), np.arange(1, end, 0.01)
    assert len(zooms) == count
    result = corrupt(images, "zoom_blur", severity, seed=0)
    for image, blurred in zip(images[:, 0].double().numpy(), result, strict=True):
        expected = (image + sum(zoomed(image, zoom) for zoom in zooms)) / (count + 1)
        assert np.abs(blurred[0].double().numpy() - expected).max() <= 0.5 + 1e-6


def test_zooms_of_larger_images_are_the_same_part_of_them():
    ramp = torch.arange(0, 256, 2, dtype=torch.uint8).expand(1, 1, 128, 128)
    small = ramp.double().unflatten(2, (32, 4)).unflatten(4, (32, 4)).mean((3, 5))
    large = corrupt(ramp, "zoom_blur", 5, seed=0).double()
    found = large.unflatten(2, (32, 4)).unflatten(4, (32, 4)).mean((3, 5))
    expected = corrupt(small.round().byte(), "zoom_blur", 5, seed=0).double()
    inside = (..., slice(2, -2), slice(2, -2))
    assert (found - expected)[inside].abs().max() < 1.5
    assert (small - expected)[inside].abs().max() > 5


# --- weather ---------------------------------------------------------------------------------


def plasma_by_loop(noise, decay):
    """Midpoint displacement point by point; noise[y, x] is each point's displacement."""
    side = len(noise)
    height = np.full((side, side), np.nan)
    height[0, 0] = 0
    step, amplitude = side, 1.0
    while step > 1:
        half = step // 2
        for y in range(half, side, step):
            for x in range(half, side, step):
                around = [(y - half, x - half), (y - half, x + half)]
                around += [(y + half, x - half), (y + half, x + half)]
                mean = sum(height[a % side, b % side] for a, b in around) / 4
                height[y, x] = mean + amplitude * noise[y, x]
        for y in range(0, side, half):
            for x in range(0, side, half):
                if (y // half + x // half) % 2 == 1:
                    around = [(y - half, x), (y + half, x), (y, x - half), (y, x + half)]
                    mean = sum(height[a % side, b % side] for a, b in around) / 4
                    height[y, x] = mean + amplitude * noise[y, x]
        step, amplitude = half, amplitude / decay**2
    height -= height.min()
    return height / height.max()


def test_plasma_is_midpoint_displacement_on_a_torus():
    clouds = plasma(3, 16, 1.5, np.random.default_rng(5))
    noise = np.random.default_rng(5).uniform(-1, 1, (3, 16, 16))
    for cloud, displacement in zip(clouds, noise, strict=True):
        assert np.allclose(cloud, plasma_by_loop(displacement, 1.5))


@pytest.mark.parametrize(("severity", "amount"), [(1, 0.2), (5, 1.5)])
def test_fog_on_a_constant_image_spans_the_range_of_its_formula(severity, amount):
    value = 0.4 * 255
    foggy = corrupt(constant_images(round(value)), "fog", severity, seed=0)
    low, high = 0.4 * 0.4 / (0.4 + amount), 0.4  # plasma 0 and 1
    assert foggy.amin((1, 2, 3)).double().sub(low * 255).abs().max() <= 0.5 + 1e-6
    assert foggy.amax((1, 2, 3)).double().sub(high * 255).abs().max() <= 0.5 + 1e-6


@pytest.mark.parametrize(("severity", "keep", "amount"), [(1, 1.0, 0.2), (5, 0.75, 0.45)])
def test_frost_lies_between_the_darkened_image_and_that_with_white_frost(severity, keep, amount):
    frosty = corrupt(constant_images(100), "frost", severity, seed=0).double()
    assert frosty.min() >= keep * 100 - 0.5
    assert frosty.max() <= keep * 100 + amount * 255 + 0.5
    red, green, blue = (frosty[:, channel].mean() for channel in range(3))
    assert red < green < blue
    assert frosty.std((2, 3)).mean() > 5


def test_snow_without_flakes_is_the_mixture_with_brightened_grey():
    images = random_images(4, 3, 32)
    x = images.double().numpy() / 255
    # A threshold that no flake reaches leaves the mixture alone.
    strength = (0.1, 0.2, 1, 99.0, 8, 3, 0.8)
    result = FUNCTIONS["snow"](x, strength, 32, np.random.default_rng(0))
    grey = 0.299 * x[:, 0] + 0.587 * x[:, 1] + 0.114 * x[:, 2]
    expected = 0.8 * x + 0.2 * np.maximum(x, 1.5 * grey[:, None] + 0.5)
    assert np.allclose(result, expected)


def test_snow_layer_is_white_and_its_own_half_turn():
    black = np.zeros((6, 3, 32, 32))
    strength = STRENGTHS["snow"][32][2]
    layer = FUNCTIONS["snow"](black, strength, 32, np.random.default_rng(0)) - 0.1 * 0.5
    assert np.allclose(layer[:, 0], layer[:, 2])
    assert np.allclose(layer, layer[:, :, ::-1, ::-1])
    assert layer.min() >= -1e-12
    # Streaks fall: neighbours above each other are more alike than those beside each other.
    assert np.abs(np.diff(layer, axis=2)).mean() < np.abs(np.diff(layer, axis=3)).mean()


def test_water_brightens_and_mud_darkens_a_bright_image():
    images = constant_images(120)
    water = corrupt(images, "spatter", 2, seed=0).double() - 120
    assert water.min() == 0
    added = water.amax((2, 3)).mean(0)
    assert torch.allclose(added, 0.5 * torch.tensor([175.0, 238, 238]).double(), atol=1)
    mud = corrupt(images, "spatter", 5, seed=0)
    assert mud.max() == 120
    # In the middle of a large drop the mud hides the image.
    assert torch.equal(mud.amin((0, 2, 3)), torch.tensor([63, 42, 20], dtype=torch.uint8))


def test_layers_cover_the_same_part_of_small_and_large_images():
    layers = {
        side: corrupt(constant_images(0, n=100, side=side), "snow", 3, 0).double()
        for side in (8, 32, 96)
    }
    means = {side: layer.mean().item() for side, layer in layers.items()}
    assert means[8] == pytest.approx(means[32], rel=0.05)
    assert means[96] == pytest.approx(means[32], rel=0.05)
    # Where layers shrink they are averaged.
    assert layers[8].std() < 0.6 * layers[32].std()
