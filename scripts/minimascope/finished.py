"""The parts of a long measurement that are done, from which an interrupted one continues."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from os import PathLike
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .measurement import Measured, Measurement
from .state_file import StateFile
from .tensors import below


class FinishedParts:
    """The file in which a measurement keeps its finished parts, in sections.

    Attributes:
        seconds: that earlier starts of the measurement took, up to the last part they kept.
        parts: by ``section/name``.
        documents: what was measured besides arrays, by section.
    """

    def __init__(self, path: str | PathLike, identity: Mapping[str, Any], device: torch.device):
        """Name the file, and say what is measured: network, data, settings and code.

        Raises:
            InputError: the file is there but damaged.
        """
        self._file = StateFile(path, identity, device)
        nothing = {}, {"seconds": 0.0, "documents": {}}
        self.parts, metadata = self._file.read() or nothing
        self.seconds: float = metadata["seconds"]
        self.documents: dict[str, Any] = metadata["documents"]
        self._begun = time.perf_counter()

    def section(self, name: str) -> "FinishedSection":
        """Return where one measurement of several keeps its parts, under a name."""
        return FinishedSection(self, name)

    def remove(self) -> None:
        """Delete the file, once what it is for is safely written."""
        self._file.remove()

    def write_if_cheap(self) -> None:
        """Write all parts, unless that takes more than 5 % of the time."""
        if self._file.is_cheap:
            seconds = self.seconds + time.perf_counter() - self._begun
            self._file.write(self.parts, seconds=seconds, documents=self.documents)


@dataclass(frozen=True)
class FinishedSection:
    """What one measurement sees of `FinishedParts`: those of its own."""

    whole: FinishedParts
    name: str

    def restore(self) -> dict[str, Tensor]:
        """Return the finished parts by name."""
        return below(self.whole.parts, f"{self.name}/")

    def save_if_cheap(self, parts: Mapping[str, Tensor]) -> None:
        """Keep finished parts, and write all unless that takes more than 5 % of the time."""
        self.whole.parts |= {f"{self.name}/{name}": part for name, part in parts.items()}
        self.whole.write_if_cheap()

    def measured(self) -> Measured | None:
        """Return what `finish` kept, or None if this measurement is not finished."""
        document = self.whole.documents.get(self.name)
        if document is None:
            return None
        measurements = [Measurement(**each) for each in document["measurements"]]
        arrays = {name: part.numpy() for name, part in self.restore().items()}
        return Measured(measurements, document["details"], arrays)

    def finish(self, measured: Measured) -> None:
        """Keep what was measured in the place of its parts, and write all if that is cheap."""
        for name in self.restore():
            del self.whole.parts[f"{self.name}/{name}"]
        self.whole.documents[self.name] = {
            "measurements": [asdict(each) for each in measured.measurements],
            "details": measured.details,
        }
        arrays = {name: np.ascontiguousarray(array) for name, array in measured.arrays.items()}
        self.save_if_cheap({name: torch.from_numpy(array) for name, array in arrays.items()})
