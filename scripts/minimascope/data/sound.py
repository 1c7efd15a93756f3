"""Files of sounds, read from where they lie and decoded."""

from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import soundfile

from ..errors import InputError
from .archives import archive_files, is_archive
from .recordings import Recording

# Over all channels of a recording: a gigabyte when decoded, at 48 kHz an hour and a half.
MOST_SAMPLES = 2**28
# Channels whose mean is quieter than they are by this factor (60 dB) cancel each other.
CANCELLED = 1e-3


def encoded_sounds(recordings: Sequence[Recording]) -> Iterator[tuple[int, Path | bytes]]:
    """Yield (number of the recording, its file or the file's content), each recording once.

    Places come one after the other, and archives in their own order, so that each is read once.

    Raises:
        InputError: a recording is not in its place, or an archive cannot be read; names it.
    """
    places: dict[str, dict[str, int]] = {}
    for number, recording in enumerate(recordings):
        places.setdefault(recording.place, {})[recording.filename] = number
    for place, numbers in places.items():
        yield from _in_archive(place, numbers) if is_archive(place) else _in_folder(place, numbers)


def _in_folder(place: str, numbers: dict[str, int]) -> Iterator[tuple[int, Path]]:
    for filename, number in numbers.items():
        path = Path(place, filename)
        if not path.is_file():
            raise _absent(place, filename)
        yield number, path


def _in_archive(place: str, numbers: dict[str, int]) -> Iterator[tuple[int, bytes]]:
    missing = dict(numbers)
    for name, content in archive_files(place, lambda name: str(name) in missing):
        yield missing.pop(str(name)), content
    if missing:
        raise _absent(place, min(missing))


def _absent(place: str, filename: str) -> InputError:
    return InputError(f"{place}: no file {filename}; put it back or remove it from the recordings")


def read_sound(source: Path | bytes, name: str) -> tuple[np.ndarray, int]:
    """Decode a WAV, FLAC or OGG file; several channels are averaged.

    Args:
        source: the file, or what it holds.
        name: of the recording, for messages.

    Returns:
        The samples, float32 [samples] in −1 … 1, and the sample rate in Hz.

    Raises:
        InputError: the file cannot be decoded, is too long, empty or silent, or holds numbers
            that are not finite; names the recording.
    """
    try:
        with soundfile.SoundFile(BytesIO(source) if isinstance(source, bytes) else source) as file:
            if file.frames * file.channels > MOST_SAMPLES:
                raise InputError(
                    f"{name}: declares {file.frames:,} samples in each of {file.channels} channels,"
                    f" more than {MOST_SAMPLES:,} together; cut it into shorter recordings"
                )
            samples, rate = file.read(dtype="float32", always_2d=True), file.samplerate
    # A TypeError where the file's name says that it holds nothing but samples.
    except (soundfile.SoundFileError, TypeError) as error:
        raise InputError(
            f"{name}: cannot be decoded ({error}); replace it with a WAV, FLAC or OGG file, or"
            " remove it"
        ) from error
    mono = samples[:, 0] if samples.shape[1] == 1 else samples.mean(1)
    # Not to the last bit: rounding to 16 bits leaves a little.
    if samples.shape[1] > 1 and _loudness(mono) < CANCELLED * _loudness(samples):
        raise InputError(f"{name}: its channels cancel each other; keep one of them")
    if fault := _fault(mono):
        raise InputError(f"{name}: {fault}; replace or remove it")
    return mono, rate


def _fault(samples: np.ndarray) -> str | None:
    if len(samples) == 0:
        return "holds no samples"
    if not np.isfinite(samples).all():
        return "holds samples that are not finite"
    if np.ptp(samples) == 0:
        return "is silent: all of its samples are " + ("the same" if samples[0] else "zero")
    return None


def _loudness(samples: np.ndarray) -> float:
    """Return the root mean square."""
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if samples.size else 0.0
