"""Corruptions of sounds: what each does, measured with SciPy."""

import numpy as np
import pytest
from refusals import refused
from scipy import signal, stats

from minimascope.data.corruptions.kinds import KINDS_OF
from minimascope.data.corruptions.recorded import corrupt
from minimascope.data.corruptions.severities import SEVERITIES
from minimascope.data.corruptions.sound_severities import KINDS, STRENGTHS
from minimascope.data.corruptions.waveforms import FUNCTIONS, room_response

RATE, BAND = 16000, 8000.0
SECONDS = 4


def sound(seed: int = 0, level: float = 0.05, rate: int = RATE) -> np.ndarray:
    return np.random.default_rng(seed).normal(scale=level, size=SECONDS * rate)


def corrupted(name: str, severity: int, of: np.ndarray | None = None, **changed) -> np.ndarray:
    options = {"rate": RATE, "highest": BAND, "seed": 3} | changed
    return corrupt(sound() if of is None else of, name, severity, **options)


def decibels(ratio: float) -> float:
    return 10 * np.log10(ratio)


def test_every_corruption_is_of_one_kind_and_has_five_severities():
    assert sorted(name for names in KINDS.values() for name in names) == sorted(STRENGTHS)
    assert FUNCTIONS.keys() == STRENGTHS.keys()
    assert {len(strengths) for strengths in STRENGTHS.values()} == {len(SEVERITIES)}
    # A name says what it is made for, and so does a kind.
    kinds = [kind for made in KINDS_OF.values() for kind in made]
    names = [name for made in KINDS_OF.values() for own in made.values() for name in own]
    assert len(kinds) == len(set(kinds))
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", STRENGTHS)
def test_a_copy_depends_on_its_sound_name_severity_and_seed_alone(name):
    first, again = (corrupted(name, 3) for _ in range(2))
    assert first.tobytes() == again.tobytes()
    assert first.dtype == np.float32
    assert first.shape == sound().shape
    assert np.isfinite(first).all()
    assert not np.array_equal(first, sound().astype(np.float32))
    others = [corrupted(name, 3, seed=seed) for seed in range(20)]
    drawn = len({other.tobytes() for other in others})
    # What is lost at high frequencies is not drawn, and of the gain only its sign is.
    assert drawn == {"low_pass": 1, "resampling": 1, "gain": 2}.get(name, 20)


@pytest.mark.parametrize("name", ["white_noise", "pink_noise"])
@pytest.mark.parametrize("severity", SEVERITIES)
def test_noise_has_the_signal_to_noise_ratio_of_its_severity(name, severity):
    # A constant offset is no signal.
    clean = sound() + 0.3
    noise = corrupted(name, severity, clean) - clean
    wanted = (20, 15, 10, 5, 0)[severity - 1]
    assert decibels(clean.var() / noise.var()) == pytest.approx(wanted, abs=1e-3)


@pytest.mark.parametrize(("name", "slope"), [("white_noise", 0), ("pink_noise", -1)])
def test_the_power_of_white_noise_is_flat_and_that_of_pink_noise_falls_with_frequency(name, slope):
    noise = corrupted(name, 5) - sound()
    hertz, power = signal.welch(noise, RATE, nperseg=4096)
    inside = (hertz > 40) & (hertz < 7500)
    fitted = stats.linregress(np.log10(hertz[inside]), np.log10(power[inside])).slope
    assert fitted == pytest.approx(slope, abs=0.05)
    below = power[(hertz > 0) & (hertz < 12)].max() / power[(hertz > 30) & (hertz < 60)].mean()
    assert (below < 0.05) == (name == "pink_noise")


@pytest.mark.parametrize("severity", SEVERITIES)
def test_gain_makes_sounds_louder_or_quieter_by_its_decibels(severity):
    quiet = sound(level=1e-4)
    ratios = [
        decibels(corrupted("gain", severity, quiet, seed=seed).var() / quiet.var())
        for seed in range(12)
    ]
    wanted = 6 * severity
    assert sorted({round(ratio, 2) for ratio in ratios}) == [-wanted, wanted]


def test_a_louder_sound_is_cut_off_at_full_scale():
    loud = sound(level=0.2)
    copies = [corrupted("gain", 3, loud, seed=seed) for seed in range(12)]
    louder = next(copy for copy in copies if copy.std() > loud.std())
    assert np.abs(louder).max() == 1
    cut = np.abs(louder) == 1
    assert np.array_equal(cut, np.abs(loud) * 10 ** (18 / 20) >= 1)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_the_low_pass_falls_by_24_decibels_an_octave(severity):
    impulse = np.zeros(RATE)
    impulse[0] = 1
    # Twice the rate, so that the filter is far from its end of the spectrum.
    rate, cutoff = 2 * RATE, (6000, 4000, 3000, 2000, 1000)[severity - 1]
    response = corrupted("low_pass", severity, impulse, rate=rate)
    _, heard = signal.freqz(response, worN=[cutoff / 8, cutoff, 2 * cutoff], fs=rate)
    low, edge, octave = decibels(np.abs(heard) ** 2)
    assert low == pytest.approx(0, abs=0.01)
    assert edge == pytest.approx(-3.01, abs=0.01)
    # The bilinear transform makes it steeper towards half the sample rate.
    warped = np.tan(np.pi * 2 * cutoff / rate) / np.tan(np.pi * cutoff / rate)
    assert octave == pytest.approx(-decibels(1 + warped**8), abs=0.05)
    assert octave < -24


