"""Building blocks of sound: float64 signals [n] at 44.1 kHz, drawn from explicit generators.

Continuous signals (noise, tones, voices) have an RMS of about 1, single events a peak of about 1,
so that levels in decibels say how loud they are in a mix.
"""

import numpy as np
from numpy.random import Generator
from scipy import fft, signal

SAMPLE_RATE = 44_100

_TABLE_SIZE = 2**15
# A factor of two in amplitude, in dB.
_OCTAVE = 20 * np.log10(2)
# First two formants in Hz of a, e, i, o, u, rounded averages of adult voices; the third is
# nearly the same for all.
_FORMANTS = np.array([(750, 1250), (530, 1800), (290, 2250), (500, 920), (320, 800)])
_THIRD_FORMANT = 2600
_SYLLABLES_PER_SECOND = 4.5


def gain(decibels: float | np.ndarray) -> float | np.ndarray:
    """Return the amplitude factor of a level in dB."""
    return 10 ** (np.asarray(decibels) / 20)


def noise(rng: Generator, n: int, low: float, high: float, tilt: float = 0.0) -> np.ndarray:
    """Return Gaussian noise with an RMS of 1 between two corner frequencies.

    Args:
        rng: generator.
        n: samples.
        low: corner in Hz below which the level falls by 12 dB per octave.
        high: corner in Hz above which it falls by 12 dB per octave.
        tilt: slope in between, dB per octave (−3 is pink, −6 brown).
    """
    size = fft.next_fast_len(n, real=True)
    frequency = fft.rfftfreq(size, 1 / SAMPLE_RATE)[1:]
    edges = np.square(np.square(low / frequency)) + np.square(np.square(frequency / high))
    amplitude = (frequency / low) ** (tilt / _OCTAVE) / np.sqrt(1 + edges)
    spectrum = np.zeros(len(frequency) + 1, complex)
    spectrum[1:] = rng.standard_normal((len(frequency), 2)).view(complex)[:, 0] * amplitude
    samples = fft.irfft(spectrum, size)[:n]
    return samples / np.sqrt(np.mean(samples**2))


def wander(rng: Generator, n: int, rate: float) -> np.ndarray:
    """Return a slow random curve: normal values, ``rate`` per second, joined by lines."""
    knots = int(np.ceil(n / SAMPLE_RATE * rate)) + 2
    at = rng.uniform() + np.arange(n) * (rate / SAMPLE_RATE)
    return np.interp(at, np.arange(knots), rng.standard_normal(knots))


