"""What a claim of the papers is: what it says, which data it can be about, and how it is tested."""

from collections.abc import Callable
from dataclasses import dataclass

from ..components import IMAGES, RECORDINGS
from .findings import Finding

# The data that a claim can be about: IMAGES, RECORDINGS or any. Points count as images.
ANY = "any"
KINDS = IMAGES, RECORDINGS, ANY
# What a verdict is on: one network, all networks of a data set, each and then all of these, all
# networks of a study.
NETWORK, DATASET, EACH_AND_ALL, STUDY = "network", "data set", "each and all", "study"
# Of claims about several data sets.
ALL_DATASETS = "all"

# What a claim is about, and why it does not apply where a study has none of it.
LACKING = {
    "trained": "none of its networks trained",
    "networks": "there is one network, {network}",
    "places": "there is one network, {network}, on one data set",
    "baseline": "no condition is compared with a baseline, see analysis.baseline",
    "baseline_trained": "no network of the baseline trained",
    "sam": "no two conditions differ in SAM alone",
    "sharpness": "there is no measure of sharpness",
    "evaluations": "there is no evaluation",
    "ranked": "there is no evaluation by which a condition can be the best",
    "conditions": "there is only one condition with networks that trained",
    "regularised": "no condition is a regularised control, see docs/claims.md",
    "models": "there are no values of single networks",
    "asc_sharpness": "ASC sharpness was not measured, see sharpness.landscape",
    "test_accuracy": "there is no test accuracy",
    "accuracy_out_of_domain": "the data have no domains outside of training",
    "function": "neither boundaries nor the Jacobian were measured, see sharpness.input",
    "jacobian_norm": "the norm of the Jacobian was not measured, see sharpness.input",
}


@dataclass(frozen=True)
class Claim:
    """A claim, which `claims.CLAIMS` lists and resources/papers.yaml quotes from its papers.

    Attributes:
        number: that readers know it by, and its key in resources/papers.yaml.
        papers: that make it, by their keys there.
        data: one of `KINDS`. Of other data a claim is only listed where it can be judged.
        statement: in a sentence.
        test: from the networks that it is about (`comparable.Comparable`) to what is known of it.
        needs: what it does not apply without, keys of `LACKING`.
        about: what each verdict is on: NETWORK, DATASET, EACH_AND_ALL or STUDY.
        method: of its p-values, if not that of the networks' differences.
        where_judged: whether it is listed only where it can be judged, whatever the data.
    """

    number: int
    papers: tuple[str, ...]
    data: str
    statement: str
    test: Callable[..., Finding]
    needs: tuple[str, ...]
    about: str = NETWORK
    method: str = ""
    where_judged: bool = False
