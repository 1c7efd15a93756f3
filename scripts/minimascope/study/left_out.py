"""Data sets of a sweep that leaves one domain after the other out of training."""

import re
from collections.abc import Mapping
from typing import Any

from ..errors import InputError, nearest

# As an axis of a sweep: datasets.<name>.left_out_domain.
KEY = "left_out_domain"
AXIS = re.compile(rf"datasets\.(.+)\.{KEY}")
# What names of data sets cannot have.
NO_LETTER = re.compile(r"[^A-Za-z0-9_]+")


def with_left_out_domains(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a checked configuration with a data set for each domain that a sweep leaves out.

    ``datasets.pets.left_out_domain: [photo, sketch]`` adds ``pets_without_photo``, which is trained
    on the other ``train_domains`` of ``pets``, and likewise for the other. What is left of the
    sweep varies training, on these data sets, too.

    Raises:
        InputError: names the axis: no such data set, or domain that it is trained on; a data set
            of that name; or a choice of conditions with nothing left to vary them.
    """
    datasets, sweeps = dict(config.get("datasets", {})), {}
    for name, sweep in config.get("sweeps", {}).items():
        axes = {}
        for axis, domains in sweep["axes"].items():
            if found := AXIS.fullmatch(axis):
                where = f"sweeps.{name}.axes.{axis}"
                datasets |= _without_each(datasets, found[1], [*map(str, domains)], where)
            else:
                axes[axis] = domains
        if axes:
            sweeps[name] = {**sweep, "axes": axes}
        elif sweep.get("conditions") is not None:
            raise InputError(
                f"sweeps.{name}.conditions: domains are left out under all conditions; leave it out"
            )
    changed = {"datasets": datasets, "sweeps": sweeps}
    return {**config, **{key: value for key, value in changed.items() if key in config}}


def _without_each(
    datasets: Mapping[str, Any], dataset: str, domains: list[str], where: str
) -> dict[str, Any]:
    if dataset not in datasets:
        raise InputError(f"{where}: no data set {dataset!r}; {nearest(dataset, datasets)}")
    spec, made = datasets[dataset], {}
    trained = [*map(str, spec.get("train_domains") or ())]
    if len(trained) < 2:
        raise InputError(
            f"{where}: needs the names of all domains that are trained on; list two or more under"
            f" datasets.{dataset}.train_domains"
        )
    for domain in domains:
        if domain not in trained:
            hint = nearest(domain, trained)
            raise InputError(f"{where}: {dataset} is not trained on {domain!r}; {hint}")
        name = f"{dataset}_without_{NO_LETTER.sub('_', domain)}"
        if name in datasets or name in made:
            raise InputError(f"{where}: data set '{name}' exists already; rename one")
        made[name] = {**spec, "train_domains": [each for each in trained if each != domain]}
    return made
