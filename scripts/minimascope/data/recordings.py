"""Recordings of sounds: what each one is, who or what recorded it, and where its file lies."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from io import StringIO
from os import PathLike
from pathlib import Path, PurePosixPath

from ..errors import InputError, nearest
from ..files import write_rows
from ..study.names import fault_of_name

SPLITS = ("train", "test")
# What of a recording reaches tables.
SHOWN = ("filename", "label", "domain", "city", "place")
TRUTH = {"true": True, "false": False}


@dataclass(frozen=True)
class Recording:
    """A recorded sound.

    Attributes:
        filename: its file's path inside its place.
        label: what is heard.
        domain: the device, speaker or site that it comes from.
        split: ``train`` or ``test``.
        seen: whether networks may have seen its domain: in-domain or out-of-domain.
        place: the folder, or the .tar, .tar.gz, .tgz or .zip file, that holds its file.
        city: where it was recorded; None where that is unknown.
    """

    filename: str
    label: str
    domain: str
    split: str
    seen: bool
    place: str
    city: str | None = None

    @property
    def origin(self) -> str:
        """Its place and its path in there, for messages."""
        return f"{self.place}/{self.filename}"


def write_recordings(path: str | PathLike, recordings: Sequence[Recording]) -> None:
    """Write recordings as CSV, atomically, in their order."""
    rows = [asdict(recording) for recording in recordings]
    write_rows(path, [row | {"seen": str(row["seen"]).lower()} for row in rows])


def read_recordings(path: str | PathLike) -> tuple[Recording, ...]:
    """Read what `write_recordings` wrote; raises what `read_table` and `check` do."""
    return check(read_table(path), path)


def read_table(
    path: str | PathLike, place: str | None = None, domain_column: str = "domain"
) -> tuple[Recording, ...]:
    """Read recordings from a comma-separated table in UTF-8, in its order.

    Args:
        path: a table with the columns filename, label, domain, split, seen and, if cities are
            known, city; other columns are left alone.
        place: what holds the files; None reads it from the column ``place``.
        domain_column: name of the column that is used as domain.

    Raises:
        InputError: no such table, a column is missing, or a cell is empty or makes no sense;
            names the file and its line.
    """
    needed = ["filename", "label", domain_column, "split", "seen"]
    needed += ["place"] if place is None else []
    remedies = {domain_column: ", or set domain_column"}
    return tuple(
        _recording(row, where, place or row["place"], row[domain_column])
        for where, row in records(path, needed, remedies)
    )


def records(
    path: str | PathLike, needed: Sequence[str], remedies: Mapping[str, str] | None = None
) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield (place for messages, cells by column) of each row of a comma-separated table in UTF-8.

    Args:
        path: the table; its first line names the columns.
        needed: columns that must be there, with no cell empty; others are left alone.
        remedies: what else may be done where a column is missing, by column.

    Raises:
        InputError: no such table, no column of these or two of one name, a row of another length,
            or an empty cell; names the file and its line.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); correct its name") from error
    (_, header), *rows = rows_of(content, path) or [(1, [])]
    for column in needed:
        if column not in header:
            raise InputError(
                f"{path}: no column '{column}' ({nearest(column, header)}); its first line must"
                f" name the columns {', '.join(needed)}, with commas between them"
                + (remedies or {}).get(column, "")
            )
        if header.count(column) > 1:
            raise InputError(
                f"{path}: its first line names the column '{column}' twice; rename or remove one"
            )
    for line, cells in rows:
        where = f"{path}, line {line}"
        if len(cells) != len(header):
            raise InputError(
                f"{where}: {len(cells)} cells where there are {len(header)} columns; put cells"
                " with commas in double quotes"
            )
        row = dict(zip(header, cells, strict=True))
        if empty := next((column for column in needed if not row[column]), None):
            raise InputError(f"{where}: '{empty}' is empty; fill it in or remove the row")
        yield where, row


def rows_of(
    content: bytes, name: str | PathLike, delimiter: str = ","
) -> list[tuple[int, list[str]]]:
    """Return (line number, cells) of each line of a table that is not blank.

    Raises:
        InputError: the content is no table in UTF-8; names it, and the line whose quotes are at
            fault.
    """
    rows, start = [], 1
    try:
        text = StringIO(content.decode("utf-8-sig"), newline="")
        lines = csv.reader(text, delimiter=delimiter, strict=True)
        for row in lines:
            if any(row):
                rows.append((lines.line_num, [cell.strip() for cell in row]))
            start = lines.line_num + 1
    except UnicodeDecodeError as error:
        raise InputError(f"{name}: not a table in UTF-8 ({error}); save it as such") from error
    except csv.Error as error:
        raise InputError(
            f"{name}, line {start}: not a row of a table ({error}); close its quotes, or save the"
            " table anew"
        ) from error
    return rows


def _recording(row: dict[str, str], where: str, place: str, domain: str) -> Recording:
    if row["split"] not in SPLITS:
        raise InputError(f"{where}: split is '{row['split']}'; it must be train or test")
    seen = TRUTH.get(row["seen"].lower())
    if seen is None:
        raise InputError(f"{where}: seen is '{row['seen']}'; it must be true or false")
    filename = str(PurePosixPath(row["filename"]))
    return Recording(
        filename, row["label"], domain, row["split"], seen, place, row.get("city") or None
    )


def check(recordings: Sequence[Recording], origin: str | PathLike) -> tuple[Recording, ...]:
    """Return recordings if they can be studied.

    Args:
        recordings: of both splits.
        origin: the table or folder that lists them, for messages.

    Raises:
        InputError: a split is empty, a name is none for a table (`fault_of_name`), a recording is
            listed twice, a class or domain is not in the
            splits that it belongs in, or only some cities are known; names the recording.
    """
    for split in SPLITS:
        if all(recording.split != split for recording in recordings):
            raise InputError(f"{origin}: no recording has the split {split}; some of them must")
    found: set[str] = set()
    for recording in recordings:
        for column in SHOWN:
            name = getattr(recording, column)
            if name is not None and (fault := fault_of_name(name)):
                raise InputError(f"{origin}: {column} {name!r} {fault}; rename it")
        if recording.origin in found:
            raise InputError(f"{origin}: {recording.filename} is listed twice; remove one row")
        found.add(recording.origin)
    _check_labels(recordings, origin)
    _check_domains(recordings, origin)
    if any(recording.city for recording in recordings):
        for recording in recordings:
            if not recording.city:
                raise InputError(
                    f"{origin}: {recording.filename} has no city, but others do; give all of"
                    " them a city, or none"
                )
    return tuple(recordings)


def _check_labels(recordings: Sequence[Recording], origin: str | PathLike) -> None:
    learnt = {recording.label for recording in recordings if recording.split == "train"}
    for recording in recordings:
        if recording.label not in learnt:
            raise InputError(
                f"{origin}: label '{recording.label}' of {recording.filename} is in no training"
                f" recording ({nearest(recording.label, learnt)}); correct it or add some"
            )


def _check_domains(recordings: Sequence[Recording], origin: str | PathLike) -> None:
    trained = {recording.domain for recording in recordings if recording.split == "train"}
    first: dict[str, Recording] = {}
    for recording in recordings:
        domain, filename = f"'{recording.domain}'", recording.filename
        other = first.setdefault(recording.domain, recording)
        if recording.seen != other.seen:
            seen, unseen = (other, recording) if other.seen else (recording, other)
            raise InputError(
                f"{origin}: domain {domain} has seen=true for {seen.filename} and seen=false for"
                f" {unseen.filename}; give all of its recordings the same"
            )
        if recording.split == "train" and not recording.seen:
            raise InputError(
                f"{origin}: {filename} is in training, but its domain {domain} has seen=false; move"
                " the domain's recordings to test or set seen=true"
            )
        if recording.seen and recording.domain not in trained:
            raise InputError(
                f"{origin}: domain {domain} of {filename} has seen=true, but no training"
                " recordings; add some or set seen=false"
            )
