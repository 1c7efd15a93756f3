"""Synthetic devices: what they do to a sound is what their table says."""

import math

import numpy as np
import pytest
import soundfile
from scipy import signal

from minimascope.data.scenes import write_scenes
from minimascope.data.scenes.devices import DEVICES, compress, impulse_response, record
from minimascope.data.scenes.layout import folds
from minimascope.data.scenes.scenes import HEADROOM
from minimascope.data.scenes.signals import SAMPLE_RATE

UNSEEN = ("s4", "s5", "s6")
SIMULATED = ("s1", "s2", "s3", *UNSEEN)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def decibels(power: float | np.ndarray) -> float | np.ndarray:
    return 10 * np.log10(power)


def designed(name: str, frequency: float | np.ndarray) -> float | np.ndarray:
    """The device's response in dB as its table says."""
    points = np.array(DEVICES[name].response)
    return np.interp(np.log(frequency), np.log(points[:, 0]), points[:, 1])


def sine(level: float, seconds: float = 0.5, frequency: float = 1000) -> np.ndarray:
    """A sine with an RMS of ``level`` dBFS."""
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return math.sqrt(2) * 10 ** (level / 20) * np.sin(2 * np.pi * frequency * time)


def looped_compressor(samples: np.ndarray, name: str) -> np.ndarray:
    """The compressor, sample by sample."""
    device = DEVICES[name]
    means = [sum(x * x for x in samples) / len(samples)] * 2
    # Quick to attack, 5 ms, and slow to release, 100 ms.
    steps = [1 - math.exp(-1 / (time * 44_100)) for time in (0.005, 0.1)]
    output = []
    for x in samples:
        means = [m + step * (x * x - m) for m, step in zip(means, steps, strict=True)]
        level = 10 * math.log10(max(means))
        target = level
        if level > device.threshold:
            target = device.threshold + (level - device.threshold) / device.ratio
        output.append(x * 10 ** ((target - level) / 20))
    return np.array(output)


@pytest.mark.parametrize("name", DEVICES)
def test_a_sound_below_the_threshold_meets_the_designed_response(name):
    level = -65 if name in SIMULATED else -20
    sound = 10 ** (level / 20) * rng().standard_normal(5 * SAMPLE_RATE)
    settings = {"fs": SAMPLE_RATE, "nperseg": 8192}
    frequency, crossed = signal.csd(sound, record(sound, name, rng(1)), **settings)
    _, own = signal.welch(sound, **settings)
    audible = (frequency > 100) & (frequency < 16_000)
    measured = decibels(np.abs(crossed / own)[audible] ** 2)
    np.testing.assert_allclose(measured, designed(name, frequency[audible]), atol=1)
    assert np.abs(measured - designed(name, frequency[audible])).mean() < 0.2


@pytest.mark.parametrize("name", DEVICES)
def test_impulse_responses_have_minimum_phase(name):
    response = np.fft.fft(impulse_response(name), 2**15)
    expected = -np.imag(signal.hilbert(np.log(np.abs(response))))
    turned = np.angle(response * np.exp(-1j * expected))
    assert np.abs(turned).max() < 0.05


def test_unseen_devices_hear_narrower_bands():
    frequency = np.geomspace(50, 16_000, 500)

    def octaves(name: str) -> float:
        level = designed(name, frequency)
        loud = frequency[level > level.max() - 6]
        return math.log2(loud[-1] / loud[0])

    seen = [octaves(name) for name in DEVICES if name not in UNSEEN]
    assert max(map(octaves, UNSEEN)) < min(seen)


@pytest.mark.parametrize("name", SIMULATED)
def test_a_steady_sine_follows_the_static_curve(name):
    device = DEVICES[name]
    for level in (-70, -50, -40, -30, -20, -10):
        heard = record(sine(level), name, rng())
        through = level + designed(name, 1000)
        above = max(0, through - device.threshold)
        expected = through - above + above / device.ratio
        assert decibels(np.mean(heard[11_025:-2205] ** 2)) == pytest.approx(expected, abs=0.3)


@pytest.mark.parametrize("name", ["a", "b", "c"])
def test_real_devices_add_noise_and_do_not_compress(name):
    heard = record(np.zeros(SAMPLE_RATE), name, rng())
    assert decibels(np.mean(heard**2)) == pytest.approx(DEVICES[name].noise, abs=0.1)
    levels = [decibels(np.mean(record(sine(level), name, rng()) ** 2)) for level in (-40, -10)]
    assert levels[1] - levels[0] == pytest.approx(30, abs=0.1)


@pytest.mark.parametrize("name", ["s1", "s6"])
def test_the_compressor_agrees_with_a_plain_loop(name):
    bursts = rng().standard_normal(3000) * np.where(np.arange(3000) % 1000 < 300, 0.3, 1e-3)
    np.testing.assert_allclose(
        compress(bursts, DEVICES[name]), looped_compressor(bursts, name), rtol=1e-9
    )


def test_simulated_devices_are_made_from_what_the_reference_recorded(tmp_path):
    write_scenes(tmp_path, clips=9, seconds=0.5, seed=3)
    segment = [r for r in folds(9)[1] if r.scene == "metro"][:3]
    samples = {r.device: soundfile.read(tmp_path / r.filename)[0] for r in segment}
    reference = samples.pop("a")
    assert set(samples) == {"s1", "s4"}
    for name, heard in samples.items():
        filtered = np.convolve(reference, impulse_response(name))[: len(reference)]
        np.testing.assert_allclose(heard, looped_compressor(filtered, name), atol=1e-5)
        assert np.abs(heard - reference).max() > 1e-3


def test_no_device_can_reach_full_scale():
    reference = np.abs(impulse_response("a")).sum()
    for name in DEVICES:
        largest = HEADROOM * reference * np.abs(impulse_response(name)).sum()
        assert largest < 0.95
