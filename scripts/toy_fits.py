"""Train the networks of one or all toy functions, continuing where a killed job stopped."""

# First, since it decides what an interruption does while torch is imported.
import minimascope  # noqa: F401

# isort: split
import torch

from minimascope.canonical import canonical_json
from minimascope.checkpoints import CheckpointFile
from minimascope.devices import precision
from minimascope.jobs.gpus import job_device
from minimascope.jobs.job import job
from minimascope.jobs.params import settings
from minimascope.tensors import save_tensors
from minimascope.toy.fits import FitSpec, fit, pieces
from minimascope.toy.problems import problems

with job(snakemake):
    config, device = settings(snakemake.params), job_device()
    spec = FitSpec.from_config(config["fits"])
    wanted = problems(config["functions"], config["seeds"])
    fits, checkpoints = [], []
    with precision("fp32", device):
        for index, piece in enumerate(pieces(wanted, config["at_once"], spec.points, device)):
            identity = {"config": config, "piece": index, "torch": torch.__version__}
            path = f"{snakemake.params.checkpoint}-{index}.safetensors"
            checkpoints.append(CheckpointFile(path, canonical_json(identity)))
            fits.append(fit(piece, spec, device, checkpoints[-1]))
    tensors = {
        name: torch.cat([getattr(part, name) for part in fits], dim=1)
        for name in ("copies", "epochs")
    }
    origin = {name: config[name] for name in ("functions", "seeds", "fits")}
    save_tensors(snakemake.output.networks, tensors, **origin)
    for checkpoint in checkpoints:
        checkpoint.remove()
