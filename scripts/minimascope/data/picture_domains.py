"""Where pictures come from, such as a camera or a style: as folders or a table say.

No torch is imported here.
"""

from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath

from ..errors import InputError
from ..study.names import fault_of_name
from .raw_files import from_split_on, layout, picture_names, split_and_class
from .recordings import records

COLUMNS = ("filename", "domain")


def domain_finder(
    domains: bool | str, data_dir: Path, root: Path
) -> Callable[[PurePosixPath], str | None]:
    """Return what gives the domain of a picture of a data set by its path, None without domains.

    Args:
        domains: whether folders of domains lie between splits and classes; or a table with the
            columns filename and domain that names every picture, as `read_domains` reads it.
        data_dir: what a relative path of the table is relative to.
        root: the folder or archive that holds the pictures. Its names are read for a table.

    Raises:
        InputError: the table is at fault (`read_domains`), or it and the pictures do not match;
            names the first picture or row, and how many.
    """
    if domains is True:
        return lambda name: from_split_on(name).parts[1]
    if domains is False:
        return lambda name: None
    table = Path(data_dir, domains)
    listed = read_domains(table)
    _check_pictures(listed, table, root)
    return lambda name: listed[from_split_on(name)]


def read_domains(table: Path) -> dict[PurePosixPath, str]:
    """Return the domain of each picture that a table names, by its path from train or test on.

    Raises:
        InputError: no such table, a column is missing, a cell is empty, a path does not begin with
            ``train/<class>/`` or ``test/<class>/``, a domain has a name that is not fit for a table
            (`fault_of_name`), or a picture has two domains; names the file and its line.
    """
    listed: dict[PurePosixPath, str] = {}
    for where, row in records(table, COLUMNS):
        name, domain = PurePosixPath(row["filename"]), row["domain"]
        if from_split_on(name) != name or not split_and_class(name):
            raise InputError(
                f"{where}: filename {row['filename']!r} is not in {layout()}; write paths from"
                " train or test on, such as train/cat/1.png"
            )
        if fault := fault_of_name(domain):
            raise InputError(f"{where}: domain {domain!r} {fault}; rename it")
        if listed.setdefault(name, domain) != domain:
            raise InputError(
                f"{where}: {name} has domain {domain!r} here and {listed[name]!r} above; remove one"
                " of the rows"
            )
    return listed


def _check_pictures(listed: Mapping[PurePosixPath, str], table: Path, root: Path) -> None:
    pictures = [from_split_on(name) for name in picture_names(root) if split_and_class(name)]
    if lacking := [name for name in pictures if name not in listed]:
        raise InputError(
            f"{table}: no row for {lacking[0]}, a picture of {root} (missing: {len(lacking)} of"
            f" {len(pictures)}); add rows with its filename and domain, or remove the pictures"
        )
    there = {*pictures}
    if lost := [name for name in listed if name not in there]:
        raise InputError(
            f"{table}: no picture {lost[0]} in {root} (rows without one: {len(lost)} of"
            f" {len(listed)}); correct the column filename, or remove the rows"
        )
