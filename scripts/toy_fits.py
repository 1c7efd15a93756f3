"""Train networks that learn toy functions, continuing where an earlier job stopped or ended."""

# First, since it decides what an interruption does while torch is imported.
import minimascope  # noqa: F401

# isort: split
import torch

from minimascope.devices import precision
from minimascope.jobs.gpus import job_device
from minimascope.jobs.job import job
from minimascope.jobs.params import settings
from minimascope.tensors import save_tensors
from minimascope.toy.fits import FitSpec, fit, pieces, state_file
from minimascope.toy.problems import problems

with job(snakemake):
    config, device = settings(snakemake.params), job_device()
    spec, learnt = FitSpec.from_config(config["fits"]), config["learnt"]
    fits = []
    with precision("fp32", device):
        parts = pieces(problems(**learnt), config["at_once"], spec.points, device)
        for index, piece in enumerate(parts):
            path = f"{snakemake.params.state}-{index}.safetensors"
            state = state_file(path, piece, spec, config["code"], device)
            fits.append(fit(piece, spec, device, state))
    tensors = {
        name: torch.cat([getattr(part, name) for part in fits], dim=1)
        for name in ("copies", "epochs")
    }
    save_tensors(snakemake.output.networks, tensors, **learnt, fits=config["fits"])
