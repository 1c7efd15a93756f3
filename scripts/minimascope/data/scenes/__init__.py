"""Synthetic acoustic scenes: a data set in DCASE2020's layout that needs no download.

Ten scenes made of filtered noise, tones and events (scenes.py) are heard by nine modelled devices
(devices.py), three of which are in the test fold only (layout.py).
"""

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from math import isfinite
from pathlib import Path

import numpy as np
import soundfile

from ...errors import InputError
from ...files import atomic, write_text
from ...streams import derive_seed
from .devices import REFERENCE, SIMULATED, record
from .layout import Recording, folds
from .scenes import render
from .signals import SAMPLE_RATE

# Two footsteps, or two syllables.
SHORTEST_SECONDS = 0.5


def write_scenes(folder: Path, *, clips: int, seconds: float, seed: int) -> None:
    """Write a data set in the layout of DCASE2020 Task 1A's development set.

    These are ``audio/<scene>-<city>-<location>-<segment>-<device>.wav`` (mono, 44.1 kHz, 24 bit)
    and, tab-separated, ``meta.csv`` and ``evaluation_setup/fold1_{train,test,evaluate}.csv``. The
    lists are written last, so a folder that has them is complete. Equal arguments give equal
    bytes; a clip depends on its own name, ``seconds`` and ``seed`` alone.

    Args:
        folder: new or empty.
        clips: training clips per scene, from 9; the test fold has 9·(clips // 9) per scene.
        seconds: length of a clip, from 0.5.
        seed: of everything that is drawn.

    Raises InputError if there are too few clips or they are too short.
    """
    train, test = folds(clips)
    if not isfinite(seconds) or seconds < SHORTEST_SECONDS:
        raise InputError(
            f"seconds: {seconds} is too short for a scene; use {SHORTEST_SECONDS} or more"
        )
    for recording in train + test:
        samples = synthesise(recording, seconds, seed)
        with atomic(folder / recording.filename) as partial:
            soundfile.write(partial, samples, SAMPLE_RATE, "PCM_24")
    _write_lists(folder, train, test)


def synthesise(recording: Recording, seconds: float, seed: int) -> np.ndarray:
    """Return one clip [round(seconds · 44,100)]; full scale is 1."""
    segment = replace(recording, device=REFERENCE)
    sound = _scene(segment, seconds, seed)
    if recording.device in SIMULATED:
        sound = record(sound, REFERENCE, _stream(segment, seed, "device"))
    return record(sound, recording.device, _stream(recording, seed, "device"))


@lru_cache(maxsize=1)  # In the test fold three devices in a row hear the same segment.
def _scene(segment: Recording, seconds: float, seed: int) -> np.ndarray:
    """Return the sound of a segment, whichever device hears it."""
    place = np.random.default_rng(derive_seed(seed, segment.identifier, "place"))
    moment = _stream(segment, seed, "moment")
    sound = render(segment.scene, place, moment, round(seconds * SAMPLE_RATE))
    sound.flags.writeable = False
    return sound


def _stream(recording: Recording, seed: int, use: str) -> np.random.Generator:
    return np.random.default_rng(derive_seed(seed, recording.filename, use))


def _write_lists(folder: Path, train: list[Recording], test: list[Recording]) -> None:
    setup = folder / "evaluation_setup"
    labelled = ("filename", "scene_label")
    for name, rows in (("fold1_train", train), ("fold1_evaluate", test)):
        _write_table(setup / f"{name}.csv", labelled, ((r.filename, r.scene) for r in rows))
    _write_table(setup / "fold1_test.csv", ("filename",), ((r.filename,) for r in test))
    described = ((r.filename, r.scene, r.identifier, r.device) for r in train + test)
    _write_table(folder / "meta.csv", (*labelled, "identifier", "source_label"), described)


def _write_table(path: Path, header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    """Write tab-separated rows, atomically."""
    write_text(path, "".join("\t".join(row) + "\n" for row in (header, *rows)))
