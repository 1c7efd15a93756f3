"""One family of measures, of one model on its training data, and on each domain of them."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
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
from ..registry import Family, find, of_a_part
from ..seeding import generator
from ..surroundings import differentiable_kernels
from .losses import find_loss
from .objective import Objective
from .probes import probe
from .subject import Subject, augmented

NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True)
class FamilySpec:
    """What is measured of a network, and of its training what that depends on.

    Attributes:
        family: a name in `registry.SHARPNESS`, or of a measure of the user's own file.
        settings: of the family.
        view: of the training data, ``clean`` or ``augmented``.
        augment: settings of the augmentation with which the model was trained, or None.
        label_noise: share of random labels in training.
        weight_decay: in training.
        by_domain: whether the family is measured once more on the training data of each domain,
            and of each city, with the same draws.
        loss: that was minimised.
        samples: how many samples of the training split are measured on, the same ones for all
            networks; None for all.
    """

    family: str
    settings: Mapping[str, Any]
    view: str
    augment: Mapping[str, Any] | None
    label_noise: float
    weight_decay: float
    by_domain: bool = False
    loss: str = "cross_entropy"
    samples: int | None = None


def measure_family(
    model: nn.Module,
    dataset: Dataset,
    seed: int,
    device: torch.device,
    spec: FamilySpec,
    finished: FinishedParts | None = None,
    initial: nn.Module | None = None,
    on_the_way: Mapping[str, Any] = NOTHING,
) -> tuple[Measured, dict[str, Any]]:
    """Return the measures of a family, and for their document how they were taken.

    Args:
        model: in evaluation mode, on the device.
        dataset: with whose training split it was trained.
        seed: of the training, and of what is drawn.
        device: where to compute.
        spec: what to measure. By domain, ``domains`` among the details has a row for each measure
            of each domain and city.
        finished: where measurements that are done are kept: pairs of directions, domains and
            cities.
        initial: the network that training began with, where that is known.
        on_the_way: what else there is to know of weights that a training passes through
            (``update`` and ``previous``, see `registry.Family.takes`).
    """
    start = time.perf_counter()
    subject = _subject(model, dataset, seed, device, spec)
    component = find("sharpness", spec.family)
    others = _taken(component, dataset, initial, seed, device, spec)
    others |= {name: value for name, value in on_the_way.items() if name in component.takes}

    def measures(own: Subject, settings: Mapping[str, Any], part: str) -> Measured:
        section = finished.section(part) if finished else None
        done = section.measured() if section else None
        if done is not None:
            return done
        draws = generator(seed, spec.family, device=device)
        measured = _measured(spec.family, own, draws, settings, dataset, section, others)
        # What stands alone is written as a whole next.
        if section and spec.by_domain:
            section.finish(measured)
        return measured

    with precision("fp32", device), differentiable_kernels(model):
        probe(model, subject.objective)
        measured = measures(subject, spec.settings, "all")
        if spec.by_domain:
            alone = of_a_part(spec.settings)
            rows = [
                place | asdict(measurement)
                for place, own in _by_domain(subject, dataset)
                for measurement in measures(own, alone, "/".join(place.values())).measurements
            ]
            measured = replace(measured, details={**measured.details, "domains": rows})
    seconds = time.perf_counter() - start + (finished.seconds if finished else 0.0)
    origin = {"seconds": seconds, "device": device_name(device)}
    return measured, {"view": spec.view, "settings": spec.settings, **origin}


def _subject(
    model: nn.Module, dataset: Dataset, seed: int, device: torch.device, spec: FamilySpec
) -> Subject:
    split = with_label_noise(dataset.train, spec.label_noise, len(dataset.classes), seed).to(device)
    augmentation = Augmentation.from_config(spec.augment)
    objective = Objective(split, find_loss(spec.loss))
    subject = Subject(model, objective, augmentation, None, spec.weight_decay)
    if spec.view == "augmented":
        # The same stream for all conditions of a seed, so that they see the same images.
        subject = subject.augmented(generator(seed, "augmented view", device=device))
    if spec.samples is None or spec.samples >= len(split):
        return subject
    order = torch.randperm(len(split), generator=generator(0, "samples of sharpness"))
    return subject.rows(order[: spec.samples].sort().values)


def _taken(
    component: Family,
    dataset: Dataset,
    initial: nn.Module | None,
    seed: int,
    device: torch.device,
    spec: FamilySpec,
) -> dict[str, Any]:
    """Return what a family takes besides the subject (`registry.Family.takes`)."""
    found: dict[str, Any] = {}
    if "initial" in component.takes:
        found["initial"] = initial
    if "test" in component.takes:
        test = Objective(dataset.test.to(device), find_loss(spec.loss))
        augmentation = spec.augment
        if spec.view == "augmented" and augmentation is not None:
            draws = generator(seed, "augmented test view", device=device)
            test = augmented(test, Augmentation.from_config(augmentation), draws)
        found["test"] = test
    return found


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
    others: Mapping[str, Any],
) -> Measured:
    component = find("sharpness", family)
    given = {"subject": subject, "generator": draws}
    if component.file is None:
        return component.call(given | {"finished": finished, **others}, **settings)
    samples = subject.objective.samples
    given |= {"model": subject.model, "inputs": samples.inputs, "labels": samples.labels}
    given |= {"classes": dataset.classes}
    return measured_by_own(component, component.call(given, **settings), len(samples))
