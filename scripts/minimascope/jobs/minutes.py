"""How many minutes jobs of sharpness ask a cluster for.

No torch is imported here: rules are read whenever Snakemake plans.
"""

from collections.abc import Collection, Mapping
from math import ceil, prod
from typing import Any

from ..registry import find
from ..study.sizes import Size

# For measures of all training data, by job.
WHOLE = {"hessian": 240, "landscape": 240}
WHOLE_OF_OTHERS = 120
# Of landscapes, for each pass over the training data, where that is more (docs/cluster.md): on the
# log-mels of DCASE 2020, so many numbers, and on data as large; less in proportion on smaller data.
SECONDS_OF_A_PASS = 40
NUMBERS = 13_962 * 64 * 1001


def sharpness_minutes(
    job: str, families: Mapping[str, Mapping[str, Any]], by_domain: Collection[str], size: Size
) -> int:
    """Return how many minutes a job of sharpness asks for when it is first tried.

    Args:
        job: a key of `Study.sharpness_jobs`.
        families: settings of the families that it measures.
        by_domain: those of them that are measured on each domain, too.
        size: of the data set; what only its files tell counts as large.
    """
    components = {family: find("sharpness", family) for family in families}
    whole = sum(components[family].passes(own) for family, own in families.items())
    passes = sum(
        components[family].all_passes(own, family in by_domain) for family, own in families.items()
    )
    minutes = WHOLE.get(job, WHOLE_OF_OTHERS) * passes / whole
    if job == "landscape":
        minutes = max(minutes, _seconds_of_a_pass(size) * passes / 60)
    return ceil(minutes)


def _seconds_of_a_pass(size: Size) -> float:
    if size.train is None or size.shape is None:
        return SECONDS_OF_A_PASS
    return SECONDS_OF_A_PASS * min(1.0, size.train * prod(size.shape) / NUMBERS)
