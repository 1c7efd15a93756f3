"""The file from which work that was interrupted continues."""

import time
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .canonical import canonical_json
from .devices import device_name
from .errors import InputError
from .files import remove_abandoned
from .tensors import load_tensors, save_tensors

# Writing states may take this share of the time.
LARGEST_OVERHEAD = 0.05


class StateFile:
    """The file that keeps the state of long work.

    It belongs to one piece of work, on one kind of device and with one version of torch: the state
    of another one is not continued but written over.
    """

    def __init__(self, path: str | PathLike, identity: Any, device: torch.device):
        """Name the file.

        Args:
            path: of the file.
            identity: JSON-able; what the state depends on besides torch and the device.
            device: where the work is done.
        """
        self.path = Path(path)
        origin = {"torch": torch.__version__, "device": device_name(device)}
        self.identity = canonical_json({"work": identity, **origin})
        self._cost = 0.0
        self._last_written = time.perf_counter()

    def read(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """Return the tensors and metadata of this work's state, or None if there is none.

        Raises:
            InputError: the file is there but damaged.
        """
        try:
            tensors, metadata = load_tensors(self.path)
        except InputError:
            # Also one that a second process of the same job, which is finished, has just removed.
            if not self.path.exists():
                return None
            raise
        return (tensors, metadata) if metadata.get("identity") == self.identity else None

    def write(self, tensors: Mapping[str, Tensor], **metadata: Any) -> None:
        """Write a state."""
        start = time.perf_counter()
        save_tensors(self.path, tensors, identity=self.identity, **metadata)
        self._last_written = time.perf_counter()
        self._cost = self._last_written - start

    @property
    def is_cheap(self) -> bool:
        """Whether writing now would slow the work by no more than 5 %."""
        return self._cost <= LARGEST_OVERHEAD * (time.perf_counter() - self._last_written)

    def remove(self) -> None:
        """Delete the file, once what it is for is safely written."""
        self.path.unlink(missing_ok=True)
        remove_abandoned(self.path)
