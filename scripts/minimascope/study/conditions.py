"""What each condition of a study is, as rows of a table. No torch is imported here."""

from collections.abc import Iterator, Mapping
from typing import Any

from ..canonical import canonical_json
from ..registry import PRETRAINED
from .published import has_published_norm, published_dataset
from .study import Study

# Settings that every training has.
ALWAYS = ("batch_size", "optimizer.name", "optimizer.lr")


def condition_rows(study: Study) -> list[dict[str, Any]]:
    """Return a row for each data set, network and condition, in the study's order.

    Besides these three: ``base_condition`` (the condition that a cell of a sweep varies, or the
    condition itself), ``baseline`` (what it is compared with), ``without_sam`` (the condition that
    differs only in having no SAM, for one that has it; variants of SAM do not count), what
    published tables call data set and network (``published_dataset``, empty for another norm than
    theirs and for variants of SAM, ``architecture``, ``pretrained``), whether it differs from its
    base condition only in SAM's radius (``like_base_condition``), whether it augments, whether its
    networks were trained elsewhere (``adopted``) and whether they start from the initial weights of
    their seed (``matched``), whether it is a regularised control (``regularised``: its baseline
    with more SAM, augmentation or weight decay, and no other difference), what they start from if
    that are networks of the study (``start_dataset``, ``start_condition``), and every training
    setting that the condition has, by its path, such as ``sam.rho`` and ``optimizer.lr``.
    """
    rows, transfers = [], study.transfers
    for dataset, network in study.pairs:
        architecture = study.network_spec(network)["architecture"]
        plain = _without_sam(study, dataset)
        published = published_dataset(study, dataset)
        for condition, base in study.base_conditions.items():
            place = (dataset, network, condition)
            row = {
                "dataset": dataset,
                "network": network,
                "condition": condition,
                "base_condition": base,
                "baseline": study.baseline_of(condition),
                "without_sam": plain.get(condition),
                "published_dataset": published if _has_twin(study, *place) else None,
                "architecture": architecture.removeprefix(PRETRAINED),
                "pretrained": architecture.startswith(PRETRAINED),
                "like_base_condition": _alike(study, dataset, condition, base),
                "augmented": study.augmentation(dataset, condition) is not None,
                "adopted": condition in study.adopted_conditions,
                "matched": study.is_matched(dataset, condition),
                "regularised": _is_regularised(study, dataset, condition),
                # Also where no condition is trained here.
                **dict.fromkeys(ALWAYS),
            }
            spec = study.training[dataset, condition]
            if before := transfers.get(place):
                row |= dict(zip(("start_dataset", "start_condition"), before, strict=True))
            rows.append(row | dict(_flat({**spec, "new_head": spec["new_head"] or None})))
    return rows


def _has_twin(study: Study, dataset: str, network: str, condition: str) -> bool:
    """Return whether a condition is of the published norm, and no variant of the published SAM."""
    sam = study.training[dataset, condition]["sam"]
    return has_published_norm(study, dataset, network, condition) and not _variant(sam)


def _alike(study: Study, dataset: str, condition: str, base: str) -> bool:
    """Return whether a condition differs from its base condition only in the radius of its SAM."""
    this, that = (_besides_sam(study, dataset, name) for name in (condition, base))
    return this == that


def _is_regularised(study: Study, dataset: str, condition: str) -> bool:
    """Return whether a condition is its baseline with more SAM, augmentation or weight decay.

    Of what was trained elsewhere the settings are not known.
    """
    baseline = study.baseline_of(condition)
    if baseline is None or {condition, baseline} & {*study.adopted_conditions}:
        return False
    this, that = (_besides_regularisers(study, dataset, name) for name in (condition, baseline))
    own, plain = (_regularisers(study, dataset, name) for name in (condition, baseline))
    # One augmentation is not more than another.
    augmented = plain["augment"] in (None, own["augment"])
    more = augmented and all(own[key] >= plain[key] for key in ("sam", "weight_decay"))
    return this == that and more and own != plain


def _regularisers(study: Study, dataset: str, condition: str) -> dict[str, Any]:
    """Return what the papers' controls are made of: radius of SAM, weight decay, augmentation."""
    spec = study.training[dataset, condition]
    return {
        "sam": spec["sam"]["rho"] if spec["sam"] else 0.0,
        "weight_decay": spec["optimizer"]["weight_decay"],
        "augment": spec["augment"],
    }


def _besides_regularisers(study: Study, dataset: str, condition: str) -> dict[str, Any]:
    """Return what a condition has besides; what makes a variant of SAM is a part of it."""
    spec = _besides_sam(study, dataset, condition)
    optimizer = {key: own for key, own in spec["optimizer"].items() if key != "weight_decay"}
    return {**spec, "optimizer": optimizer, "augment": None}


def _without_sam(study: Study, dataset: str) -> dict[str, str]:
    """Return for each condition with SAM the one that trains alike without, if there is any."""
    alike = {
        name: canonical_json(_besides_sam(study, dataset, name))
        for name in study.trained_conditions
    }
    sam = {name: study.training[dataset, name]["sam"] for name in alike}
    # Of several the first by name: their order in the file changes nothing.
    plain = {alike[name]: name for name in sorted(alike, reverse=True) if sam[name] is None}
    return {name: plain[alike[name]] for name in alike if sam[name] and alike[name] in plain}


def _besides_sam(study: Study, dataset: str, condition: str) -> dict[str, Any]:
    """Return what a condition has besides SAM; what makes a variant of SAM is a part of it."""
    spec = study.training[dataset, condition]
    return {**spec, "sam": _variant(spec["sam"])}


def _variant(sam: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what makes a variant of SAM; nothing of SAM itself, and without SAM."""
    return {key: own for key, own in (sam or {}).items() if key != "rho" and own is not None}


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        elif value is not None and not isinstance(value, list):
            yield prefix + key, value
