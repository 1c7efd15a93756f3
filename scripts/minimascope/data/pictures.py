"""Pictures by split and class, from a folder or an archive, as one data set."""

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError

from ..errors import InputError
from ..jobs.progress import progress
from ..study.names import fault_of_name
from .archives import archive_files, is_archive
from .prepared import Dataset, Split
from .raw_files import FORMATS, visible_files

# White in pictures of 16 bits per pixel.
WHITE_16_BIT = 2**16 - 1


@dataclass(frozen=True)
class Picture:
    """An encoded picture.

    Attributes:
        split: ``train`` or ``test``.
        label: name of its class.
        name: its path, which decides the order within a class.
        content: the file's bytes.
        domain: where it comes from; None where that is unknown.
    """

    split: str
    label: str
    name: str
    content: bytes
    domain: str | None = None


def files_of(
    path: Path, wanted: Callable[[PurePosixPath], bool]
) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Yield (path inside, content) of each wanted file below a folder or in an archive.

    Hidden files and folders are skipped: macOS, Jupyter and others leave copies there.
    """

    def chosen(name: PurePosixPath) -> bool:
        return not any(part.startswith(".") for part in name.parts) and wanted(name)

    if is_archive(path):
        yield from archive_files(path, chosen)
        return
    for name in sorted(name for name, _ in visible_files(path)):
        if wanted(name):
            yield name, (path / name).read_bytes()


def dataset_of(pictures: Iterable[Picture], origin: Path, image_size: int | None) -> Dataset:
    """Decode pictures as RGB, in the order of their classes and names.

    A domain is seen if it has training pictures.

    Args:
        pictures: of both splits, in any order; all with a domain, or none.
        origin: the folder or archive, for messages.
        image_size: side in pixels to which every picture is resized (bicubic); None keeps the
            pictures as they are, which must then be square and of one size.

    Raises:
        InputError: a split is empty, a class is in one split only, a class or domain has a name
            that is not fit for a table (`fault_of_name`), a file is not a picture, or sizes differ
            and there is no ``image_size``.
    """
    decoded = _decoded(pictures, origin, image_size, ("train", "test"))
    classes, others = ({picture.label for picture, _ in rows} for rows in decoded.values())
    if unmatched := classes ^ others:
        there, lacking = ("train", "test") if min(unmatched) in classes else ("test", "train")
        raise InputError(
            f"{origin}: class {min(unmatched)!r} has pictures in {there} and none in {lacking}; add"
            " some there, or remove its folder"
        )
    names = _names("class", classes, origin)
    trained, tested = ({picture.domain for picture, _ in rows} for rows in decoded.values())
    domains = _names("domain", (trained | tested) - {None}, origin)
    train, test = (_split(rows, names, domains, origin) for rows in decoded.values())
    return Dataset(train, test, names, domains, tuple(name in trained for name in domains))


def test_set_of(pictures: Iterable[Picture], origin: Path, image_size: int | None) -> Dataset:
    """Decode pictures of a test split alone, which both splits of what is returned are."""
    rows = _decoded(pictures, origin, image_size, ("test",))["test"]
    names = _names("class", {picture.label for picture, _ in rows}, origin)
    test = _split(rows, names, (), origin)
    return Dataset(test, test, names)


def _decoded(
    pictures: Iterable[Picture], origin: Path, image_size: int | None, splits: Sequence[str]
) -> dict[str, list[tuple[Picture, torch.Tensor]]]:
    """Return the pictures of each split with what they show, without the files' bytes."""
    decoded: dict[str, list[tuple[Picture, torch.Tensor]]] = {split: [] for split in splits}
    for picture in progress(pictures, "pictures", "file"):
        image = decoded_picture(picture, origin, image_size)
        decoded[picture.split].append((replace(picture, content=b""), image))
    for split, rows in decoded.items():
        if not rows:
            layout = " and ".join(f"{each}/<class>/" for each in splits)
            raise InputError(
                f"{origin / split}: no folder with one folder of pictures per class; set 'path' to"
                f" the folder or archive that holds {layout}"
            )
        rows.sort(key=lambda row: (row[0].label, row[0].name))
    return decoded


def _names(kind: str, names: set[str], origin: Path) -> tuple[str, ...]:
    for name in sorted(names):
        if fault := fault_of_name(name):
            raise InputError(f"{origin}: {kind} {name!r} {fault}; rename its folders")
    return tuple(sorted(names))


def _split(
    rows: list[tuple[Picture, torch.Tensor]],
    classes: tuple[str, ...],
    domains: tuple[str, ...],
    origin: Path,
) -> Split:
    expected = rows[0][1].shape
    for picture, image in rows:
        if image.shape != expected or image.shape[1] != image.shape[2]:
            raise InputError(
                f"{origin / picture.name}: {image.shape[2]}×{image.shape[1]} pixels where"
                f" {expected[2]}×{expected[2]} were expected; set 'image_size' to resize every"
                " picture"
            )
    labels = torch.tensor([classes.index(picture.label) for picture, _ in rows])
    places = [domains.index(picture.domain) for picture, _ in rows] if domains else None
    inputs = torch.stack([image for _, image in rows])
    return Split(inputs, labels, None if places is None else torch.tensor(places))


def decoded_picture(picture: Picture, origin: Path, image_size: int | None = None) -> torch.Tensor:
    """Return a picture as RGB, uint8 [3, height, width], upright; see `dataset_of`."""
    try:
        with Image.open(io.BytesIO(picture.content), formats=FORMATS) as file:
            image = _as_seen(file)
    except InputError as error:
        raise InputError(f"{origin / picture.name}: {error}") from None
    except UnidentifiedImageError:
        raise InputError(
            f"{origin / picture.name}: not a readable picture, whatever its name says; replace or"
            " remove it"
        ) from None
    except Exception as error:  # whatever a decoder makes of arbitrary bytes
        raise InputError(
            f"{origin / picture.name}: not a readable picture ({error}); replace or remove it"
        ) from error
    if image_size is not None:
        image = image.resize((image_size, image_size), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def _as_seen(file: Image.Image) -> Image.Image:
    """Return a picture in RGB as viewers show it: upright, and 16-bit grey from black to white."""
    image = ImageOps.exif_transpose(file)
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        levels = np.asarray(image)
        if image.mode == "F" or levels.min() < 0 or levels.max() > WHITE_16_BIT:
            raise InputError(
                "has 32 bits per pixel, of which nobody knows what is white; save it with 8 or 16"
            )
        image = Image.fromarray((levels / WHITE_16_BIT * 255).round().astype(np.uint8))
    return image.convert("RGB")
