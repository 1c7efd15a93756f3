"""Log-mel features of recordings, as a data set."""

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torchaudio.functional import resample

from ..errors import InputError
from ..jobs.progress import progress
from .log_mel import log_mel
from .log_mel_spec import LogMel
from .part import part_of
from .prepared import Dataset, Split
from .recordings import SPLITS, Recording
from .sound import encoded_sounds, read_sound

# Recordings whose features are computed at once; more are slower on a CPU.
BATCH = 8


@dataclass(frozen=True)
class Sound:
    """The decoded sound of the recording of a number: float32 [samples] at a rate in Hz."""

    number: int
    origin: str
    samples: np.ndarray
    rate: int


def numbered(recordings: Sequence[Recording], part: Mapping[str, Any]) -> Dataset:
    """Return the data set of recordings, or a part of it, with their numbers for inputs [n, 1].

    Args:
        recordings: of both splits.
        part: as `part.part_of` takes it.

    Raises:
        InputError: as `part.part_of` does.
    """
    rows = {
        split: [[number] for number, each in enumerate(recordings) if each.split == split]
        for split in SPLITS
    }
    inputs = {split: torch.tensor(numbers) for split, numbers in rows.items()}
    return part_of(labelled(recordings, inputs), **part)


def extract(
    recordings: Sequence[Recording],
    spec: LogMel,
    seconds: float | None = None,
    mixed_rates: bool = False,
    device: torch.device | str = "cpu",
    part: Dataset | None = None,
) -> Dataset:
    """Compute the log-mels of recordings.

    Args:
        recordings: of both splits, whose order each split keeps.
        spec: settings of the log-mels.
        seconds: duration to which every recording is brought: of longer ones the middle is kept,
            shorter ones get zeros on both sides. None takes recordings as they are, which must
            then have one duration.
        mixed_rates: whether recordings may have several sample rates.
        device: where features are computed.
        part: the recordings that are used, as their numbers (`numbered`), which alone are read;
            None for all.

    Returns:
        Inputs float32 [n, 1, mels, frames] in dB, on the CPU. Names are in alphabetical order, or
        by number where all of them are whole numbers.

    Raises:
        InputError: a recording is missing, cannot be used (see `read_sound`), or has another
            duration or sample rate than others; names it.
    """
    part = numbered(recordings, {}) if part is None else part
    numbers = torch.cat([part.train.inputs, part.test.inputs]).flatten().sort().values.tolist()
    used = [recordings[number] for number in numbers]
    sounds = decoded(used)
    first = next(sounds)
    samples = ceil(duration_of(first, seconds) * spec.sample_rate)
    rows, inputs = _allocated(used, spec, samples)
    rates = set()
    for batch in _batches(of_one_duration(chain([first], sounds), first, seconds, mixed_rates)):
        waveforms = torch.from_numpy(np.stack([sound.samples for sound in batch])).to(device)
        features = features_of(waveforms, batch[0].rate, spec, samples)
        rates.add(batch[0].rate)
        for sound, feature in zip(batch, features, strict=True):
            rows[sound.number].copy_(feature)
    for rate in sorted(rate for rate in rates if rate < 2 * spec.f_max):
        print(
            f"recordings at {rate} Hz hold nothing above {rate / 2:g} Hz; f_max is {spec.f_max:g}"
        )
    splits = {split: replace(getattr(part, split), inputs=inputs[split]) for split in SPLITS}
    return replace(part, **splits)


def names_in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Return names once each: by number if all are whole numbers, otherwise alphabetically."""
    names = sorted(set(names))
    if all(name.removeprefix("-").isdecimal() for name in names):
        names.sort(key=int)
    return tuple(names)


def _allocated(
    recordings: Sequence[Recording], spec: LogMel, samples: int
) -> tuple[list[torch.Tensor], dict[str, torch.Tensor]]:
    """Return where the features of each recording belong, and both splits that hold these."""
    shape = (1, spec.mels, spec.frames(samples))
    counts = Counter(recording.split for recording in recordings)
    inputs = {split: torch.empty(counts[split], *shape) for split in SPLITS}
    free = {split: iter(tensor) for split, tensor in inputs.items()}
    return [next(free[recording.split]) for recording in recordings], inputs


def decoded(recordings: Sequence[Recording]) -> Iterator[Sound]:
    """Yield all sounds in the order of their places, decoded a few at a time."""

    def decode(number: int, source: Path | bytes) -> Sound:
        origin = recordings[number].origin
        return Sound(number, origin, *read_sound(source, origin))

    threads = torch.get_num_threads()
    shown = progress(recordings, "log-mels", "recording")
    waiting = deque()
    with ThreadPoolExecutor(threads) as pool:
        for _, encoded in zip(shown, encoded_sounds(recordings), strict=True):
            waiting.append(pool.submit(decode, *encoded))
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def duration_of(first: Sound, seconds: float | None) -> Fraction:
    """Return the duration in s to which all sounds are brought: the first one's, unless given."""
    if seconds is None:
        return Fraction(len(first.samples), first.rate)
    return Fraction(seconds).limit_denominator(1_000_000)