@pytest.mark.parametrize("seconds", [0.25, 0.5, 1, 2, 4])
def test_a_room_falls_silent_by_60_decibels_in_its_reverberation_time(seconds):
    """By Schroeder's backward integration (1965), with the slope from -5 to -35 dB (ISO 3382)."""
    response = room_response(seconds, RATE, np.random.default_rng(1))
    tail = response[1:]
    left = decibels(np.cumsum(tail[::-1] ** 2)[::-1] / np.sum(tail**2))
    fitted = (left < -5) & (left > -35)
    slope = stats.linregress(np.arange(len(tail))[fitted] / RATE, left[fitted]).slope
    assert -60 / slope == pytest.approx(seconds, rel=0.05)
    # The reverberation has as much energy as the direct sound.
    assert np.sum(tail**2) == pytest.approx(response[0] ** 2)


def test_reverberation_is_the_sound_convolved_with_a_room_and_as_loud_as_before():
    impulse = np.zeros(3 * RATE)
    impulse[100] = 1
    heard = corrupted("reverberation", 3, impulse).astype(float)
    assert heard.std() == pytest.approx(impulse.std(), rel=1e-5)
    # Nothing before the sound, and 30 dB less in half of the reverberation time of a second.
    assert np.abs(heard[:100]).max() < 1e-12 * heard[100]
    first, last = (np.mean(heard[at : at + 800] ** 2) for at in (200, 200 + RATE // 2))
    assert decibels(first / last) == pytest.approx(30, abs=1)
    assert np.abs(heard[102 + RATE :]).max() < 1e-12 * heard[100]
    double = corrupted("reverberation", 3, 2 * sound())
    np.testing.assert_allclose(double, 2 * corrupted("reverberation", 3), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_so_many_frames_of_20_ms_are_silent(severity):
    heard = corrupted("dropped_frames", severity).reshape(-1, RATE // 50)
    lost = ~heard.any(1)
    assert lost.mean() == pytest.approx((0.05, 0.1, 0.2, 0.3, 0.4)[severity - 1])
    kept = sound().reshape(heard.shape)[~lost].astype(np.float32)
    assert np.array_equal(heard[~lost], kept)


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
@pytest.mark.parametrize("severity", SEVERITIES)
def test_nothing_is_left_above_half_of_the_lower_sample_rate(rate, severity):
    clean = sound(rate=rate)
    heard = corrupted("resampling", severity, clean, rate=rate)
    limit = min(BAND, rate / 2) * (15 / 16, 7 / 8, 3 / 4, 5 / 8, 1 / 2)[severity - 1]
    hertz, power = signal.welch(heard, rate, nperseg=2048)
    _, before = signal.welch(clean, rate, nperseg=2048)
    above, below = hertz > 1.02 * limit, (hertz > 50) & (hertz < 0.98 * limit)
    assert decibels(power[above].sum() / before[above].sum()) < -60
    assert decibels(power[below].sum() / before[below].sum()) == pytest.approx(0, abs=0.2)


def test_frequencies_are_shares_of_what_a_recording_holds():
    """At 8 kHz nothing above 4 kHz is there to be lost."""
    tone = np.sin(2 * np.pi * 3500 * np.arange(8000) / 8000)
    for name, severity in (("low_pass", 1), ("resampling", 3)):
        kept = corrupted(name, severity, tone, rate=8000)[1000:-1000]
        assert decibels(kept.var() / tone.var()) < -2


@pytest.mark.parametrize("name", STRENGTHS)
def test_severities_change_a_sound_more_and_more(name):
    clean = sound(level=1e-3)
    changes = [np.std(corrupted(name, severity, clean) - clean) for severity in SEVERITIES]
    if name in ("low_pass", "resampling"):
        changes = [-np.var(corrupted(name, severity, clean)) for severity in SEVERITIES]
    if name == "gain":
        changes = [abs(decibels(corrupted(name, s, clean).var())) for s in SEVERITIES]
        changes = [abs(change + decibels(clean.var())) for change in changes]
    if name == "reverberation":
        return  # longer, and no louder
    assert np.all(np.diff(changes) > 0)


def test_unknown_corruptions_and_severities_are_refused():
    with refused("corruption 'pink_nose' is not known; did you mean 'pink_noise'?"):
        corrupted("pink_nose", 1)
    with refused("severity 6: use one of 1, 2, 3, 4, 5"):
        corrupted("gain", 6)
