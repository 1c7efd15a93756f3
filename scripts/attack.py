"""Attack the inputs of one network, and measure how far it withstands."""

import time

from minimascope.attacks.measure import measure
from minimascope.data.prepared import load_dataset
from minimascope.devices import device_name, precision
from minimascope.files import write_json
from minimascope.jobs.gpus import job_device
from minimascope.jobs.job import job
from minimascope.jobs.params import settings
from minimascope.jobs.progress import say
from minimascope.measurement import document
from minimascope.models import load_model
from minimascope.npz import write_npz

with job(snakemake):
    spec, device, run = settings(snakemake.params), job_device(), dict(snakemake.wildcards)
    model, _, metadata = load_model(snakemake.input.model, device)
    others = [load_model(path, device) for path in snakemake.input.other]
    dataset, data_hash = load_dataset(snakemake.input.data)
    start = time.perf_counter()
    with precision("fp32", device):
        measured = measure(
            model,
            next((other for other, _, _ in others), None),
            dataset.test.to(device),
            spec["adversarial"],
            len(dataset.classes),
            recordings=spec["recordings"],
            seed=int(run["seed"]),
        )
    for norm, checks in measured.details["checks"].items():
        for doubt in checks["doubts"]:
            say(f"adversarial measures in {norm} cannot be trusted: {doubt}")
    content = document(
        "evaluation",
        measured,
        run=run,
        # Also where the test images of a condition are augmented, as corrupted copies are.
        view="clean",
        seconds=time.perf_counter() - start,
        device=device_name(device),
        model=metadata["content_sha256"],
        other=next((about["content_sha256"] for _, _, about in others), None),
        data=data_hash,
    )
    write_npz(snakemake.output.arrays, measured.arrays)
    write_json(snakemake.output.measures, content)
