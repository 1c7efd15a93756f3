"""Log-mels against librosa, and against what is known in closed form."""

import math
import re

import librosa
import numpy as np
import pytest
import torch
from audio_cases import noise

from minimascope.data.log_mel import log_mel
from minimascope.data.log_mel_spec import LogMel
from minimascope.errors import InputError

SPECS = (
    LogMel(),
    LogMel(sample_rate=8000, mels=20, n_fft=256, hop_length=100, f_min=0.0, f_max=3500.0),
    LogMel(sample_rate=32000, mels=64, n_fft=1024, hop_length=320, f_min=50.0, f_max=14000.0),
)


def sounds(spec: LogMel) -> np.ndarray:
    """Noise, noise that fades away, and a rising tone: float32 [3, samples]."""
    rate = spec.sample_rate
    time = np.arange(rate // 2 + 37) / rate
    hiss = noise(1, len(time) / rate, rate)
    rows = [hiss, hiss * np.exp(-20 * time), 0.3 * np.sin(2 * np.pi * (200 + 1500 * time) * time)]
    return np.stack(rows).astype(np.float32)


def ours(waveforms: np.ndarray, spec: LogMel) -> np.ndarray:
    return log_mel(torch.from_numpy(waveforms), spec).squeeze(1).numpy()


@pytest.mark.parametrize("spec", SPECS)
def test_log_mels_are_librosas(spec):
    waveforms = sounds(spec)
    power = librosa.feature.melspectrogram(
        y=waveforms.astype(np.float64),
        sr=spec.sample_rate,
        n_fft=spec.n_fft,
        hop_length=spec.hop_length,
        n_mels=spec.mels,
        fmin=spec.f_min,
        fmax=spec.f_max,
        pad_mode="reflect",
    )
    expected = librosa.power_to_db(power, ref=1.0, amin=1e-10, top_db=None)
    found = ours(waveforms, spec)
    assert found.dtype == np.float32
    assert found.shape == expected.shape
    assert np.abs(found - expected)[:2].max() < 1e-3
    # in frames of the tone, only float32's rounding is left far below the loudest band
    audible = expected > expected.max(1, keepdims=True) - 70
    assert audible[2].mean() > 0.15
    assert np.abs(found - expected)[audible].max() < 1e-3


@pytest.mark.parametrize(("samples", "frames"), [(160_000, 1001), (159_999, 1000), (257, 2)])
def test_frames_are_centred_on_every_hop(samples, frames):
    features = log_mel(
        torch.randn(2, samples, generator=torch.Generator().manual_seed(0)), LogMel()
    )
    assert features.shape == (2, 1, 64, frames)
    assert LogMel().frames(samples) == frames


def test_a_sound_twice_as_loud_has_six_decibels_more_and_silence_the_floor():
    waveform = torch.from_numpy(sounds(LogMel())[:1])
    louder = log_mel(2 * waveform, LogMel()) - log_mel(waveform, LogMel())
    assert louder.sub(20 * math.log10(2)).abs().max() < 1e-3
    assert log_mel(torch.zeros(1, 4000), LogMel()).eq(-100).all()


@pytest.mark.parametrize(
    ("settings", "parts"),
    [
        ({"f_max": 8001.0}, "f_max: bands from f_min 50.0 to f_max 8001.0 Hz.*8000.0 Hz"),
        ({"f_min": 8000.0}, "f_max: bands from f_min 8000.0"),
        ({"f_min": -1.0}, "f_max: bands from f_min -1.0"),
        ({"hop_length": 513}, "hop_length: 513 is not between 1 and n_fft 512"),
        ({"hop_length": 0}, "hop_length: 0"),
        ({"mels": 200}, r"mels: band \d+ of 200, \d+ to \d+ Hz.*fewer mels or a larger n_fft"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings, parts):
    with pytest.raises(InputError, match=parts):
        LogMel(**settings)


@pytest.mark.filterwarnings("ignore:Empty filters")
@pytest.mark.parametrize("n_fft", [256, 400, 512, 1024])
@pytest.mark.parametrize("f_min", [0.0, 50.0, 300.0])
def test_the_first_empty_band_is_the_one_that_librosa_leaves_empty(n_fft, f_min):
    for mels in range(8, 160, 8):
        bands = librosa.filters.mel(
            sr=16000, n_fft=n_fft, n_mels=mels, fmin=f_min, fmax=8000, dtype=np.float64
        )
        empty = np.flatnonzero(bands.max(1) == 0)
        if len(empty):
            with pytest.raises(InputError, match=re.escape(f"band {empty[0] + 1} of {mels}")):
                LogMel(mels=mels, n_fft=n_fft, f_min=f_min)
        else:
            LogMel(mels=mels, n_fft=n_fft, f_min=f_min)


def test_recordings_that_are_too_short_for_the_window_are_refused():
    with pytest.raises(InputError, match="n_fft: recordings have 256 samples at 16000 Hz"):
        log_mel(torch.zeros(1, 256), LogMel())
