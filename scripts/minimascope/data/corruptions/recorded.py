"""Corrupted copies of recordings: sounds are corrupted, then become log-mels as all others do."""

from collections.abc import Mapping, Sequence
from itertools import chain
from math import ceil
from typing import Any

import numpy as np
import torch

from ...errors import InputError, nearest
from ...streams import derive_seed
from ..features import Sound, decoded, duration_of, features_of, of_one_duration
from ..log_mel_spec import LogMel
from ..prepared import Split
from ..recordings import Recording
from .copies import CorruptedCopies, CorruptionRequest
from .severities import SEVERITIES
from .sound_severities import STRENGTHS
from .waveforms import FUNCTIONS


def corrupted_recordings(
    recordings: Sequence[Recording],
    test: Split,
    requests: Sequence[CorruptionRequest],
    features: Mapping[str, Any],
) -> tuple[list[CorruptedCopies], torch.Tensor]:
    """Return copies of the same test recordings under several corruptions.

    One recording after the other is decoded, corrupted in all ways and turned into log-mels, so
    that no sound is kept. Each copy has draws of its own, named by the stream, the corruption, the
    severity and the recording: neither the order of the recordings nor others change it.

    Args:
        recordings: of both splits.
        test: the test split, whose inputs are numbers of these (`features.numbered`).
        requests: one for each corruption, alike but for that.
        features: settings of the log-mels, ``seconds`` and ``mixed_rates`` included.

    Returns:
        Copies, whose inputs are float32 [severities, n, 1, mels, frames] in dB, and the log-mels
        [1, mels, frames] of the first recording without any corruption.

    Raises:
        InputError: see `features.extract`.
    """
    options = dict(features)
    seconds, mixed_rates = options.pop("seconds"), options.pop("mixed_rates")
    spec = LogMel(**options)
    rows = requests[0].rows(len(test))
    chosen = [recordings[number] for number in test.inputs[rows].flatten().tolist()]

    sounds = decoded(chosen)
    first = next(sounds)
    samples = ceil(duration_of(first, seconds) * spec.sample_rate)
    severities = requests[0].severities
    shape = (len(severities), len(chosen), 1, spec.mels, spec.frames(samples))
    copies = [torch.empty(shape) for _ in requests]
    for sound in of_one_duration(chain([first], sounds), first, seconds, mixed_rates):
        corrupted = _corrupted(sound, chosen[sound.number].filename, requests, spec.f_max)
        found = features_of(torch.from_numpy(corrupted), sound.rate, spec, samples)
        for copy, own in zip(copies, found[1:].split(len(severities)), strict=True):
            copy[:, sound.number] = own
        if sound.number == 0:
            original = found[0]
    return [
        CorruptedCopies(request.corruption, severities, copy, test.labels[rows], "generated", rows)
        for request, copy in zip(requests, copies, strict=True)
    ], original


def _corrupted(
    sound: Sound, filename: str, requests: Sequence[CorruptionRequest], highest: float
) -> np.ndarray:
    """Return a sound, then its copies, one corruption after the other: float32 [1 + m, samples]."""
    copies = [
        corrupt(sound.samples, request.corruption, severity, sound.rate, highest, seed)
        for request in requests
        for seed in [derive_seed(request.stream, "corruption", filename)]
        for severity in request.severities
    ]
    return np.stack([sound.samples, *copies])


def corrupt(
    sound: np.ndarray, name: str, severity: int, rate: int, highest: float, seed: int
) -> np.ndarray:
    """Return a corrupted copy of a sound.

    Args:
        sound: [samples], full scale 1.
        name: one of `sound_severities.STRENGTHS`.
        severity: 1 to 5.
        rate: its sample rate in Hz.
        highest: frequency in Hz that networks hear; half the sample rate, where that is lower.
        seed: names the stream of draws, together with the name and severity.

    Returns:
        float32 of the same shape.

    Raises:
        InputError: for an unknown name or severity.
    """
    if name not in STRENGTHS:
        raise InputError(f"corruption '{name}' is not known; {nearest(name, STRENGTHS)}")
    if severity not in SEVERITIES:
        raise InputError(f"severity {severity!r}: use one of {', '.join(map(str, SEVERITIES))}")
    band, rng = min(highest, rate / 2), np.random.default_rng(derive_seed(seed, name, severity))
    strength = STRENGTHS[name][severity - 1]
    corrupted = FUNCTIONS[name](np.asarray(sound, dtype=float), strength, rate, band, rng)
    return corrupted.astype(np.float32)
