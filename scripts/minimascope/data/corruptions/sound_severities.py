"""Corruptions of recordings and their strengths; docs/audio.md says why these.

Each row is one severity; what its numbers mean is said where the corruption is defined. Nothing
heavy is imported here.
"""

from .severities import Strength, each

# In dB, those of Aurora-2's test sets (Hirsch & Pearce 2000) that are not below zero.
_RATIOS = each(20, 15, 10, 5, 0)

STRENGTHS: dict[str, tuple[Strength, ...]] = {
    "white_noise": _RATIOS,
    "pink_noise": _RATIOS,
    "gain": each(6, 12, 18, 24, 30),
    "low_pass": each(3 / 4, 1 / 2, 3 / 8, 1 / 4, 1 / 8),
    "reverberation": each(0.25, 0.5, 1, 2, 4),
    "dropped_frames": each(0.05, 0.1, 0.2, 0.3, 0.4),
    "resampling": each(15 / 16, 7 / 8, 3 / 4, 5 / 8, 1 / 2),
}
# Corruptions of a kind are made together, in one job.
KINDS = {
    "background": ("white_noise", "pink_noise"),
    "channel": ("gain", "low_pass", "reverberation"),
    "transmission": ("dropped_frames", "resampling"),
}
