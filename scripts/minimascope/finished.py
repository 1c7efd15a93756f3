"""The parts of a long measurement that are done, from which an interrupted one continues."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .canonical import canonical_json
from .checkpoints import LARGEST_OVERHEAD
from .devices import device_name
from .errors import InputError
from .files import remove_abandoned
from .tensors import below, load_tensors, save_tensors


class FinishedParts:
    """The file in which a measurement keeps its finished parts.

    It belongs to one measurement, on one device and with one version of torch: parts of another
    one are not taken but written over.

    Attributes:
        seconds: that earlier starts of the measurement took, up to the last part they kept.
    """

    def __init__(self, path: str | PathLike, about: Mapping[str, Any], device: torch.device):
        """Name the file, and say what is measured: network, data, settings and code."""
        self.path = Path(path)
        origin = {"torch": torch.__version__, "device": device_name(device)}
        self.identity = canonical_json({**about, **origin})
        self.seconds = 0.0
        self._parts: dict[str, Tensor] | None = None
        self._cost = 0.0
        self._begun = self._last_saved = time.perf_counter()

    def of(self, name: str) -> "FinishedSection":
        """Return where a part of the measurement keeps parts of its own, under a name."""
        return FinishedSection(self, f"{name}/")

    def restore(self, prefix: str = "") -> dict[str, Tensor]:
        """Return the finished parts whose names begin with a prefix, by the rest of their names.

        There are none if there is no file of this measurement.

        Raises:
            InputError: the file is there but damaged.
        """
        if self._parts is None:
            self._begun = self._last_saved = time.perf_counter()
            self._parts = self._read()
        return below(self._parts, prefix)

    def _read(self) -> dict[str, Tensor]:
        try:
            tensors, metadata = load_tensors(self.path)
        except InputError:
            # Also one that a second process of the same job, which is finished, has just removed.
            if not self.path.exists():
                return {}
            raise
        if metadata.get("identity") != self.identity:
            return {}
        self.seconds = metadata["seconds"]
        return tensors

    def save_if_cheap(self, parts: Mapping[str, Tensor], prefix: str = "") -> None:
        """Write finished parts, with those before, unless that takes more than 5 % of the time."""
        self._parts = (self._parts or {}) | {prefix + name: part for name, part in parts.items()}
        start = time.perf_counter()
        if self._cost > LARGEST_OVERHEAD * (start - self._last_saved):
            return
        seconds = self.seconds + start - self._begun
        save_tensors(self.path, self._parts, identity=self.identity, seconds=seconds)
        self._last_saved = time.perf_counter()
        self._cost = self._last_saved - start

    def remove(self) -> None:
        """Delete the file, once what it is for is safely written."""
        self.path.unlink(missing_ok=True)
        remove_abandoned(self.path)


@dataclass(frozen=True)
class FinishedSection:
    """What a part of a measurement sees of its `FinishedParts`: those under a prefix."""

    whole: FinishedParts
    prefix: str

    def restore(self) -> dict[str, Tensor]:
        """Return the finished parts by name."""
        return self.whole.restore(self.prefix)

    def save_if_cheap(self, parts: Mapping[str, Tensor]) -> None:
        """Do as `FinishedParts.save_if_cheap` does."""
        self.whole.save_if_cheap(parts, self.prefix)
