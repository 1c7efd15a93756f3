"""Names of the common corruptions, for checks that should import nothing heavy."""

CORRUPTIONS: tuple[str, ...] = (
    "gaussian_noise",
    "shot_noise",
    "impulse_noise",
    "speckle_noise",
    "gaussian_blur",
    "glass_blur",
    "defocus_blur",
    "motion_blur",
    "zoom_blur",
    "fog",
    "frost",
    "snow",
    "spatter",
    "brightness",
    "contrast",
    "saturate",
    "jpeg_compression",
    "pixelate",
    "elastic_transform",
)
SEVERITIES: tuple[int, ...] = (1, 2, 3, 4, 5)
# Those that were made for validation; Tiny-ImageNet-C's archive leaves them out.
VALIDATION_ONLY: tuple[str, ...] = ("speckle_noise", "gaussian_blur", "spatter", "saturate")
