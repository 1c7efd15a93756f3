"""Settings of log-mel features; no torch is imported here, so that they are checked at once."""

import math
from dataclasses import dataclass

from ..errors import InputError

# Slaney's mel scale (Auditory Toolbox, 1998): linear below 1000 Hz, logarithmic above.
LINEAR_HZ = 200 / 3
BREAK_HZ, BREAK_MEL = 1000.0, 15.0
LOG_STEP = math.log(6.4) / 27


@dataclass(frozen=True)
class LogMel:
    """How log-mels are computed.

    Attributes:
        sample_rate: in Hz, to which recordings are resampled.
        mels: number of mel bands.
        n_fft: length of the window, in samples.
        hop_length: samples from one frame to the next.
        f_min: lower edge of the lowest band, in Hz.
        f_max: upper edge of the highest band, in Hz.

    Raises:
        InputError: the settings contradict each other; names one to change.
    """

    sample_rate: int = 16000
    mels: int = 64
    n_fft: int = 512
    hop_length: int = 160
    f_min: float = 50.0
    f_max: float = 8000.0

    def __post_init__(self):
        if not 0 <= self.f_min < self.f_max <= self.sample_rate / 2:
            raise InputError(
                f"f_max: bands from f_min {self.f_min} to f_max {self.f_max} Hz must lie between 0"
                f" and half the sample_rate, {self.sample_rate / 2} Hz"
            )
        if not 1 <= self.hop_length <= self.n_fft:
            raise InputError(
                f"hop_length: {self.hop_length} is not between 1 and n_fft {self.n_fft}, so frames"
                " would leave samples out"
            )
        edges = self._edges()
        for band, (low, high) in enumerate(zip(edges, edges[2:], strict=False), start=1):
            if not self._bin_between(low, high):
                raise InputError(
                    f"mels: band {band} of {self.mels}, {low:.0f} to {high:.0f} Hz, lies between"
                    f" two frequencies of n_fft {self.n_fft}; take fewer mels or a larger n_fft"
                )

    def frames(self, samples: int) -> int:
        """Return the number of frames of a number of samples at ``sample_rate``."""
        return 1 + samples // self.hop_length

    def _edges(self) -> list[float]:
        """Return the frequencies in Hz where bands begin, peak and end: mels + 2 of them."""
        low, high = _mel(self.f_min), _mel(self.f_max)
        return [_hertz(low + (high - low) * i / (self.mels + 1)) for i in range(self.mels + 2)]

    def _bin_between(self, low: float, high: float) -> bool:
        spacing = self.sample_rate / self.n_fft
        return (math.floor(low / spacing) + 1) * spacing < high


def _mel(hertz: float) -> float:
    if hertz < BREAK_HZ:
        return hertz / LINEAR_HZ
    return BREAK_MEL + math.log(hertz / BREAK_HZ) / LOG_STEP


def _hertz(mel: float) -> float:
    return mel * LINEAR_HZ if mel < BREAK_MEL else BREAK_HZ * math.exp((mel - BREAK_MEL) * LOG_STEP)
