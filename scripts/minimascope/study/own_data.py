"""What `make check` says of a study's own pictures and recordings, without decoding them.

No torch is imported here.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any

import soundfile
from PIL import Image

from ..batch_of_one import batch_of_one, few_held_out, held_out
from ..data.archives import is_archive
from ..data.picture_domains import domain_finder
from ..data.raw_files import (
    FORMATS,
    SPLITS,
    from_split_on,
    is_picture,
    layout,
    picture_names,
    split_and_class,
    visible_files,
)
from ..data.recordings import read_table
from ..errors import InputError
from .keys import key_of
from .raw_data import faults_of_classes
from .study import FULL, Study

# Of so many files, evenly over all, the size or length is read.
SAMPLED = 200
# Files whose beginnings are equal, in bytes, are read as a whole.
BEGINNING = 4096
# A class with fewer says little, in either split.
FEW = 10
# So many classes, or domains, are listed one by one.
LISTED = 10
# Of a test split with domains that are not trained on.
OVER_BOTH = "test accuracy, generalisation gap, ECE and all else of the test split are over both"
# What systems put into folders.
OF_SYSTEMS = {".db", ".ini"}


@dataclass(frozen=True)
class Labelled:
    """A file with the split, class and, if it has one, domain that it belongs to."""

    path: Path
    split: str
    label: str
    size: int
    domain: str | None = None
    # As a table of recordings says of the domain.
    seen: bool | None = None


def own_data_lines(study: Study) -> tuple[list[str], Iterator[str]]:
    """Return what would stop a run, and what is worth knowing, of each data set of one's own.

    The files must be there (`raw_data.missing_files`). Of archives only the list of files in a .zip
    is read: others would have to be unpacked for theirs. What is worth knowing is looked for when
    it is asked for, since files of both splits are compared for it.

    Raises:
        PermissionError: a file or folder may not be read.
    """
    folder = Path(study.config["data_dir"])
    # Data sets of a sweep share files: a fault of these is told of the first.
    faults: dict[tuple[Path, str], str] = {}
    said = []
    for dataset, spec in study.config["datasets"].items():
        part = study.part_spec(dataset)
        if spec["source"] == "image_folder" and not is_archive(spec["path"]):
            place, kind = folder / spec["path"], "pictures"
            files, warnings = _pictures(folder, spec)
            found, measured = _pixels(files, spec)
        elif spec["source"] == "audio_folder" and not is_archive(spec["path"] or ""):
            table, kind = folder / spec["table"], "recordings"
            place = folder / spec["path"] if spec["path"] else table.parent
            # Recordings of other domains are not read; pictures are, before some are chosen.
            trained = {"train_domains": part.get("train_domains")}
            files = _used(_recordings(table, place, spec["domain_column"]), trained)
            warnings, (found, measured) = [], _seconds(files, spec)
        elif spec["source"] == "image_folder" and spec["path"].endswith(".zip"):
            place, kind = folder / spec["path"], "pictures"
            (files, found), measured = _zipped(folder, spec), ""
            warnings = [*_domains_as_classes(files, place, spec)]
        else:
            continue
        files = _used(files, part)
        found = [*found, *_few_held_out(study, dataset, files)]
        found += _batches_of_one(study, dataset, files)
        for line in found:
            faults.setdefault((place, line), f"datasets.{dataset}: {line}")
        domains = _of_domains(files, part.get("train_domains"), kind)
        said.append(_said(dataset, kind, place, files, measured, [*domains], warnings))
    return [*faults.values()], chain.from_iterable(said)


def _used(files: Sequence[Labelled], part: Mapping[str, Any]) -> Sequence[Labelled]:
    """Return the files of the classes, and domains in training, that a study chooses, or all."""
    classes, domains = (part.get(key) for key in ("classes", "train_domains"))
    return [
        file
        for file in files
        if (classes is None or file.label in classes)
        and (domains is None or file.split != "train" or file.domain in domains)
    ]


def _inputs(study: Study, dataset: str, files: Sequence[Labelled]) -> int:
    """Return how many training inputs of a data set are used."""
    inputs = sum(file.split == "train" for file in files)
    return min(inputs, study.config["datasets"][dataset]["train_samples"] or inputs)


def _few_held_out(study: Study, dataset: str, files: Sequence[Labelled]) -> Iterator[str]:
    """Yield what stops trainings that hold too few samples out."""
    inputs, classes = _inputs(study, dataset, files), len({file.label for file in files})
    for condition in study.trained_conditions:
        share = (study.training[dataset, condition]["averaging"] or {}).get("validation")
        if inputs and share and (fault := few_held_out(share, inputs, classes)):
            yield f"{key_of(study, dataset, condition, 'averaging.validation')}: {fault}"


def _batches_of_one(study: Study, dataset: str, files: Sequence[Labelled]) -> Iterator[str]:
    """Yield what stops training with BatchNorm, as far as a network is known to have that."""
    inputs = _inputs(study, dataset, files)
    networks = [network for own, network in study.pairs if own == dataset]
    trainings = (
        study.training[dataset, condition]
        for condition in study.trained_conditions
        if any(study.has_batchnorm(dataset, network, condition) for network in networks)
    )
    faults = dict.fromkeys(_batch_of_one(training, inputs) for training in trainings)
    yield from filter(None, faults)


def _batch_of_one(training: Mapping[str, Any], inputs: int) -> str:
    share = (training["averaging"] or {}).get("validation")
    used = inputs - held_out(share, inputs) if share else inputs
    batch = used if training["batch_size"] == FULL else training["batch_size"]
    return batch_of_one(batch, used, (training["sam"] or {}).get("group_size"))


def _said(
    dataset: str,
    kind: str,
    place: Path,
    files: Sequence[Labelled],
    measured: str,
    domains: Sequence[str],
    warnings: Sequence[str],
) -> Iterator[str]:
    counts = {split: Counter(f.label for f in files if f.split == split) for split in SPLITS}
    yield f"{dataset}: {_counted(counts, kind)}{measured and f'; {measured}'}"
    yield from (f"{dataset}: {line}" for line in domains)
    # Of what is packed no content is read.
    copies = [] if is_archive(place) else _of_twins(files, place, kind)
    for line in chain(warnings, _of_classes(counts, kind), copies):
        yield f"warning: {dataset}: {line}"


def _of_domains(
    files: Sequence[Labelled], trained: Collection[str] | None, kind: str
) -> Iterator[str]:
    """Yield how many test samples there are of each domain, seen or not; nothing without domains.

    Args:
        files: that are used.
        trained: domains that the study names for training, None for all that a table calls seen or
            that have training files.
        kind: of the files.
    """
    if trained is None:
        told = ((file, file.split == "train" if file.seen is None else file.seen) for file in files)
        trained = {file.domain for file, seen in told if seen}
    counts = Counter(file.domain for file in files if file.split == "test" and file.domain)
    named = {"seen": {*counts} & {*trained}, "unseen": {*counts} - {*trained}}
    if len(counts) > 1 or named["unseen"]:
        parts = [f"{key} {_largest(counts, names)}" for key, names in named.items() if names]
        why = f" ({OVER_BOTH})" if named["unseen"] else ""
        yield f"{kind} of test by domain: {'; '.join(parts)}{why}"


def _largest(counts: Counter[str], names: Collection[str]) -> str:
    """Return domains with their numbers of files, those with most of them first."""
    ordered = sorted(names, key=lambda name: (-counts[name], name))
    more = f" and {len(ordered) - LISTED} more" if len(ordered) > LISTED else ""
    return ", ".join(f"{name} {counts[name]:,}" for name in ordered[:LISTED]) + more


def _pictures(data_dir: Path, spec: Mapping[str, Any]) -> tuple[list[Labelled], list[str]]:
    """Return the pictures of a folder, and a warning of each kind of others."""
    folder, in_folders = data_dir / spec["path"], spec["domains"] is True
    domain_of = domain_finder(spec["domains"], data_dir, folder)
    files, loose, others = [], [], Counter()
    for name, entry in visible_files(folder):
        place = split_and_class(name, in_folders)
        if is_picture(name) and place:
            size = entry.stat().st_size
            files.append(Labelled(folder / name, *place, size, domain_of(name)))
        elif is_picture(name):
            loose.append(str(name))
        elif place and name.suffix.lower() not in OF_SYSTEMS:
            others[name.suffix.lower() or "without an ending"] += 1
    warnings = [*_domains_as_classes(files, folder, spec)]
    if loose:
        warnings.append(
            f"{_number(len(loose), 'picture')} outside of {layout(in_folders)}, such as"
            f" {min(loose)}, will not be read; move them into folders of classes"
        )
    if others:
        kinds = ", ".join(f"{count} {suffix}" for suffix, count in others.most_common())
        warnings.append(
            f"files of kinds that are not read will be left out ({kinds}); save pictures as JPEG or"
            " PNG"
        )
    return files, warnings


def _domains_as_classes(
    files: Sequence[Labelled], place: Path, spec: Mapping[str, Any]
) -> Iterator[str]:
    """Yield a line if folders that are taken for classes all hold the same folders, and no more."""
    inside: dict[str, set[str]] = {}
    for file in () if spec["domains"] else files:
        name = PurePosixPath(file.path.relative_to(place))
        _, label, *below = from_split_on(name).parts
        inside.setdefault(label, set()).add(below[0] if len(below) > 1 else "")
    kinds = {frozenset(folders) for folders in inside.values()}
    if len(inside) > 1 and len(kinds) == 1 and "" not in (folders := next(iter(kinds))):
        shown = " and ".join(sorted(inside)[:2])
        yield (
            f"the classes are folders such as {shown}, which all hold the same folders"
            f" ({', '.join(sorted(folders)[:LISTED])}); if these are the classes, and what is"
            " above them domains, set domains: true"
        )


def _zipped(data_dir: Path, spec: Mapping[str, Any]) -> tuple[list[Labelled], list[str]]:
    """Return the pictures that an archive lists, and a line for each fault of these."""
    path, in_folders = data_dir / spec["path"], spec["domains"] is True
    try:
        domain_of = domain_finder(spec["domains"], data_dir, path)
        files = [
            Labelled(path / name, *place, size=0, domain=domain_of(name))
            for name in picture_names(path)
            if (place := split_and_class(name, in_folders))
        ]
    except InputError as error:
        return [], [str(error)]
    places = ((file.split, file.label) for file in files)
    return files, [*faults_of_classes(places, path, in_folders)]


def _recordings(table: Path, folder: Path, domain_column: str) -> list[Labelled]:
    """Return the recordings of a table."""
    rows = read_table(table, str(folder), domain_column)
    paths = [folder / row.filename for row in rows]
    return [
        Labelled(path, row.split, row.label, path.stat().st_size, row.domain, row.seen)
        for path, row in zip(paths, rows, strict=True)
    ]


def _sampled(files: Sequence[Labelled]) -> Sequence[Labelled]:
    return files[:: -(-len(files) // SAMPLED)]


def _pixels(files: Sequence[Labelled], spec: Mapping[str, Any]) -> tuple[list[str], str]:
    """Return a line if pictures cannot be read or used as they are, and their sizes in words."""
    sizes = set()
    for file in _sampled(files):
        try:
            with Image.open(file.path, formats=FORMATS) as picture:
                sizes.add(picture.size)
        except PermissionError:
            raise
        # Whatever a reader makes of arbitrary bytes.
        except Exception:
            return [f"{file.path}: not a readable picture; replace or remove it"], ""
    first, last = (f"{width} × {height}" for width, height in (min(sizes), max(sizes)))
    said = f"{_range(first, last)} pixels"
    one_square = len(sizes) == 1 and all(width == height for width, height in sizes)
    if spec["image_size"] is None and not one_square:
        return [f"pictures have {said}; set image_size, such as 32, to make them alike"], said
    return [], said


def _seconds(files: Sequence[Labelled], spec: Mapping[str, Any]) -> tuple[list[str], str]:
    """Return a line if recordings cannot be read or used as they are, and their lengths."""
    lengths, rates = set(), set()
    for file in _sampled(files):
        try:
            with file.path.open("rb") as stream:
                about = soundfile.info(stream)
        # A TypeError where the file's name says that it holds nothing but samples.
        except (soundfile.SoundFileError, TypeError):
            return [f"{file.path}: no readable WAV, FLAC or OGG file; replace or remove it"], ""
        lengths.add(about.duration)
        rates.add(about.samplerate)
    said = f"{_range(f'{min(lengths):.3g}', f'{max(lengths):.3g}')} s"
    rate = " and ".join(map(str, sorted(rates)))
    faults = []
    # As the job that cuts them has it.
    alike = max(lengths) - min(lengths) < 1 / min(rates)
    if spec["features"]["seconds"] is None and not alike:
        faults.append(f"recordings last {said}; set features.seconds to cut or pad them alike")
    if len(rates) > 1 and not spec["features"]["mixed_rates"]:
        faults.append(
            f"recordings have {rate} Hz; resample them to one rate, or set features.mixed_rates to"
            " true if rates do not reveal classes"
        )
    return faults, f"{said} at {rate} Hz"


def _range(first: str, last: str) -> str:
    return first if first == last else f"{first} to {last}"


def _counted(counts: Mapping[str, Counter[str]], kind: str) -> str:
    """Return how many files there are of each split and class."""
    train, test = (f"{counts[split].total():,}" for split in SPLITS)
    classes = _classes(counts)
    each = ", ".join(f"{label} {_both(counts, label)}" for label in classes)
    if len(classes) > LISTED:
        numbers = ([counts[split][label] for label in classes] for split in SPLITS)
        each = " + ".join(_range(f"{min(n):,}", f"{max(n):,}") for n in numbers)
    number = _number(len(classes), "class")
    return f"{train} {kind} in train and {test} in test; {number} (train + test: {each})"


def _classes(counts: Mapping[str, Counter[str]]) -> list[str]:
    return sorted({label for split in SPLITS for label in counts[split]})


def _both(counts: Mapping[str, Counter[str]], label: str) -> str:
    return " + ".join(f"{counts[split][label]:,}" for split in SPLITS)


def _of_classes(counts: Mapping[str, Counter[str]], kind: str) -> Iterator[str]:
    classes = _classes(counts)
    if len(classes) == 1:
        yield f"there is only one class, {classes[0]}: nothing can be told apart; add another one"
    few = [label for label in classes if min(counts[split][label] for split in SPLITS) < FEW]
    if few:
        listed = ", ".join(f"{label} ({_both(counts, label)})" for label in few[:LISTED])
        more = f" and {len(few) - LISTED} more" if len(few) > LISTED else ""
        yield (
            f"fewer than {FEW} {kind} in train or test of {listed}{more}: accuracies will be"
            " uncertain; add some"
        )


def _of_twins(files: Iterable[Labelled], folder: Path, kind: str) -> Iterator[str]:
    """Yield a line on files of equal content of which one is in training and one in the test."""
    pairs = twins(files)
    if pairs:
        trained, tested = (path.relative_to(folder) for path in pairs[0])
        yield (
            f"{len(pairs)} {kind} of test are in train, too, such as {tested} ({trained}): they say"
            " nothing about generalisation; remove them from one of the two"
        )


def twins(files: Iterable[Labelled]) -> list[tuple[Path, Path]]:
    """Return each file of the test whose content a file of the training has, behind that file.

    Only those of one size are read, first their beginnings, and these as a whole if equal.
    """
    groups: list[list[Labelled]] = [[*files]]
    for key in (lambda file: file.size, _beginning, _content):
        groups = [part for group in groups for part in _across_splits(group, key)]
    return [
        (next(file.path for file in group if file.split == "train"), tested.path)
        for group in groups
        for tested in group
        if tested.split == "test"
    ]


def _across_splits(
    files: Iterable[Labelled], key: Callable[[Labelled], Any]
) -> Iterator[list[Labelled]]:
    """Yield files with the same key, of those keys that both splits have."""
    groups: dict[Any, list[Labelled]] = {}
    for file in files:
        groups.setdefault(key(file), []).append(file)
    yield from (group for group in groups.values() if {file.split for file in group} == {*SPLITS})


def _beginning(file: Labelled) -> bytes:
    with file.path.open("rb") as stream:
        return stream.read(BEGINNING)


def _content(file: Labelled) -> bytes:
    return sha256(file.path.read_bytes()).digest()


def _number(count: int, word: str) -> str:
    plural = f"{word}es" if word.endswith("s") else f"{word}s"
    return f"{count} {word if count == 1 else plural}"
