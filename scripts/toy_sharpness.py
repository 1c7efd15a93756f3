"""Losses and SAM-sharpness of the networks that were kept while they learned toy functions."""

import json

from minimascope.devices import device_name, precision
from minimascope.files import write_json
from minimascope.jobs.gpus import job_device
from minimascope.jobs.job import job
from minimascope.jobs.progress import progress
from minimascope.tensors import load_tensors
from minimascope.toy.fits import FitSpec
from minimascope.toy.measure import measure
from minimascope.toy.problems import problems


def main() -> None:
    device, spec = job_device(), json.loads(snakemake.params.spec)
    tensors, origin = load_tensors(snakemake.input.networks)
    copies, epochs = tensors["copies"].to(device), tensors["epochs"]
    fits = FitSpec.from_config(origin["fits"])
    wanted = problems(origin["functions"], origin["seeds"])
    rows = []
    with precision("fp32", device):
        for index, problem in progress(list(enumerate(wanted)), "measuring", "fit"):
            settings = {"points": fits.points, **spec["settings"]}
            rows += measure(problem, copies[:, index], epochs[:, index], fits.kept, **settings)
    content = {
        "rows": rows,
        "unit": "1",
        "loss": "mean squared error",
        "settings": spec["settings"],
        "fits": origin["fits"],
        "device": device_name(device),
        "networks": origin["content_sha256"],
    }
    write_json(snakemake.output.measures, content)


with job(snakemake):
    main()
