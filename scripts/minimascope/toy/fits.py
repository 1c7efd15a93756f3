"""Training of many small networks as one: Adam on the whole of the data, mean squared error.

Every network has its own row of parameters, gradients and running means, so that what it learns
depends on its function and seed alone, but for rounding: products of several matrices at once may
round otherwise than those of one.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from os import PathLike
from typing import Any

import torch
from torch import Tensor, nn

from ..checkpoints import CheckpointFile, Progress
from ..errors import InputError
from ..jobs.progress import progress, say
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

    Its state can be loaded into one that keeps networks at other epochs.

    Attributes:
        kept: what networks are kept at.
        parameters_of_all: [networks, P].
        copies: [kept, networks, P], NaN where nothing was kept yet.
        epochs: [kept, networks], after how many each copy was made, `NOT_REACHED` where none was.
        targets: [kept, 1], the loss at or below which a copy is made; minus infinity where an
            epoch decides.
    """

    def __init__(self, initial: Tensor, spec: FitSpec):
        super().__init__()
        self.kept = spec.kept
        self.parameters_of_all = nn.Parameter(initial.clone())
        self.copies = initial.new_full((len(self.kept), *initial.shape), torch.nan)
        shape = len(self.kept), len(initial)
        self.epochs = torch.full(shape, NOT_REACHED, device=initial.device)
        targets = [value if kind == "loss" else -torch.inf for kind, value in self.kept]
        self.targets = initial.new_tensor(targets)[:, None]

    def keep(self, rows: Tensor, epoch: int) -> None:
        """Copy networks as they are: ``rows`` [kept, networks] says which ones, and for what."""
        at, network = rows.nonzero(as_tuple=True)
        self.copies[at, network] = self.parameters_of_all.detach()[network]
        self.epochs[at, network] = epoch

    def state_dict(self) -> dict[str, Tensor]:
        """Return the parameters, and the copies and their epochs by what each was kept at."""
        return {"parameters_of_all": self.parameters_of_all.detach(), **dict(self._by_place())}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Load parameters, and of the copies those that are kept here, too.

        Raises:
            RuntimeError: they are parameters of other networks; as modules of torch do.
        """
        own, given = self.parameters_of_all.detach(), state["parameters_of_all"]
        if own.shape != given.shape:
            raise RuntimeError(f"parameters {list(given.shape)}, not {list(own.shape)}")
        own.copy_(given)
        for name, tensor in self._by_place():
            if name in state:
                tensor.copy_(state[name])

    def _by_place(self) -> Iterator[tuple[str, Tensor]]:
        for (kind, value), copies, epochs in zip(self.kept, self.copies, self.epochs, strict=True):
            yield f"copies.{kind}.{float(value)}", copies
            yield f"epochs.{kind}.{float(value)}", epochs

    def lacks_copies(self, epoch: int) -> bool:
        """Return whether networks were not kept that were to be, before an epoch."""
        return any(
            kind == "epoch" and value < epoch and (epochs == NOT_REACHED).any()
            for (kind, value), epochs in zip(self.kept, self.epochs, strict=True)
        )

    def forget_after(self, epoch: int) -> None:
        """Drop the copies that were made later."""
        later = self.epochs > epoch
        self.epochs[later] = NOT_REACHED
        self.copies[later] = torch.nan


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


def state_file(
    path: str | PathLike, wanted: Sequence[Problem], spec: FitSpec, code: str, device: torch.device
) -> CheckpointFile:
    """Return the file of the state of a training, which is that of any number of epochs.

    Args:
        path: of the file.
        wanted: the problems.
        spec: see `FitSpec`.
        code: version of the code that trains.
        device: where the networks are trained.
    """
    settings = {name: value for name, value in asdict(spec).items() if name != "epochs"}
    learnt = [asdict(problem) for problem in wanted]
    return CheckpointFile(path, {"learnt": learnt, "fits": settings, "code": code}, device)


def fit(
    wanted: Sequence[Problem],
    spec: FitSpec,
    device: torch.device,
    checkpoint: CheckpointFile | None = None,
    dtype: torch.dtype = torch.float32,
) -> Fits:
    """Train a network for each problem, all together, and return it with its copies.

    A longer training continues a shorter one, and a shorter one is read off a longer one, with the
    same bytes as if it had been trained alone. An epoch to keep networks at that a checkpoint has
    passed without keeping them starts the training anew; the checkpoint stays until the new
    training is as far.

    Args:
        wanted: the problems.
        spec: see `FitSpec`.
        device: where the networks are trained.
        checkpoint: where an interrupted training, or a longer one, continues from (`state_file`).
        dtype: floating type of the training.

    Raises:
        InputError: a loss became infinite or NaN.
    """
    points, values = all_samples(wanted, "train", spec.points, dtype, device)
    stacked = torch.stack([initial_parameters(spec.width, problem.seed) for problem in wanted])
    initial = stacked.to(device, dtype)
    fits, optimizer, done, kept = _resume(initial, spec, checkpoint)
    last = spec.epochs[-1]
    if done > last:
        fits.forget_after(last)
        return fits
    backpropagation = Backpropagation(fits.parameters_of_all, points, values)
    fits.parameters_of_all.grad = backpropagation.gradients
    for epoch in chain(progress(range(done, last), "fits", "epoch", done), [last]):
        due = epoch % STEPS_BETWEEN_CHECKPOINTS == 0 and epoch > done and epoch >= kept
        if checkpoint and due:
            checkpoint.save_if_cheap(fits, optimizer, Progress(epoch))
        losses = backpropagation.step()
        if epoch in spec.epochs or epoch % STEPS_BETWEEN_CHECKPOINTS == 0:
            _check_finite(losses, wanted, epoch)
        _keep(fits, losses, spec, epoch)
        if epoch < last:
            optimizer.step()
    if checkpoint and last >= kept:
        checkpoint.save(fits, optimizer, Progress(last))
    return fits


def _resume(
    initial: Tensor, spec: FitSpec, checkpoint: CheckpointFile | None
) -> tuple[Fits, torch.optim.Optimizer, int, int]:
    """Return networks, optimiser, epochs they have done, and epochs that the checkpoint has.

    The networks are new where a checkpoint lacks copies of them.
    """
    fits, optimizer = _begin(initial, spec)
    kept = checkpoint.restore(fits, optimizer).epoch if checkpoint else 0
    if not fits.lacks_copies(kept):
        return fits, optimizer, kept, kept
    say(
        f"the state after {kept} epochs lacks networks of an earlier one: training from the start;"
        " that state stays until this training is as far"
    )
    return *_begin(initial, spec), 0, kept


def _begin(initial: Tensor, spec: FitSpec) -> tuple[Fits, torch.optim.Optimizer]:
    fits = Fits(initial, spec)
    optimizer = without_compiler(torch.optim.Adam)(fits.parameters(), lr=spec.lr, fused=True)
    return fits, optimizer


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