def of_one_duration(
    sounds: Iterable[Sound], first: Sound, seconds: float | None, mixed_rates: bool
) -> Iterator[Sound]:
    """Yield sounds brought to one duration; see `extract`, which says what is refused."""
    duration = duration_of(first, seconds)
    for sound in sounds:
        if sound.rate != first.rate and not mixed_rates:
            raise InputError(
                f"{sound.origin}: {sound.rate} Hz where {first.origin} has {first.rate} Hz;"
                " resample it, or set features.mixed_rates to true if rates do not reveal classes"
                " or domains"
            )
        # Durations are the same if they are to within less than a sample.
        if seconds is None and abs(len(sound.samples) - duration * sound.rate) >= 1:
            raise InputError(
                f"{sound.origin}: {len(sound.samples) / sound.rate:.6g} s where {first.origin} has"
                f" {float(duration):.6g} s; set features.seconds to cut and pad all to one"
                " duration"
            )
        yield _cut(sound, ceil(duration * sound.rate))


def _cut(sound: Sound, samples: int) -> Sound:
    """Return the middle of a sound, or the sound in the middle of zeros."""
    before = abs(len(sound.samples) - samples) // 2
    if len(sound.samples) < samples:
        after = samples - len(sound.samples) - before
        return replace(sound, samples=np.pad(sound.samples, (before, after)))
    middle = sound.samples[before : before + samples]
    if not middle.any():
        raise InputError(
            f"{sound.origin}: the middle {samples / sound.rate:.4g} s are silent; cut the recording"
            " to where it sounds, or raise features.seconds"
        )
    return replace(sound, samples=middle)


def _batches(sounds: Iterator[Sound]) -> Iterator[list[Sound]]:
    """Yield sounds in lists of one rate, and so of one length."""
    waiting: dict[int, list[Sound]] = defaultdict(list)
    for sound in sounds:
        waiting[sound.rate].append(sound)
        if len(waiting[sound.rate]) == BATCH:
            yield waiting.pop(sound.rate)
    yield from waiting.values()


def features_of(waveforms: torch.Tensor, rate: int, spec: LogMel, samples: int) -> torch.Tensor:
    """Return the log-mels of waveforms, on the CPU.

    Args:
        waveforms: float32 [n, …], as many samples as their duration has at their rate.
        rate: in Hz.
        spec: settings of the log-mels.
        samples: as many as that duration has at the rate of these.
    """
    # Rounding up at another rate first may give a few samples more.
    waveforms = resample(waveforms, rate, spec.sample_rate)[:, :samples]
    return log_mel(waveforms, spec).cpu()


def labelled(recordings: Sequence[Recording], inputs: dict[str, torch.Tensor]) -> Dataset:
    """Return a data set of what recordings became, by split in their order.

    Its labels, domains and cities are those of the recordings.
    """
    classes, domains = (
        names_in_order(getattr(recording, key) for recording in recordings)
        for key in ("label", "domain")
    )
    cities = names_in_order(recording.city for recording in recordings if recording.city)
    seen = {recording.domain: recording.seen for recording in recordings}

    def split(name: str) -> Split:
        own = [recording for recording in recordings if recording.split == name]
        return Split(
            inputs[name],
            torch.tensor([classes.index(recording.label) for recording in own]),
            torch.tensor([domains.index(recording.domain) for recording in own]),
            torch.tensor([cities.index(recording.city) for recording in own]) if cities else None,
        )

    known = tuple(seen[domain] for domain in domains)
    return Dataset(split("train"), split("test"), classes, domains, known, cities)
