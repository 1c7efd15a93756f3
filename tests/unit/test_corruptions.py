import colorsys
import io
from itertools import pairwise

import numpy as np
import pytest
import torch
from corruption_cases import constant_images, random_images, smooth_images
from PIL import Image
from scipy import ndimage

from minimascope.data.corruptions.generated import FUNCTIONS, corrupt, note
from minimascope.data.corruptions.severities import SEVERITIES, STRENGTHS
from minimascope.errors import InputError

# What the corruption does grows with the severity except for these: saturate changes direction,
# frost darkens, glass blur alternates its σ, spatter changes its liquid and the affine part of
# elastic transform shrinks.
NOT_MONOTONE = {"saturate", "frost", "glass_blur", "spatter", "elastic_transform"}
WITHOUT_DRAWS = {
    *("gaussian_blur", "defocus_blur", "zoom_blur", "brightness", "contrast", "saturate"),
    *("jpeg_compression", "pixelate"),
}


# --- the public function ---------------------------------------------------------------------


def test_every_name_has_a_function_and_five_strengths_for_both_sides():
    assert FUNCTIONS.keys() == set(STRENGTHS)
    assert len(STRENGTHS) == 19
    for table in STRENGTHS.values():
        assert {side: len(rows) for side, rows in table.items()} == {32: 5, 64: 5}


@pytest.mark.parametrize(("side", "channels"), [(8, 3), (28, 1), (64, 3)])
@pytest.mark.parametrize("name", STRENGTHS)
def test_shape_and_type_are_kept(name, side, channels):
    images = smooth_images(3, channels, side)
    before = images.clone()
    for severity in SEVERITIES:
        corrupted = corrupt(images, name, severity, seed=0)
        assert corrupted.shape == images.shape
        assert corrupted.dtype == torch.uint8
    assert torch.equal(images, before)


@pytest.mark.parametrize("name", STRENGTHS)
def test_result_follows_the_seed_and_not_the_images_that_follow(name):
    images = smooth_images(12, 3, 32)
    whole = corrupt(images, name, 5, seed=3)
    for count in (0, 1, 5, 12):
        assert torch.equal(corrupt(images[:count], name, 5, seed=3), whole[:count])
    other = corrupt(images, name, 5, seed=4)
    assert torch.equal(whole, other) == (name in WITHOUT_DRAWS)


def test_a_batch_longer_than_a_chunk_continues_what_a_short_one_starts():
    images = constant_images(128, n=1370)  # 2²² values are 1365 images
    whole = corrupt(images, "gaussian_noise", 2, seed=0)
    assert torch.equal(whole[:1366], corrupt(images[:1366], "gaussian_noise", 2, seed=0))
    assert not torch.equal(whole[0], whole[1365])


def test_severities_and_names_have_streams_of_their_own():
    grey = constant_images(128)
    noise = [corrupt(grey, "gaussian_noise", severity, 0).float() - 128 for severity in (1, 5)]
    correlation = np.corrcoef(noise[0].flatten(), noise[1].flatten())[0, 1]
    assert abs(correlation) < 0.02


@pytest.mark.parametrize(
    ("images", "name", "severity", "message"),
    [
        (constant_images(0), "gausian_noise", 1, "did you mean 'gaussian_noise'"),
        (constant_images(0), "xyz", 1, "valid: brightness, contrast, defocus_blur"),
        (constant_images(0), "fog", 0, "severity 0: use one of 1, 2, 3, 4, 5"),
        (constant_images(0), "fog", 6, "severity 6"),
        (constant_images(0, side=7), "fog", 1, "7 x 7 px; give square images of at least 8"),
        (constant_images(0)[..., :16], "fog", 1, "32 x 16 px; give square"),
        (constant_images(0, channels=2), "fog", 1, "1 or 3 channels"),
        (constant_images(0)[0], "fog", 1, "give uint8"),
        (constant_images(0).float(), "fog", 1, "give uint8"),
    ],
)
def test_bad_input_is_named_in_one_line(images, name, severity, message):
    with pytest.raises(InputError, match=message) as error:
        corrupt(images, name, severity, seed=0)
    assert "\n" not in str(error.value)


def test_notes_say_what_differs_from_the_published_sets():
    assert "generated" in note("frost", 3, 32)
    assert "1.24" in note("spatter", 3, 32)
    assert "unchanged" in note("saturate", 1, 32)
    assert note("saturate", 3, 32) is None
    assert "8 px" in note("gaussian_blur", 1, 8)
    assert note("gaussian_blur", 1, 32) is None


@pytest.mark.parametrize("name", [name for name in STRENGTHS if name not in NOT_MONOTONE])
def test_change_grows_with_severity(name):
    images = smooth_images(40, 3, 32)
    corrupted = [corrupt(images, name, severity, seed=0).float() for severity in SEVERITIES]
    changes = [(each - images.float()).abs().mean().item() for each in corrupted]
    assert changes[0] > 0
    # Neighbouring severities may be all but equal; the ends never are.
    assert all(later > 0.97 * earlier for earlier, later in pairwise(changes))
    assert changes[-1] > 1.3 * changes[0]


