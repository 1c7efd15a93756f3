"""One family of measures, of one model on its training data, and on each domain of them."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from typing import Any

import torch
from torch import nn

from ..data.augment import Augmentation
from ..data.label_noise import with_label_noise
from ..data.prepared import Dataset
from ..devices import device_name, precision
from ..finished import FinishedParts, FinishedSection
from ..measurement import Measured
from ..own_measurements import measured_by_own
from ..registry import find
from ..seeding import generator
from .objective import Objective
from .probes import probe
from .subject import Subject
from .surroundings import differentiable_kernels

# What is left out of domains: a published procedure, and curves, which are of the whole data.
OF_THE_WHOLE = {
    "published": False,
    "line_points": 0,
    "eigenvectors": False,
    "density_probes": 0,
    "more_direction_seeds": None,
}


def measure_family(
    model: nn.Module,
    dataset: Dataset,
    seed: int,
    device: torch.device,
    *,
    family: str,
    settings: Mapping[str, Any],
    view: str,
    augment: Mapping[str, Any] | None,
    label_noise: float,
    weight_decay: float,
    finished: FinishedParts | None = None,
) -> tuple[Measured, dict[str, Any]]:
    """Return the measures of a family, and for their document how they were taken.

    Args:
        model: in evaluation mode, on the device.
        dataset: with whose training split it was trained.
        seed: of the training, and of what is drawn.
        device: where to compute.
        family: a name in `registry.SHARPNESS`.
        settings: of the family. With ``domains`` it is measured once more on the training data of
            each domain, and of each city, with the same draws; ``domains`` among the details has a
            row for each measure of each.
        view: of the training data, ``clean`` or ``augmented``.
        augment: settings of the augmentation with which the model was trained, or None.
        label_noise: share of random labels in training.
        weight_decay: in training.
        finished: where a family of the library that works in parts keeps those that are done.
    """
    augmentation = Augmentation.from_config(augment)
    split = with_label_noise(dataset.train, label_noise, len(dataset.classes), seed).to(device)
    subject = Subject(model, Objective(split), augmentation, None, weight_decay)
    if view == "augmented":
        # The same stream for all conditions of a seed, so that they see the same images.
        subject = subject.augmented(generator(seed, "augmented view", device=device))
    settings, start = dict(settings), time.perf_counter()
    domains = settings.pop("domains", None)
    with precision("fp32", device), differentiable_kernels(model):
        probe(model, subject.objective)

        def measures(own: Subject, settings: Mapping[str, Any], part: str) -> Measured:
            draws = generator(seed, family, device=device)
            kept = finished.of(part) if finished else None
            return _measured(family, own, draws, settings, dataset, kept)

        measured = measures(subject, settings, "all")
        if domains:
            alone = settings | _alone(settings)
            rows = [
                place | asdict(measurement)
                for place, own in _by_domain(subject, dataset)
                for measurement in measures(own, alone, "/".join(place.values())).measurements
            ]
            measured = replace(measured, details={**measured.details, "domains": rows})
    seconds = time.perf_counter() - start + (finished.seconds if finished else 0.0)
    origin = {"seconds": seconds, "device": device_name(device)}
    return measured, {"view": view, "settings": settings, **origin}


def _alone(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings with which a family gives its numbers alone."""
    return {key: value for key, value in OF_THE_WHOLE.items() if key in settings}


def _by_domain(subject: Subject, dataset: Dataset) -> Iterator[tuple[dict[str, str], Subject]]:
    """Yield the training data of each domain and of each city, with what these are called."""
    for kind, members, names in (
        ("domain", dataset.train.domains, dataset.domains),
        ("city", dataset.train.cities, dataset.cities),
    ):
        for index in members.unique().tolist() if members is not None else ():
            rows = (members == index).nonzero()[:, 0]
            yield {"kind": kind, "name": names[index]}, subject.rows(rows)


def _measured(
    family: str,
    subject: Subject,
    draws: torch.Generator,
    settings: Mapping[str, Any],
    dataset: Dataset,
    finished: FinishedSection | None,
) -> Measured:
    component = find("sharpness", family)
    given = {"subject": subject, "generator": draws}
    if component.file is None:
        return component.call(given | {"finished": finished}, **settings)
    samples = subject.objective.samples
    given |= {"model": subject.model, "inputs": samples.inputs, "labels": samples.labels}
    given |= {"classes": dataset.classes}
    return measured_by_own(component, component.call(given, **settings), len(samples))
