"""The nine devices of DCASE2020 Task 1A, modelled.

As there, ``a`` is the recorder of reference, ``b`` and ``c`` are other real devices, and ``s1`` to
``s6`` are simulated from what ``a`` recorded: an impulse response, then dynamic range compression
(T. Heittola, A. Mesaros and T. Virtanen, "Acoustic scene classification in DCASE 2020 Challenge:
generalization across devices and low complexity solutions", 2020). The responses are our own.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.random import Generator
from scipy import signal

from .signals import SAMPLE_RATE, gain

REFERENCE = "a"
SIMULATED = ("s1", "s2", "s3", "s4", "s5", "s6")
# The linear-phase design is long enough for slopes at 80 Hz; with minimum phase its energy comes
# first, so that the rest can go.
_DESIGN_TAPS = 4095
_TAPS = 1024
_DESIGN_GRID = 2**14 + 1
_PHASE_GRID = 2**16
_QUIETEST = 1e-14


@dataclass(frozen=True)
class Device:
    """How a device changes what it hears.

    Attributes:
        response: magnitude as (Hz, dB), straight lines over log-frequency, constant outside.
        threshold: RMS level in dBFS above which it compresses.
        ratio: dB at its input for one dB at its output above the threshold; 1 does nothing.
        attack: time constant in s with which the compressor follows a rising level.
        release: time constant in s with which it follows a falling level.
        noise: RMS of its own noise in dBFS; None adds none.
    """

    response: tuple[tuple[float, float], ...]
    threshold: float = 0.0
    ratio: float = 1.0
    attack: float = 0.005
    release: float = 0.1
    noise: float | None = None


# s4, s5 and s6 hear narrower bands than the others, each around a resonance of its own.
DEVICES = {
    "a": Device(((1000, 0),), noise=-85),
    "b": Device(((60, -8), (200, 0), (1500, 0), (3500, 3), (8000, -2), (14000, -10)), noise=-70),
    "c": Device(((60, -4), (150, 1), (800, 0), (2500, -2), (6000, 1), (12000, -6)), noise=-74),
    "s1": Device(((60, -9), (250, 0), (2000, 3), (6000, -1), (12000, -6)), -40, 2.0),
    "s2": Device(((60, -5), (400, -2), (1200, -1), (4000, 4), (9000, -6)), -38, 1.5),
    "s3": Device(((80, -10), (500, 1), (900, 3), (3000, -2), (12000, -8)), -42, 2.5),
    "s4": Device(((80, -14), (250, -5), (700, 0), (1500, 4), (3000, -2), (7000, -8)), -42, 2.5),
    "s5": Device(((80, -6), (350, 4), (900, -1), (2500, -4), (7000, -9)), -40, 3.0),
    "s6": Device(((80, -14), (300, -7), (1000, -2), (3200, 5), (5000, 0), (9000, -8)), -44, 3.0),
}  # fmt: skip


@cache
def impulse_response(name: str) -> np.ndarray:
    """Return a device's minimum-phase impulse response [taps]."""
    frequency, level = np.transpose(DEVICES[name].response)
    grid = np.linspace(0, SAMPLE_RATE / 2, _DESIGN_GRID)
    magnitude = gain(np.interp(np.log(np.maximum(grid, 1)), np.log(frequency), level))
    linear = signal.firwin2(_DESIGN_TAPS, grid, magnitude, nfreqs=_DESIGN_GRID, fs=SAMPLE_RATE)
    return signal.minimum_phase(linear, half=False, n_fft=_PHASE_GRID)[:_TAPS]


def record(scene: np.ndarray, name: str, rng: Generator) -> np.ndarray:
    """Return what a device makes of a sound [n]: response, compression and noise of its own."""
    device = DEVICES[name]
    heard = signal.oaconvolve(scene, impulse_response(name))[: len(scene)]
    heard = compress(heard, device)
    if device.noise is None:
        return heard
    return heard + gain(device.noise) * rng.standard_normal(len(heard))


def compress(heard: np.ndarray, device: Device) -> np.ndarray:
    """Return a sound [n] with its dynamic range compressed.

    A level L above the threshold T becomes T + (L − T) / ratio. L is the greater of two running
    means of the power: one as short as the attack is the first to rise, one as long as the
    release the last to fall. Both start at the clip's mean, as if the sound had gone on before.
    """
    if device.ratio == 1:
        return heard
    power = heard**2
    level = np.maximum(_mean(power, device.attack), _mean(power, device.release))
    excess = 10 * np.log10(np.maximum(level, _QUIETEST)) - device.threshold
    return heard * gain(np.maximum(excess, 0) * (1 / device.ratio - 1))


def _mean(power: np.ndarray, seconds: float) -> np.ndarray:
    """Return the exponentially weighted running mean with a time constant."""
    keep = np.exp(-1 / (seconds * SAMPLE_RATE))
    return signal.lfilter([1 - keep], [1, -keep], power, zi=[keep * power.mean()])[0]
