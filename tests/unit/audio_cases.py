"""Small recordings, tables, archives and official layouts that tests are made of."""

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import soundfile
from packing import files_below, packed

RATE = 8000
COLUMNS = ("filename", "label", "domain", "split", "seen")
# Two classes from three phones, of which the third was never trained on.
ROWS = (
    ("dog-1.wav", "dog", "phone", "train", "true"),
    ("cat-1.wav", "cat", "phone", "train", "true"),
    ("dog-2.wav", "dog", "tablet", "train", "true"),
    ("cat-2.wav", "cat", "tablet", "test", "true"),
    ("dog-3.wav", "dog", "phone", "test", "true"),
    ("cat-3.wav", "cat", "watch", "test", "false"),
)
# The same in the official layout; the last recording is in neither fold.
SCENES = {
    "train": ("bus-oslo-1-0-a", "park-rome-2-0-a", "bus-rome-3-0-b", "park-oslo-4-0-s1"),
    "test": ("park-oslo-5-0-s4", "bus-oslo-6-0-a"),
    "neither": ("metro_station-rome-7-0-c",),
}
TABLES = {
    "train": ("evaluation_setup/fold1_train.csv", ("filename", "scene_label")),
    "test": ("evaluation_setup/fold1_evaluate.csv", ("filename", "scene_label")),
    "meta": ("meta.csv", ("filename", "scene_label", "identifier", "source_label")),
}


def noise(seed: int, seconds: float = 0.5, rate: int = RATE) -> np.ndarray:
    """White noise [samples], float64 in -0.5 … 0.5."""
    return np.random.default_rng(seed).uniform(-0.5, 0.5, round(seconds * rate))


def write_sound(path: Path, samples: np.ndarray, rate: int = RATE, **options: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, **options)
    return path


def write_table(
    path: Path, rows: Iterable[Iterable[str]], columns: Iterable[str], delimiter: str = ","
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=delimiter).writerows([columns, *rows])
    return path


def audio_folder(folder: Path, rows: Iterable[tuple[str, ...]] = ROWS) -> Path:
    """Write ``table.csv`` and, beside it, half a second of noise for each of its rows."""
    for number, row in enumerate(rows):
        write_sound(folder / row[0], noise(number))
    write_table(folder / "table.csv", rows, COLUMNS)
    return folder


def dcase_layout(folder: Path, scenes: Mapping[str, tuple[str, ...]] = SCENES) -> Path:
    """Write noise and tables in the layout of the official acoustic scenes."""
    rows: dict[str, list[tuple[str, ...]]] = {"train": [], "test": [], "neither": [], "meta": []}
    for split, names in scenes.items():
        for number, name in enumerate(names):
            scene, city, location, _, device = name.split("-")
            file = f"audio/{name}.wav"
            write_sound(folder / file, noise(number), subtype="PCM_24")
            rows[split].append((file, scene))
            rows["meta"].append((file, scene, f"{city}-{location}", device))
    for key, (table, columns) in TABLES.items():
        write_table(folder / table, rows[key], columns, delimiter="\t")
    return folder


def packed_sounds(
    folder: Path, path: Path, top: str = "", only: Iterable[str] | None = None
) -> Path:
    """Pack a folder's files, or only some of them, as the archive that the path's name says."""
    files = files_below(folder).items()
    chosen = {top + name: content for name, content in files if only is None or name in only}
    return packed(path, chosen)
