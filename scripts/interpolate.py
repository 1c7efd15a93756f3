"""Training loss along paths between networks and over planes through them."""

import time

from minimascope.analysis.curves import NEXT_SEED, PATH
from minimascope.batchnorm import tracking
from minimascope.data.prepared import load_dataset
from minimascope.devices import device_name, precision
from minimascope.files import write_json
from minimascope.jobs.gpus import job_device
from minimascope.jobs.job import job
from minimascope.jobs.params import settings
from minimascope.jobs.progress import progress
from minimascope.models import load_model
from minimascope.npz import write_npz
from minimascope.seeding import generator
from minimascope.sharpness.directions import check_same_shape
from minimascope.sharpness.interpolation import barrier, instability, paths, plane
from minimascope.sharpness.losses import find_loss
from minimascope.sharpness.objective import Objective
from minimascope.study.between import Line

with job(snakemake):
    device, spec = job_device(), settings(snakemake.params)
    wanted, seed = spec["interpolation"], int(snakemake.wildcards.seed)
    dataset, data_hash = load_dataset(snakemake.input.data)
    loss = find_loss(spec.get("loss", "cross_entropy"))
    objective = Objective(dataset.train.to(device), loss)
    files = zip(map(tuple, spec["models"]), snakemake.input.models, strict=True)
    models = {network: load_model(path, device)[0] for network, path in files}
    check_same_shape(
        {name if own == seed else f"{name} of seed {own}": m for (name, own), m in models.items()}
    )
    arrays, lines = {}, []
    start = time.perf_counter()
    with precision("fp32", device):
        for line in progress([Line(*each) for each in spec["lines"]], "lines", "line"):
            path = PATH.join((line.start, line.end if line.end_seed == seed else NEXT_SEED))
            ends = models[line.start, seed], models[line.end, line.end_seed]
            draws = generator(seed, "interpolation", path)
            for kind, found in paths(*ends, objective, wanted, draws).items():
                heights = {"barrier": barrier(found), "instability": instability(found)}
                lines.append({"path": path, "kind": kind, "end_seed": line.end_seed, **heights})
                arrays |= {f"{path}/{kind}/{key}": array for key, array in found.items()}
        for names in progress(wanted["planes"], "planes", "plane"):
            through = [models[name, seed] for name in names]
            found = plane(
                through, objective, wanted["points"], wanted["margin"], wanted["batchnorm"]
            )
            arrays |= {f"{PATH.join(names)}/plane/{key}": array for key, array in found.items()}
    content = {
        "run": dict(snakemake.wildcards),
        "lines": lines,
        "batchnorm": wanted["batchnorm"] if any(map(tracking, models.values())) else None,
        "unit": loss.unit,
        "n": len(objective),
        "seconds": time.perf_counter() - start,
        "device": device_name(device),
        "data": data_hash,
    }
    write_npz(snakemake.output.arrays, arrays)
    write_json(snakemake.output.measures, content)
