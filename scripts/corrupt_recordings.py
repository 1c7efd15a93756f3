"""Write log-mels of test recordings under the corruptions of one kind, at every severity."""

from minimascope.data.corruptions.copies import CorruptionRequest, save_corrupted
from minimascope.data.corruptions.recorded import corrupted_recordings
from minimascope.data.corruptions.samples import sample_pictures
from minimascope.data.features import numbered
from minimascope.data.recordings import read_recordings
from minimascope.files import write_json
from minimascope.jobs.job import job
from minimascope.jobs.params import settings

with job(snakemake):
    params = settings(snakemake.params)
    spec = params["corruptions"]
    severities, samples = tuple(spec["severities"]), spec["samples"]
    stream = params["stream"]
    requests = [CorruptionRequest(name, severities, samples, stream) for name in spec["names"]]
    recordings = read_recordings(snakemake.input.table)
    numbers = numbered(recordings, params["part"])
    copies, original = corrupted_recordings(recordings, numbers.test, requests, params["features"])
    save_corrupted(snakemake.output.data, copies)
    pictures = sample_pictures(copies, original)
    label = numbers.classes[copies[0].labels[0]]
    about = {"dataset": snakemake.wildcards.dataset, "of": "recordings", "label": label}
    write_json(snakemake.output.sample, about | {"pictures": pictures})
