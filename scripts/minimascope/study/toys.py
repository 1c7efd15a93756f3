"""In which jobs networks learn toy functions. No torch is imported here."""

from itertools import product
from typing import TYPE_CHECKING, Any

from ..errors import InputError

if TYPE_CHECKING:
    from .study import Study

# Function and seed of the job in which all toy functions are learnt with all seeds.
ALL_TOYS = "all"


def toy_jobs(study: "Study") -> list[dict[str, Any]]:
    """Return the wildcards of the jobs: each function and seed is one, or all are one."""
    settings = study.config["toy_fits"]
    if settings is None:
        return []
    if settings["together"]:
        return [{"function": ALL_TOYS, "seed": ALL_TOYS}]
    pairs = product(settings["functions"], study.seeds)
    return [{"function": function, "seed": seed} for function, seed in pairs]


def check_toys(study: "Study") -> None:
    """Refuse a number of networks at once where each job learns one."""
    settings = study.config["toy_fits"]
    if settings and settings["at_once"] is not None and not settings["together"]:
        raise InputError(
            "toy_fits.at_once: does nothing without together, where a job trains one network; set"
            " together to true, or leave at_once out"
        )


def toys_of(study: "Study", function: str, seed: str) -> dict[str, list]:
    """Return the functions and seeds that are learnt in the job of these wildcards."""
    if function == ALL_TOYS:
        return {"functions": study.config["toy_fits"]["functions"], "seeds": study.seeds}
    return {"functions": [function], "seeds": [int(seed)]}
