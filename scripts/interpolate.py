"""Training loss along lines and over planes through networks of the same seed."""

import time

from minimascope.analysis.curves import PATH
from minimascope.data.prepared import load_dataset
from minimascope.devices import device_name, precision
from minimascope.files import write_json
from minimascope.jobs.gpus import job_device
from minimascope.jobs.job import job
from minimascope.jobs.params import settings
from minimascope.jobs.progress import progress
from minimascope.models import load_model
from minimascope.npz import write_npz
from minimascope.sharpness.directions import check_same_shape
from minimascope.sharpness.interpolation import barrier, instability, line, plane
from minimascope.sharpness.objective import Objective

with job(snakemake):
    device, spec = job_device(), settings(snakemake.params)
    wanted = spec["interpolation"]
    spacing = wanted["points"], wanted["margin"]
    dataset, data_hash = load_dataset(snakemake.input.data)
    objective = Objective(dataset.train.to(device))
    paths = zip(spec["models"], snakemake.input.models, strict=True)
    models = {name: load_model(path, device)[0] for name, path in paths}
    check_same_shape(models)
    arrays, barriers, instabilities = {}, {}, {}
    start = time.perf_counter()
    with precision("fp32", device):
        for names in progress(wanted["lines"], "lines", "line"):
            found = line(*(models[name] for name in names), objective, *spacing)
            barriers[PATH.join(names)] = barrier(found)
            instabilities[PATH.join(names)] = instability(found)
            arrays |= {f"{PATH.join(names)}/{key}": array for key, array in found.items()}
        for names in progress(wanted["planes"], "planes", "plane"):
            found = plane([models[name] for name in names], objective, *spacing)
            arrays |= {f"{PATH.join(names)}/{key}": array for key, array in found.items()}
    content = {
        "run": dict(snakemake.wildcards),
        "barriers": barriers,
        "instabilities": instabilities,
        "unit": "nats",
        "n": len(objective),
        "seconds": time.perf_counter() - start,
        "device": device_name(device),
        "data": data_hash,
    }
    write_npz(snakemake.output.arrays, arrays)
    write_json(snakemake.output.measures, content)
