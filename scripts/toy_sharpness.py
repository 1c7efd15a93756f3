"""Measure networks that were kept while they learned toy functions: losses and sharpness."""

from minimascope.devices import device_name, precision
from minimascope.files import write_json
from minimascope.jobs.gpus import job_device
from minimascope.jobs.job import job
from minimascope.jobs.params import settings
from minimascope.jobs.progress import progress
from minimascope.tensors import load_tensors
from minimascope.toy.fits import FitSpec
from minimascope.toy.problems import problems

with job(snakemake):
    # Here, so that what curvlinops says when it is imported stands in the log.
    from minimascope.toy.measure import measure

    device, chosen = job_device(), settings(snakemake.params)["settings"]
    tensors, origin = load_tensors(snakemake.input.networks)
    copies, epochs = tensors["copies"].to(device), tensors["epochs"]
    fits = FitSpec.from_config(origin["fits"])
    wanted = problems(origin["functions"], origin["seeds"])
    rows = []
    with precision("fp32", device):
        for index, problem in progress(list(enumerate(wanted)), "measuring", "fit"):
            of_problem = copies[:, index], epochs[:, index]
            rows += measure(problem, *of_problem, fits.kept, points=fits.points, **chosen)
    content = {
        "rows": rows,
        "unit": "1",
        "loss": "mean squared error",
        "settings": chosen,
        "fits": origin["fits"],
        "device": device_name(device),
        "networks": origin["content_sha256"],
    }
    write_json(snakemake.output.measures, content)
