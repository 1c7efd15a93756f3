"""Write copies of test images under the corruptions of one kind, at every severity."""

from pathlib import Path

from minimascope.data.corruptions.copies import CorruptionRequest, save_corrupted
from minimascope.data.corruptions.samples import sample_pictures
from minimascope.data.prepared import load_dataset
from minimascope.files import write_json
from minimascope.jobs.job import job
from minimascope.jobs.params import settings
from minimascope.registry import CORRUPTED_SETS

with job(snakemake):
    spec, wildcards = settings(snakemake.params)["corruptions"], snakemake.wildcards
    dataset, data_hash = load_dataset(snakemake.input.data)
    severities, samples = tuple(spec["severities"]), spec["samples"]
    corrupt = CORRUPTED_SETS[spec["set"]].load()
    # The official archive, where there is one.
    raw = list(map(Path, snakemake.input.raw))
    copies = [
        corrupt(CorruptionRequest(name, severities, samples, wildcards.dataset), dataset, *raw)
        for name in spec["names"]
    ]
    save_corrupted(snakemake.output.data, copies, data=data_hash)
    rows = copies[0].rows
    pictures = sample_pictures(copies, None if rows is None else dataset.test.inputs[rows[0]])
    label = dataset.classes[copies[0].labels[0]]
    about = {"dataset": wildcards.dataset, "of": "images", "label": label}
    write_json(snakemake.output.sample, about | {"pictures": pictures})
