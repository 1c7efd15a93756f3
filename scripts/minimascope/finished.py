"""The parts of a long measurement that are done, from which an interrupted one continues."""

import time
from collections.abc import Mapping
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
from .tensors import load_tensors, save_tensors


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
        self._cost = 0.0
        self._begun = self._last_saved = time.perf_counter()

    def restore(self) -> dict[str, Tensor]:
        """Return the finished parts by name; none if there is no file of this measurement.

        Raises:
            InputError: the file is there but damaged.
        """
        self._begun = self._last_saved = time.perf_counter()
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

    def save_if_cheap(self, parts: Mapping[str, Tensor]) -> None:
        """Write all finished parts, unless that would take more than 5 % of the time."""
        start = time.perf_counter()
        if self._cost > LARGEST_OVERHEAD * (start - self._last_saved):
            return
        seconds = self.seconds + start - self._begun
        save_tensors(self.path, parts, identity=self.identity, seconds=seconds)
        self._last_saved = time.perf_counter()
        self._cost = self._last_saved - start

    def remove(self) -> None:
        """Delete the file, once what it is for is safely written."""
        self.path.unlink(missing_ok=True)
        remove_abandoned(self.path)
