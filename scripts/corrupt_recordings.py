"""Write log-mels of test recordings under the corruptions of one kind, at every severity."""

from minimascope.data.corruptions.copies import CorruptionRequest, save_corrupted
from minimascope.data.corruptions.recorded import corrupted_recordings, numbered
from minimascope.data.corruptions.samples import sample_pictures
from minimascope.data.recordings import read_recordings
from minimascope.files import write_json
from minimascope.jobs.job import job
from minimascope.jobs.params import settings

with job(snakemake):
    params, dataset = settings(snakemake.params), snakemake.wildcards.dataset
    spec = params["corruptions"]
    severities, samples = tuple(spec["severities"]), spec["samples"]
    requests = [CorruptionRequest(name, severities, samples, dataset) for name in spec["names"]]
    recordings = read_recordings(snakemake.input.table)
    numbers = numbered(recordings, params["part"])
    copies, original = corrupted_recordings(recordings, numbers.test, requests, params["features"])
    save_corrupted(snakemake.output.data, copies)
    pictures = sample_pictures(copies, original)
    label = numbers.classes[copies[0].labels[0]]
    about = {"dataset": dataset, "of": "recordings", "label": label}
    write_json(snakemake.output.sample, about | {"pictures": pictures})
