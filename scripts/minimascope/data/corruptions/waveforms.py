"""Corruptions of sounds: float64 [samples] in and out, full scale 1.

All take the sound, the strength of one severity, the sample rate in Hz, the highest frequency in
Hz that networks hear, and a generator.
"""

from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from scipy import fft, signal

from .severities import Strength
from .sound_severities import STRENGTHS

# Hearing, and pink noise, begin here.
LOWEST_HZ = 20.0
# Of the low-pass: its slope is 6 dB per octave times this.
ORDER = 4
# The reverberation has as much energy as the direct sound.
DIRECT_TO_REVERBERANT_DB = 0.0
# What a packet of internet telephony holds by default (RFC 3551).
FRAME_SECONDS = 0.02


def white_noise(
    sound: np.ndarray, strength: Strength, rate: int, band: float, rng: Generator
) -> np.ndarray:
    """Return the sound with white Gaussian noise; strength (signal-to-noise ratio in dB,)."""
    return _with_noise(sound, rng.standard_normal(len(sound)), *strength)


def pink_noise(
    sound: np.ndarray, strength: Strength, rate: int, band: float, rng: Generator
) -> np.ndarray:
    """Return the sound with noise of equal power per octave from 20 Hz; strength as white's."""
    n = len(sound)
    spectrum = fft.rfft(rng.standard_normal(n))
    hertz = fft.rfftfreq(n, 1 / rate)
    heard = hertz >= LOWEST_HZ
    spectrum[heard] /= np.sqrt(hertz[heard])
    spectrum[~heard] = 0
    return _with_noise(sound, fft.irfft(spectrum, n), *strength)


def _with_noise(sound: np.ndarray, noise: np.ndarray, ratio: float) -> np.ndarray:
    """Return sound + noise, where the variance of the sound is ``ratio`` dB above the noise's."""
    noise = noise - noise.mean()
    return sound + noise * (sound.std() / noise.std()) * 10 ** (-ratio / 20)


def gain(
    sound: np.ndarray, strength: Strength, rate: int, band: float, rng: Generator
) -> np.ndarray:
    """Return the sound louder or quieter, at even odds, cut off at full scale; strength (dB,)."""
    (decibels,) = strength
    if rng.random() < 0.5:
        return sound * 10 ** (-decibels / 20)
    return np.clip(sound * 10 ** (decibels / 20), -1, 1)


def low_pass(
    sound: np.ndarray, strength: Strength, rate: int, band: float, rng: Generator
) -> np.ndarray:
    """Return the sound behind a Butterworth low-pass of fourth order; strength (share of band,).

    At the share of the band it lets half of the power through, an octave above a 256th.
    """
    (share,) = strength
    return signal.sosfilt(signal.butter(ORDER, share * band, fs=rate, output="sos"), sound)


def reverberation(
    sound: np.ndarray, strength: Strength, rate: int, band: float, rng: Generator
) -> np.ndarray:
    """Return the sound in a room, as loud as before; strength (reverberation time in s,).

    See `room_response`. What the room would still hold of sounds before the first one is missing.
    """
    (seconds,) = strength
    response = room_response(seconds, rate, rng)
    heard = signal.oaconvolve(sound, response)[: len(sound)]
    return heard * (sound.std() / heard.std())


def room_response(seconds: float, rate: int, rng: Generator) -> np.ndarray:
    """Return the impulse response [samples] of a room with a reverberation time.

    The direct sound, then Gaussian noise whose energy falls by 60 dB in that time (Polack's model
    of late reverberation, 1988; RT60), and which holds as much energy as the direct sound.
    """
    n = round(seconds * rate)
    tail = rng.standard_normal(n) * 10 ** (-3 * np.arange(n) / n)
    tail *= 10 ** (-DIRECT_TO_REVERBERANT_DB / 20) / np.linalg.norm(tail)
    return np.concatenate([[1.0], tail])


def dropped_frames(
    sound: np.ndarray, strength: Strength, rate: int, band: float, rng: Generator
) -> np.ndarray:
    """Return the sound with silence in some frames of 20 ms; strength (share of the frames,)."""
    (share,) = strength
    length = round(FRAME_SECONDS * rate)
    frames = -(-len(sound) // length)
    lost = np.zeros(frames, dtype=bool)
    lost[rng.permutation(frames)[: round(share * frames)]] = True
    return np.where(np.repeat(lost, length)[: len(sound)], 0.0, sound)


def resampling(
    sound: np.ndarray, strength: Strength, rate: int, band: float, rng: Generator
) -> np.ndarray:
    """Return the sound as it is after a lower sample rate; strength (share of band,).

    That rate is twice the share of the band, to a whole number of samples; the rest of the band is
    lost. By Fourier's method, which takes the sound as going round.
    """
    (share,) = strength
    few = signal.resample(sound, round(len(sound) * 2 * share * band / rate))
    return signal.resample(few, len(sound))


FUNCTIONS: dict[str, Callable[..., np.ndarray]] = {name: globals()[name] for name in STRENGTHS}