def timbre(rng: Generator, amplitudes: np.ndarray) -> np.ndarray:
    """Return one period of a tone with an RMS of 1; amplitudes [harmonics], random phases."""
    spectrum = np.zeros(_TABLE_SIZE // 2 + 1, complex)
    phases = rng.uniform(0, 2 * np.pi, len(amplitudes))
    spectrum[1 : len(amplitudes) + 1] = amplitudes * np.exp(1j * phases)
    period = fft.irfft(spectrum)
    return period / np.sqrt(np.mean(period**2))


def turns(frequency: float | np.ndarray, n: int) -> np.ndarray:
    """Return the phase in turns [n] of an oscillation; frequency in Hz, constant or [n]."""
    return np.cumsum(np.broadcast_to(frequency, n)) / SAMPLE_RATE


def tone(period: np.ndarray, phase: np.ndarray) -> np.ndarray:
    """Return the tone whose period is `timbre`'s along a phase in turns [n]."""
    return period[(phase * _TABLE_SIZE).astype(np.int64) % _TABLE_SIZE]


def machine(
    rng: Generator, frequency: float | np.ndarray, n: int, harmonics: int, slope: float
) -> np.ndarray:
    """Return a motor's tone: harmonics of a frequency in Hz, ``slope`` dB per octave, uneven."""
    order = np.arange(1, harmonics + 1)
    levels = slope * np.log2(order) + rng.normal(0, 4, harmonics)
    return tone(timbre(rng, gain(levels)), rng.uniform() + turns(frequency, n))


def random_times(rng: Generator, n: int, rate: float) -> np.ndarray:
    """Return the samples at which independent events begin, ``rate`` per second on average."""
    return rng.integers(0, n, rng.poisson(rate * n / SAMPLE_RATE))


def regular_times(rng: Generator, n: int, period: float, jitter: float) -> np.ndarray:
    """Return the samples of steps that are ``period`` s apart, each displaced by N(0, jitter²)."""
    steps = np.arange(rng.uniform(), n / SAMPLE_RATE / period)
    times = (steps * period + rng.normal(0, jitter, len(steps))) * SAMPLE_RATE
    return times[(times >= 0) & (times < n)].astype(np.int64)


def place_events(rng: Generator, n: int, times: np.ndarray, event: np.ndarray) -> np.ndarray:
    """Return a signal [n] with an event at all times, levels scattered by 3 dB."""
    track = np.zeros(n + len(event))
    for time, weight in zip(times, gain(rng.normal(0, 3, len(times))), strict=True):
        track[time : time + len(event)] += weight * event
    return track[:n]


def fading(seconds: float) -> np.ndarray:
    """Return exp(−t / seconds) until it is below −43 dB."""
    n = int(5 * seconds * SAMPLE_RATE)
    return np.exp(-np.arange(n) / (seconds * SAMPLE_RATE))


def impact(rng: Generator, seconds: float, low: float, high: float) -> np.ndarray:
    """Return the sound of a knock: a band of noise that dies away with a time constant."""
    envelope = fading(seconds)
    return noise(rng, len(envelope), low, high) * envelope / 2


def chime(pitches: list[float], spacing: float, seconds: float) -> np.ndarray:
    """Return tones with two partials, one after the other; pitches in Hz, times in s."""
    ring = fading(seconds)
    gap = int(spacing * SAMPLE_RATE)
    track = np.zeros(gap * (len(pitches) - 1) + len(ring))
    for i, pitch in enumerate(pitches):
        phase = 2 * np.pi * turns(pitch, len(ring))
        track[i * gap : i * gap + len(ring)] += (np.sin(phase) + 0.3 * np.sin(3 * phase)) * ring
    return track / 1.3


def beeps(pitch: float, rate: float, count: int) -> np.ndarray:
    """Return ``count`` beeps, ``rate`` per second, each half a period long; pitch in Hz."""
    n = int(count / rate * SAMPLE_RATE)
    phase = turns(pitch, n)
    keyed = (turns(rate, n) % 1) < 0.5
    return np.tanh(3 * np.sin(2 * np.pi * phase)) * keyed


def song(rng: Generator, low: float, high: float) -> np.ndarray:
    """Return a bird's phrase: 2–6 equal notes that sweep between two frequencies in Hz."""
    note = int(rng.uniform(0.05, 0.12) * SAMPLE_RATE)
    way = np.linspace(0, 1, note)
    if rng.uniform() < 0.5:
        way = way[::-1]
    sweep = low * (high / low) ** (way + 0.1 * np.sin(2 * np.pi * rng.integers(1, 5) * way))
    call = np.sin(2 * np.pi * turns(sweep, note)) * np.hanning(note)
    pause = np.zeros(int(rng.uniform(0.1, 0.8) * note))
    return np.tile(np.concatenate([call, pause]), rng.integers(2, 7))


def voice(rng: Generator, n: int) -> np.ndarray:
    """Return someone who talks: vowels of random pitch and loudness, a new one per syllable."""
    pitch = rng.choice([115, 205]) * 2 ** rng.normal(0, 0.2)
    harmonics = np.arange(1, int(5000 / pitch) + 1)
    vowels = [timbre(rng, _vowel(pitch * harmonics, *pair)) for pair in _FORMANTS]
    melody = pitch * 2 ** (0.15 * wander(rng, n, _SYLLABLES_PER_SECOND))
    beat = rng.uniform() + turns(_SYLLABLES_PER_SECOND * rng.uniform(0.8, 1.2), n)
    syllable = beat.astype(np.int64)
    count = syllable[-1] + 1
    loudness = gain(rng.normal(0, 5, count)) * (rng.uniform(size=count) < 0.8)
    vowel = rng.integers(0, len(vowels), count)
    column = (turns(melody, n) * _TABLE_SIZE).astype(np.int64) % _TABLE_SIZE
    sound = np.stack(vowels)[vowel[syllable], column]
    return sound * loudness[syllable] * np.sin(np.pi * (beat - syllable))


def _vowel(frequency: np.ndarray, first: float, second: float) -> np.ndarray:
    """Return amplitudes of harmonics with resonances at three formants and a glottal slope."""
    resonances = [
        weight / (1 + ((frequency - formant) / (0.08 * formant + 30)) ** 2)
        for weight, formant in ((1.0, first), (0.6, second), (0.3, _THIRD_FORMANT))
    ]
    return np.sum(resonances, axis=0) + 0.01


def babble(rng: Generator, n: int, voices: int) -> np.ndarray:
    """Return a crowd: noise with the spectrum of speech, less steady the fewer the voices."""
    swell = gain(12 / np.sqrt(voices) * wander(rng, n, _SYLLABLES_PER_SECOND))
    crowd = noise(rng, n, 180, 650, tilt=-1) + gain(-12) * noise(rng, n, 1200, 3200)
    return crowd * swell / np.sqrt(np.mean(swell**2))


def reverberate(rng: Generator, dry: np.ndarray, seconds: float, level: float) -> np.ndarray:
    """Return a sound with the echo of a hall added.

    Args:
        rng: draws the hall: noise that falls by 60 dB in ``seconds``, weaker at high frequencies.
        dry: [n].
        seconds: reverberation time.
        level: of the echo against the dry sound, in dB.
    """
    tail = fading(seconds / np.log(1000))[: len(dry)]
    hall = noise(rng, len(tail), 150, 2500) * tail
    hall *= gain(level) / np.sqrt(np.sum(hall**2))
    return dry + signal.oaconvolve(dry, hall)[: len(dry)]


def pass_by(rng: Generator, n: int, seconds: float) -> np.ndarray:
    """Return the level curve of something driving by once: 1 when nearest, 1/2 at ±seconds."""
    time = np.arange(n) / SAMPLE_RATE
    nearest = rng.uniform(-0.3, 1.3) * n / SAMPLE_RATE
    return 1 / np.hypot(1, np.sqrt(3) * (time - nearest) / seconds)
