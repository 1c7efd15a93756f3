"""Log-mel spectrograms, as PANNs and librosa define them by default."""

import torch
import torchaudio

from ..errors import InputError
from .log_mel_spec import LogMel


def log_mel(waveforms: torch.Tensor, spec: LogMel) -> torch.Tensor:
    """Return the power of each mel band in each frame, in dB: 10 log₁₀ max(power, 1e-10).

    Frames are centred on every ``hop_length``-th sample, with the waveform reflected at its ends,
    under a Hann window; bands are triangles on Slaney's mel scale, of equal area.

    Args:
        waveforms: float32 [n, samples] at ``spec.sample_rate``.
        spec: the settings.

    Returns:
        float32 [n, 1, mels, frames], frames = 1 + samples // hop_length.

    Raises:
        InputError: the waveforms are too short to be reflected.
    """
    samples = waveforms.shape[-1]
    if samples <= spec.n_fft // 2:
        raise InputError(
            f"n_fft: recordings have {samples} samples at {spec.sample_rate} Hz, and more than half"
            f" of n_fft {spec.n_fft} are needed; take longer recordings or a smaller n_fft"
        )
    spectrogram = torchaudio.transforms.MelSpectrogram(
        sample_rate=spec.sample_rate,
        n_fft=spec.n_fft,
        hop_length=spec.hop_length,
        f_min=spec.f_min,
        f_max=spec.f_max,
        n_mels=spec.mels,
        norm="slaney",
        mel_scale="slaney",
    )
    decibels = torchaudio.transforms.AmplitudeToDB(stype="power", top_db=None)
    return decibels(spectrogram.to(waveforms.device)(waveforms)).unsqueeze(1)
