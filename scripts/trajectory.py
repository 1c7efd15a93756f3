"""Measure the weights that trainings pass through, of one network or of all of a condition."""

from minimascope.data.prepared import load_dataset
from minimascope.files import write_json
from minimascope.jobs.gpus import job_device
from minimascope.jobs.job import job
from minimascope.jobs.params import settings
from minimascope.jobs.progress import progress
from minimascope.models import load_model
from minimascope.npz import write_npz
from minimascope.sharpness.family import FamilySpec
from minimascope.sharpness.trajectory import Snapshot, Trajectory
from minimascope.study.moments import is_whole

with job(snakemake):
    spec, device = settings(snakemake.params), job_device()
    seeds, families, moments = (spec.pop(key) for key in ("seeds", "families", "moments"))
    code, by_domain = spec.pop("code"), spec.pop("by_domain", ())
    dataset, data_hash = load_dataset(snakemake.input.data)
    wildcards = {key: snakemake.wildcards[key] for key in ("dataset", "network", "condition")}
    initial = snakemake.input.get("initial") or [None] * len(seeds)
    each = len(snakemake.input.snapshots) // len(seeds)
    for index, (seed, begun) in enumerate(zip(seeds, initial, strict=True)):
        paths = snakemake.input.snapshots[index * each : (index + 1) * each]
        first = load_model(begun, device)[0] if begun else None
        trajectory = Trajectory(dataset, seed, device, first)
        found = {family: [] for family in families}
        whole = any(map(is_whole, families))
        for path in progress(paths, f"seed {seed}", "snapshot"):
            snapshot = Snapshot.read(path, device)
            if whole:
                trajectory.pass_through(snapshot)
            for family, chosen in families.items():
                at_end = path == paths[-1]
                if at_end if is_whole(family) else snapshot.name in moments[family]:
                    own = FamilySpec(family, chosen, **spec)
                    found[family].append(trajectory.measured(snapshot, own))
        for family, chosen in families.items():
            about = {
                "view": spec["view"],
                "settings": chosen,
                "data": data_hash,
                "moments": moments[family],
            }
            run = {**wildcards, "seed": str(seed)}
            document = {"family": family, "run": run, "snapshots": found[family], **about}
            if place := snakemake.output.get(f"{family}_arrays"):
                write_npz(place[index], trajectory.previous[family])
            # A measure of the user's own file is the one output of its job.
            write_json(snakemake.output.get(family, snakemake.output)[index], document)
