"""Which GPU a job computes on, where several jobs share a machine."""

import errno
import os
import socket
import time
from collections.abc import Sequence
from functools import cache

import torch

from ..devices import default_device
from .progress import say

# Seconds between two looks for a free GPU.
POLL = 0.5
# As long as this process lives.
_claims: list[socket.socket] = []


@cache
def job_device() -> torch.device:
    """Return the device that this process computes on: a GPU of its own, or the CPU.

    Snakemake counts GPUs but hands none out. So a process takes the first visible GPU that no
    other process of this workflow has on this machine, and keeps it until it ends; where none is
    free it waits. A single GPU assigned by a cluster is used directly: the cluster may let
    several jobs share one.
    """
    device = default_device()
    if device.type == "cpu":
        return device
    count = torch.cuda.device_count()
    assigned = count == 1 and "SLURM_JOB_ID" in os.environ
    names = [str(torch.cuda.get_device_properties(index).uuid) for index in range(count)]
    device = torch.device("cuda", 0 if assigned else claim(names))
    torch.cuda.set_device(device)
    return device


def claim(names: Sequence[str]) -> int:
    """Return the place of the first GPU that no other process has claimed, and claim it.

    A claim is the name of a socket, of which the kernel knows one on each machine, whoever its
    user is, and which it frees when the process ends; no file is left behind.

    Args:
        names: of the GPUs, the same in all processes.
    """
    waiting = False
    while True:
        for index, name in enumerate(names):
            if _claimed(name):
                return index
        if not waiting:
            say(f"waiting for a GPU: {len(names)} here, and other jobs have them all")
            waiting = True
        time.sleep(POLL)


def _claimed(name: str) -> bool:
    """Return whether a name could be claimed for this process."""
    claim = socket.socket(socket.AF_UNIX)
    try:
        # It begins with a zero byte, so it is not the path of a file.
        claim.bind(f"\0minimascope/{name}")
    except OSError as error:
        claim.close()
        if error.errno != errno.EADDRINUSE:
            raise
        return False
    _claims.append(claim)
    return True
