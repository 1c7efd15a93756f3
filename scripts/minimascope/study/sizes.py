"""How large data sets are, as far as a study's file says it. No torch is imported here."""

import csv
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..data.class_names import CLASSES
from ..data.picture_domains import read_domains
from .study import Study

DIGITS = 1797
# Training samples, test samples, classes and shape of the published data sets. Recordings of
# DCASE2020 last ten seconds.
PUBLISHED = {
    "cifar10": (50_000, 10_000, 10, (3, 32, 32)),
    "cifar100": (50_000, 10_000, 100, (3, 32, 32)),
    "tiny_imagenet": (100_000, 10_000, 200, (3, 64, 64)),
    "dcase2020": (13_962, 2_968, 10, None),
}
DCASE_SECONDS = 10.0
# Of generated scenes: their number, and the devices that share the clips of the test fold.
SCENES, DEVICES = 10, 9


@dataclass(frozen=True)
class Size:
    """Size of a data set; None where only its files tell.

    Attributes:
        train: number of training samples.
        test: number of test samples.
        classes: number of classes.
        shape: channels, height and width of an input: pixels, or mel bands and frames.
    """

    train: int | None = None
    test: int | None = None
    classes: int | None = None
    shape: tuple[int, int, int] | None = None


def known_size(study: Study, dataset: str) -> Size:
    """Return what a study's file says of the size of a data set, the part that is used."""
    spec = study.config["datasets"][dataset]
    size = _of_classes(whole_size(spec), spec["classes"])
    part = {split: spec[f"{split}_samples"] or getattr(size, split) for split in ("train", "test")}
    return replace(size, **part)


def _of_classes(size: Size, classes: Collection[Any] | None) -> Size:
    """Return the size of a data set with these classes alone, as if they all had equal shares."""
    if classes is None or size.classes is None:
        return size
    share = len(classes) / size.classes
    numbers = {split: getattr(size, split) for split in ("train", "test")}
    parts = {split: n and round(n * share) for split, n in numbers.items()}
    return replace(size, classes=len(classes), **parts)


def whole_size(spec: Mapping[str, Any]) -> Size:
    """Return what a study's file says of the size of a source with its options, all of it."""
    match spec["source"]:
        case "digits" | "digit_styles":
            side, train = spec["image_size"], spec["train_size"]
            return Size(train, DIGITS - train, 10, (1, side, side))
        case "letters":
            side, classes = spec["image_size"], len(CLASSES["letters"])
            return Size(spec["train_letters"], spec["test_letters"], classes, (1, side, side))
        case "circles":
            return Size(spec["train_points"], spec["test_points"], 2, (2, 1, 1))
        case "synthetic_scenes":
            clips = spec["clips"]
            test = SCENES * DEVICES * (clips // DEVICES)
            return Size(SCENES * clips, test, SCENES, _log_mels(spec, spec["seconds"]))
        case "dcase2020":
            return replace(Size(*PUBLISHED["dcase2020"]), shape=_log_mels(spec, DCASE_SECONDS))
        case "audio_folder":
            return Size(shape=_log_mels(spec, None))
        case "image_folder":
            side = spec["image_size"]
            return Size(shape=(3, side, side) if side else None)
    # A source of the user's own file may have any size.
    return Size(*PUBLISHED.get(spec["source"], ()))


def _log_mels(spec: Mapping[str, Any], seconds: float | None) -> tuple[int, int, int] | None:
    """Return the shape of log-mels of recordings of a length, unless the study cuts them."""
    features = spec["features"]
    seconds = features["seconds"] or seconds
    if seconds is None:
        return None
    samples = round(seconds * features["sample_rate"])
    return 1, features["mels"], 1 + samples // features["hop_length"]


def counted_size(study: Study, dataset: str) -> Size:
    """Return the same, completed by a look at the study's own files: about, and in little time."""
    size = known_size(study, dataset)
    spec = study.config["datasets"][dataset]
    folder = Path(study.config["data_dir"])
    table = spec["source"] == "image_folder" and spec["domains"]
    if isinstance(table, str) and (folder / table).is_file():
        counted = _listed(folder / table, spec["train_domains"])
    elif spec["source"] == "image_folder" and (folder / spec["path"] / "train").is_dir():
        counted = _pictures(folder / spec["path"], table is True, spec["train_domains"])
    elif spec["source"] == "audio_folder" and (folder / spec["table"]).is_file():
        counted = _rows(folder / spec["table"], spec["domain_column"], spec["train_domains"])
    else:
        return size
    counted = _of_classes(counted, spec["classes"])
    given = {key: value for key, value in vars(size).items() if value is not None}
    # No more samples are used than there are.
    used = {
        key: min(given[key], getattr(counted, key)) for key in ("train", "test") if key in given
    }
    return replace(counted, **given | used)


def _listed(table: Path, train_domains: Collection[Any] | None) -> Size:
    """Count pictures and classes of a table of domains; those for training of these alone."""
    domains = read_domains(table)
    counts = Counter(
        name.parts[0]
        for name, domain in domains.items()
        if name.parts[0] != "train" or train_domains is None or domain in map(str, train_domains)
    )
    return Size(counts["train"], counts["test"], len({name.parts[1] for name in domains}))


def _pictures(folder: Path, domains: bool, train_domains: Collection[Any] | None) -> Size:
    """Count pictures and classes of a folder, those for training of these domains alone."""
    above = "*/" * domains
    wanted = None if train_domains is None else {*map(str, train_domains)}
    counts = {
        split: sum(
            path.is_file() and (split == "test" or wanted is None or path.parts[-3] in wanted)
            for path in (folder / split).glob(f"{above}*/*")
        )
        for split in ("train", "test")
    }
    classes = {path.name for path in (folder / "train").glob(f"{above}*") if path.is_dir()}
    return Size(counts["train"], counts["test"], len(classes))


def _rows(table: Path, column: str, train_domains: Collection[Any] | None) -> Size:
    """Count recordings and classes of a table; those for training of these domains alone."""
    with table.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        rows = list(csv.DictReader(file))
    wanted = None if train_domains is None else {*map(str, train_domains)}
    counts = Counter(
        row.get("split")
        for row in rows
        if row.get("split") != "train" or wanted is None or row.get(column) in wanted
    )
    return Size(counts["train"], counts["test"], len({row.get("label") for row in rows}))
