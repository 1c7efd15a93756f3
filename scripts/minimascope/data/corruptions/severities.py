"""The common corruptions of images (Hendrycks & Dietterich 2019) and their published strengths.

CIFAR-10-C and CIFAR-100-C have 32 px, Tiny-ImageNet-C has 64 px: strengths are by corruption and by
the side they were chosen for. Each row is one severity; what its numbers mean is said where the
corruption is defined. Lengths are in pixels of that side. Nothing heavy is imported here.
"""

SEVERITIES = (1, 2, 3, 4, 5)
# Those that were made for validation; Tiny-ImageNet-C's archive leaves them out.
VALIDATION_ONLY = ("speckle_noise", "gaussian_blur", "spatter", "saturate")
Strength = tuple[float, ...]


def each(*values: float) -> tuple[Strength, ...]:
    """Return rows of one number."""
    return tuple((value,) for value in values)


_ZOOMS = each(1.06, 1.11, 1.16, 1.21, 1.26)

STRENGTHS: dict[str, dict[int, tuple[Strength, ...]]] = {
    "gaussian_noise": {
        32: each(0.04, 0.06, 0.08, 0.09, 0.10),
        64: each(0.04, 0.08, 0.12, 0.15, 0.18),
    },
    "shot_noise": {32: each(500, 250, 100, 75, 50), 64: each(250, 100, 50, 30, 15)},
    "impulse_noise": {
        32: each(0.01, 0.02, 0.03, 0.05, 0.07),
        64: each(0.01, 0.02, 0.05, 0.08, 0.14),
    },
    "speckle_noise": {
        32: each(0.06, 0.10, 0.12, 0.16, 0.20),
        64: each(0.15, 0.20, 0.25, 0.30, 0.35),
    },
    "gaussian_blur": {32: each(0.4, 0.6, 0.7, 0.8, 1.0), 64: each(0.5, 0.75, 1.0, 1.25, 1.5)},
    "glass_blur": {
        32: ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
        64: ((0.1, 1, 1), (0.5, 1, 1), (0.6, 1, 2), (0.7, 2, 1), (0.9, 2, 2)),
    },
    "defocus_blur": {
        32: ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)),
        64: ((0.5, 0.6), (1, 0.1), (1.5, 0.1), (2.5, 0.01), (3, 0.1)),
    },
    "motion_blur": {
        32: ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)),
        64: ((10, 1), (10, 1.5), (10, 2), (10, 2.5), (12, 3)),
    },
    "zoom_blur": {32: _ZOOMS, 64: _ZOOMS},
    "fog": {
        32: ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)),
        64: ((0.4, 3), (0.7, 3), (1, 2.5), (1.5, 2), (2, 1.75)),
    },
    "frost": {
        32: ((1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45)),
        64: ((1, 0.3), (0.9, 0.4), (0.8, 0.45), (0.75, 0.5), (0.7, 0.55)),
    },
    "snow": {
        32: (
            (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
            (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
            (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
            (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
            (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
        ),
        64: (
            (0.1, 0.2, 1, 0.6, 8, 3, 0.8),
            (0.1, 0.2, 1, 0.5, 10, 4, 0.8),
            (0.15, 0.3, 1.75, 0.55, 10, 4, 0.7),
            (0.25, 0.3, 2.25, 0.6, 12, 6, 0.65),
            (0.3, 0.3, 1.25, 0.65, 14, 12, 0.6),
        ),
    },
    # The last number tells the liquid: 0 water, 1 mud.
    "spatter": {
        32: (
            (0.62, 0.1, 0.7, 0.7, 0.5, 0),
            (0.65, 0.1, 0.8, 0.7, 0.5, 0),
            (0.65, 0.3, 1, 0.69, 0.5, 0),
            (0.65, 0.1, 0.7, 0.69, 0.6, 1),
            (0.65, 0.1, 0.5, 0.68, 0.6, 1),
        ),
        64: (
            (0.62, 0.1, 0.7, 0.7, 0.6, 0),
            (0.65, 0.1, 0.8, 0.7, 0.6, 0),
            (0.65, 0.3, 1, 0.69, 0.6, 0),
            (0.65, 0.1, 0.7, 0.68, 0.6, 1),
            (0.65, 0.1, 0.5, 0.67, 0.6, 1),
        ),
    },
    "brightness": {32: each(0.05, 0.1, 0.15, 0.2, 0.3), 64: each(0.1, 0.2, 0.3, 0.4, 0.5)},
    "contrast": {32: each(0.75, 0.5, 0.4, 0.3, 0.15), 64: each(0.4, 0.3, 0.2, 0.1, 0.05)},
    "saturate": {
        32: ((0.3, 0), (0.1, 0), (1.5, 0), (2, 0.1), (2.5, 0.2)),
        64: ((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (30, 0.2)),
    },
    "jpeg_compression": {32: each(80, 65, 58, 50, 40), 64: each(65, 58, 50, 40, 25)},
    "pixelate": {32: each(0.95, 0.9, 0.85, 0.75, 0.65), 64: each(0.9, 0.8, 0.7, 0.6, 0.5)},
    "elastic_transform": {
        32: (
            (0, 0, 0.08),
            (0.05, 0.2, 0.07),
            (0.08, 0.06, 0.06),
            (0.1, 0.04, 0.05),
            (0.1, 0.03, 0.03),
        ),
        64: (
            (0, 0, 0.08),
            (0.05, 0.3, 0.06),
            (0.1, 0.08, 0.06),
            (0.1, 0.03, 0.03),
            (0.16, 0.03, 0.02),
        ),
    },
}
# Corruptions of a kind are made together, in one job.
KINDS = {
    "noise": ("gaussian_noise", "shot_noise", "impulse_noise", "speckle_noise"),
    "blur": ("gaussian_blur", "glass_blur", "defocus_blur", "motion_blur", "zoom_blur"),
    "weather": ("fog", "frost", "snow", "spatter"),
    "digital": (
        *("brightness", "contrast", "saturate"),
        *("jpeg_compression", "pixelate", "elastic_transform"),
    ),
}