# --- noise -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("side", "deviations"),
    [(32, (0.04, 0.06, 0.08, 0.09, 0.10)), (64, (0.04, 0.08, 0.12, 0.15, 0.18))],
)
def test_gaussian_noise_has_the_deviation_of_the_table(side, deviations):
    # At 0.5 even the largest deviation clips less than one value in a hundred.
    images, rounding = constant_images(128, side=side), 1 / 12
    for severity, sigma in zip(SEVERITIES, deviations, strict=True):
        noisy = corrupt(images, "gaussian_noise", severity, 0).double()
        measured = ((noisy - 128).pow(2).mean() - rounding).sqrt().item() / 255
        assert measured == pytest.approx(sigma, rel=0.02)
        assert noisy.mean().item() == pytest.approx(128, abs=0.5)


@pytest.mark.parametrize(
    ("severity", "photons", "value"), [(1, 500, 60), (1, 500, 128), (3, 100, 128), (5, 50, 60)]
)
def test_shot_noise_variance_is_value_over_photons(severity, photons, value):
    noisy = corrupt(constant_images(value), "shot_noise", severity, 0).double() / 255
    assert noisy.mean().item() == pytest.approx(value / 255, rel=0.01)
    assert noisy.var().item() == pytest.approx(value / 255 / photons, rel=0.03)


@pytest.mark.parametrize(("severity", "amount"), [(1, 0.01), (3, 0.03), (5, 0.07)])
def test_impulse_noise_turns_the_amount_of_values_half_to_salt_half_to_pepper(severity, amount):
    noisy = corrupt(constant_images(100, n=100), "impulse_noise", severity, 0)
    values, counts = noisy.unique(return_counts=True)
    assert values.tolist() == [0, 100, 255]
    shares = counts.double() / noisy.numel()
    tolerance = 4 * (amount / 2 / noisy.numel()) ** 0.5  # four standard errors
    assert shares[0].item() == pytest.approx(amount / 2, abs=tolerance)
    assert shares[2].item() == pytest.approx(amount / 2, abs=tolerance)


def test_speckle_noise_deviation_is_proportional_to_the_value():
    for value in (40, 120):
        noisy = corrupt(constant_images(value), "speckle_noise", 3, 0).double()
        measured = ((noisy - value).pow(2).mean() - 1 / 12).sqrt().item()
        assert measured == pytest.approx(0.12 * value, rel=0.02)
    black = corrupt(constant_images(0), "speckle_noise", 5, 0)
    assert black.max() == 0


# --- colour, coding and geometry -------------------------------------------------------------

PIXELS = [(0, 0, 0), (255, 255, 255), (90, 90, 90), (200, 30, 40), (10, 120, 90), (3, 2, 250)]


def of_pixels(pixels: list[tuple[int, int, int]]) -> torch.Tensor:
    """One constant image a pixel, so that each stands for itself."""
    return torch.tensor(pixels, dtype=torch.uint8)[:, :, None, None].expand(-1, 3, 8, 8)


@pytest.mark.parametrize(
    ("name", "severity", "factor", "rise"),
    [
        ("brightness", 1, 1, 0.05),
        ("brightness", 3, 1, 0.15),
        ("brightness", 5, 1, 0.3),
        ("saturate", 1, 0.3, 0),
        ("saturate", 2, 0.1, 0),
        ("saturate", 3, 1.5, 0),
        ("saturate", 4, 2, 0.1),
        ("saturate", 5, 2.5, 0.2),
    ],
)
def test_brightness_and_saturate_change_one_coordinate_of_colorsys(name, severity, factor, rise):
    results = corrupt(of_pixels(PIXELS), name, severity, seed=0)[:, :, 0, 0]
    changed = 2 if name == "brightness" else 1
    for pixel, result in zip(PIXELS, results.tolist(), strict=True):
        hsv = list(colorsys.rgb_to_hsv(*(part / 255 for part in pixel)))
        hsv[changed] = min(hsv[changed] * factor + rise, 1)
        expected = [255 * part for part in colorsys.hsv_to_rgb(*hsv)]
        assert result == pytest.approx(expected, abs=0.5 + 1e-6)


def test_grey_images_are_brightened_by_the_value_and_not_saturated():
    images = random_images(3, 1, 16)
    brighter = corrupt(images, "brightness", 2, seed=0).double()
    assert (brighter - (images.double() + 25.5).clamp(max=255)).abs().max() <= 0.5
    for severity in SEVERITIES:
        assert torch.equal(corrupt(images, "saturate", severity, seed=0), images)


