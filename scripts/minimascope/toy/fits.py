"""Training of many small networks as one: Adam on the whole of the data, mean squared error.

Every network has its own row of parameters, gradients and running means, so that what it learns
depends on its function and seed alone, but for rounding: products of several matrices at once may
round otherwise than those of one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..checkpoints import CheckpointFile, Progress
from ..errors import InputError
from ..jobs.progress import progress
from ..optim.standard import without_compiler
from .networks import Backpropagation, initial_parameters, networks_at_once
from .problems import Problem, all_samples

# Steps between two looks at whether a checkpoint is due, and at whether all losses are finite.
STEPS_BETWEEN_CHECKPOINTS = 100
NOT_REACHED = -1


@dataclass(frozen=True)
class FitSpec:
    """How toy networks are trained.

    Attributes:
        points: number of training points of a seed.
        width: of both hidden layers.
        lr: learning rate of Adam, whose other settings are torch's.
        epochs: after which networks are kept, in increasing order; the last ends the training. An
            epoch is one step on all points.
        losses: training losses (mean squared error); a network is kept after the first epoch that
            ends at or below each of them.
    """

    points: int
    width: int
    lr: float
    epochs: tuple[int, ...]
    losses: tuple[float, ...]

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "FitSpec":
        """Build the specification from the settings of `rules/toy.smk`."""
        return cls(
            **{**config, "epochs": tuple(config["epochs"]), "losses": tuple(config["losses"])}
        )

    @property
    def kept(self) -> list[tuple[str, float]]:
        """What networks are kept at: ``("epoch", …)`` and ``("loss", …)``."""
        return [
            *(("epoch", epoch) for epoch in self.epochs),
            *(("loss", loss) for loss in self.losses),
        ]


class Fits(nn.Module):
    """Networks under training and their copies.

    Attributes:
        parameters_of_all: [networks, P].
        copies: [kept, networks, P], NaN where nothing was kept yet.
        epochs: [kept, networks], after how many each copy was made, `NOT_REACHED` where none was.
        targets: [kept, 1], the loss at or below which a copy is made; minus infinity where an
            epoch decides.
    """

    def __init__(self, initial: Tensor, spec: FitSpec):
        super().__init__()
        kept = len(spec.kept)
        self.parameters_of_all = nn.Parameter(initial)
        self.register_buffer("copies", initial.new_full((kept, *initial.shape), torch.nan))
        epochs = torch.full((kept, len(initial)), NOT_REACHED, device=initial.device)
        self.register_buffer("epochs", epochs)
        targets = [value if kind == "loss" else -torch.inf for kind, value in spec.kept]
        self.register_buffer("targets", initial.new_tensor(targets)[:, None], persistent=False)

    def keep(self, rows: Tensor, epoch: int) -> None:
        """Copy networks as they are: ``rows`` [kept, networks] says which ones, and for what."""
        at, network = rows.nonzero(as_tuple=True)
        self.copies[at, network] = self.parameters_of_all.detach()[network]
        self.epochs[at, network] = epoch


def pieces(
    wanted: Sequence[Problem], at_once: int | None, points: int, device: torch.device
) -> list[Sequence[Problem]]:
    """Return the problems in pieces that are trained one after another.

    Args:
        wanted: all of them.
        at_once: how many to a piece; None for what is fastest: all on a GPU, which would idle with
            few, and on a CPU as many as fit into its caches.
        points: number of training points.
        device: where they are trained.
    """
    size = at_once or networks_at_once(points, device)
    return [wanted[start : start + size] for start in range(0, len(wanted), size)]


def fit(
    wanted: Sequence[Problem],
    spec: FitSpec,
    device: torch.device,
    checkpoint: CheckpointFile | None = None,
    dtype: torch.dtype = torch.float32,
) -> Fits:
    """Train a network for each problem, all together, and return it with its copies.

    Args:
        wanted: the problems.
        spec: see `FitSpec`.
        device: where the networks are trained.
        checkpoint: where an interrupted training continues from.
        dtype: floating type of the training.

    Raises:
        InputError: a loss became infinite or NaN.
    """
    points, values = all_samples(wanted, "train", spec.points, dtype, device)
    initial = [initial_parameters(spec.width, problem.seed) for problem in wanted]
    fits = Fits(torch.stack(initial).to(device, dtype), spec)
    optimizer = without_compiler(torch.optim.Adam)(fits.parameters(), lr=spec.lr, fused=True)
    backpropagation = Backpropagation(fits.parameters_of_all, points, values)
    fits.parameters_of_all.grad = backpropagation.gradients
    done = checkpoint.restore(fits, optimizer).epoch if checkpoint else 0
    last = spec.epochs[-1]
    for epoch in progress(range(done, last + 1), "fits", "epoch", done):
        if epoch % STEPS_BETWEEN_CHECKPOINTS == 0 and checkpoint and epoch > done:
            checkpoint.save_if_cheap(fits, optimizer, Progress(epoch))
        losses = backpropagation.step()
        if epoch in spec.epochs or epoch % STEPS_BETWEEN_CHECKPOINTS == 0:
            _check_finite(losses, wanted, epoch)
        _keep(fits, losses, spec, epoch)
        if epoch < last:
            optimizer.step()
    if checkpoint:
        checkpoint.save(fits, optimizer, Progress(last))
    return fits


def _keep(fits: Fits, losses: Tensor, spec: FitSpec, epoch: int) -> None:
    """Copy the networks for which this epoch, or the loss after it, is one to keep them at."""
    if epoch == 0:
        return
    if epoch in spec.epochs:
        rows = torch.zeros_like(fits.epochs, dtype=torch.bool)
        rows[spec.epochs.index(epoch)] = True
        fits.keep(rows, epoch)
    reached = (losses <= fits.targets) & (fits.epochs == NOT_REACHED)
    if reached.any():
        fits.keep(reached, epoch)


def _check_finite(losses: Tensor, wanted: Sequence[Problem], epoch: int) -> None:
    bad = (~losses.isfinite()).nonzero()
    if len(bad):
        problem = wanted[int(bad[0])]
        raise InputError(
            f"toy_fits: the loss of {problem.function}, seed {problem.seed}, is"
            f" {losses[bad[0]].item()} after epoch {epoch}; lower toy_fits.lr"
        )