@pytest.mark.parametrize(
    ("side", "severity", "factor"), [(32, 1, 0.75), (32, 5, 0.15), (64, 5, 0.05)]
)
def test_contrast_shrinks_each_channel_about_its_mean(side, severity, factor):
    images = random_images(3, 3, side)
    results = corrupt(images, "contrast", severity, seed=0).double()
    for image, result in zip(images.double(), results, strict=True):
        for channel in range(3):
            mean = image[channel].mean()
            expected = mean + factor * (image[channel] - mean)
            assert (result[channel] - expected).abs().max() <= 0.5 + 1e-6


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("side", "qualities"), [(32, (80, 40)), (64, (65, 25))])
def test_jpeg_compression_is_pillows_at_the_quality_of_the_table(channels, side, qualities):
    images = smooth_images(4, channels, side)
    for severity, quality in zip((1, 5), qualities, strict=True):
        results = corrupt(images, "jpeg_compression", severity, seed=0)
        for image, result in zip(images, results, strict=True):
            planes = [Image.fromarray(plane) for plane in image.numpy()]
            picture = planes[0] if channels == 1 else Image.merge("RGB", planes)
            file = io.BytesIO()
            picture.save(file, "JPEG", quality=quality)
            expected = np.array(Image.open(file)).reshape(side, side, channels)
            assert np.array_equal(result.permute(1, 2, 0).numpy(), expected)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("side", "severity", "small"), [(8, 5, 5), (32, 1, 30), (32, 5, 20), (64, 3, 44)]
)
def test_pixelate_is_pillows_box_resize_of_each_image(channels, side, severity, small):
    images = random_images(4, channels, side)
    results = corrupt(images, "pixelate", severity, seed=0)
    for image, result in zip(images, results, strict=True):
        for channel, plane in zip(image, result, strict=True):
            picture = Image.fromarray(channel.numpy())
            picture = picture.resize((small, small), Image.Resampling.BOX)
            picture = picture.resize((side, side), Image.Resampling.BOX)
            assert np.array_equal(plane.numpy(), np.array(picture))


@pytest.mark.parametrize("side", [32, 64])
@pytest.mark.parametrize("severity", [1, 3, 5])
def test_elastic_transform_is_an_affine_map_and_a_displacement(side, severity):
    """As in the published sets: control points 10 px (21 of 64) from pixel 16 (32)."""
    images = random_images(3, 1, side)[:, 0].numpy() / 255
    strength = alpha, sigma, corner = STRENGTHS["elastic_transform"][side][severity - 1]
    found = FUNCTIONS["elastic_transform"](
        images[:, None], strength, side, np.random.default_rng(0)
    )
    corners, fields = np.random.default_rng(0).spawn(2)
    shifts = corners.uniform(-corner, corner, (3, 3, 2)) * side
    fields = fields.uniform(-1, 1, (3, 2, side, side))
    low, high = side // 2 - side // 3, side // 2 + side // 3
    assert (low, high) == {32: (6, 26), 64: (11, 53)}[side]
    rows, columns = np.mgrid[:side, :side]
    for image, shift, field, result in zip(images, shifts, fields, found, strict=True):
        points = np.array([[high, high], [high, low], [low, low]], dtype=float)  # x, y
        # x of the source is a + b·x + c·y, so that moved points come from where they were.
        known = np.column_stack([np.ones(3), points + shift])
        (a, d), (b, e), (c, f) = np.linalg.solve(known, points)
        places = [d + e * columns + f * rows, a + b * columns + c * rows]
        mapped = ndimage.map_coordinates(image, places, order=1, mode="mirror")
        right, down = (
            ndimage.gaussian_filter(each, sigma * side, mode="nearest") * alpha * side
            for each in field
        )
        expected = ndimage.map_coordinates(
            mapped, [rows + down, columns + right], order=1, mode="mirror"
        )
        np.testing.assert_allclose(result[0], expected, atol=1e-9)


def test_elastic_transform_without_displacement_is_affine():
    # An affine map takes a linear ramp to a linear ramp: no curvature away from the edges.
    ramp = np.broadcast_to(np.linspace(0.3, 0.7, 64), (10, 1, 64, 64)).copy()
    strength = STRENGTHS["elastic_transform"][64][0]
    result = FUNCTIONS["elastic_transform"](ramp, strength, 64, np.random.default_rng(0))
    inside = result[:, 0, 24:40, 24:40]
    assert np.abs(np.diff(inside, n=2, axis=1)).max() < 1e-9
    assert np.abs(np.diff(inside, n=2, axis=2)).max() < 1e-9
    slopes = np.diff(inside, axis=2)[:, 0, 0] / (0.4 / 63)
    assert slopes.std() > 0.02
    assert slopes.mean() == pytest.approx(1, abs=0.2)


def test_elastic_displacement_has_the_size_of_its_formula():
    # On a ramp the change of the value is the displacement along it.
    ramp = np.broadcast_to(np.arange(64.0), (40, 1, 64, 64)).copy()
    alpha, sigma = 0.1, 0.03
    strength = (alpha, sigma, 0)
    result = FUNCTIONS["elastic_transform"](ramp, strength, 64, np.random.default_rng(0))
    moved = (result - ramp)[:, 0, 16:48, 16:48]
    # White noise of variance 1/3 smoothed by a Gaussian of s px keeps 1/(4πs²) of it.
    expected = alpha * 64 * (1 / 3 / (4 * np.pi * (sigma * 64) ** 2)) ** 0.5
    assert moved.std() == pytest.approx(expected, rel=0.05)
