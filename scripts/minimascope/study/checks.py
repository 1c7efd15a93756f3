"""What is wrong in a study although its schema allows it: faults of several keys together."""

import re
from collections.abc import Iterable, Mapping
from itertools import product
from pathlib import Path
from typing import Any

from ..analysis.measure_names import MEASURES
from ..analysis.smallest_difference import SmallestDifference
from ..canonical import canonical_json
from ..data.corruptions.kinds import KINDS_OF
from ..data.log_mel_spec import LogMel
from ..errors import InputError, nearest
from ..registry import ALL_NETWORKS, INITIAL, SHARPNESS, WITH_MATCHING, library_of
from ..sharpness.radii import MORE_RADII, PERTURBATION
from .adopted import FILES, check_adopted
from .adversarial import check_adversarial, measures_of_attacks
from .corruptions import check_corruptions, corrupted_set, corruption_names
from .moments import check_moments
from .names import fault_of_name
from .other_sets import check_other_sets
from .own import check_own
from .selection import WORDS
from .starts import check_starts, starts
from .study import USUAL_LOSS, Study
from .toys import check_toys
from .training_checks import check_kinds, check_trainings

# Of the features: what is done to the sounds themselves.
OF_THE_SIGNAL = ("seconds", "mixed_rates")
# Sources whose domains are known before any file is there, those of their training recordings, and
# those that only test recordings have.
WITH_DEVICES = ("dcase2020", "synthetic_scenes")
TRAINING_DEVICES = ("A", "B", "C", "S1", "S2", "S3")
OTHER_DEVICES = ("S4", "S5", "S6")
# Names become folders, and most file systems allow 255 bytes; Snakemake stops at a value whose end
# is 20 times the same, as a rule that feeds itself makes it.
LONGEST_NAME = 200
LONGEST_PART = 255
LONGEST_PATH = 1000
# Control characters, halves of characters, and what Snakemake fills in.
NOT_IN_PATHS = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff{}<>]")
REPETITIVE = re.compile(r"(.+)\1{19}$")


def check_study(study: Study) -> None:
    """Raise InputError for the first fault, naming the key and the remedy."""
    _check_measures(study)
    _check_domains(study)
    _check_features(study)
    check_trainings(study)
    _check_names(study)
    for (_, condition), spec in study.adopted.items():
        check_adopted(f"conditions.{condition}", spec, study.seeds)
    check_starts(study)
    _check_paths(study)
    _check_networks(study)
    check_kinds(study)
    _check_corrupted_sets(study)
    check_other_sets(study)
    check_corruptions(study)
    check_adversarial(study)
    check_toys(study)
    _check_initial(study)
    check_moments(study)
    _check_interpolation(study)
    _check_selections(study)
    _check_network_ensembles(study)
    _check_analysis(study)
    check_own(study)


def known(kind: str, names: Iterable[str], valid: Iterable[str], where: str) -> None:
    """Refuse names of things that do not exist, with a hint at the one that comes closest."""
    if unknown := sorted(set(names) - set(valid)):
        raise InputError(f"{where}: no {kind} {unknown[0]!r}; {nearest(unknown[0], valid)}")


def _check_network_ensembles(study: Study) -> None:
    """Refuse networks that do not exist, or that no data set trains two of."""
    wanted, where = study.config["evaluation"]["network_ensembles"], "evaluation.network_ensembles"
    if wanted is None:
        return
    known("network", wanted, study.config["networks"], where)
    together = {each for networks in study.network_ensembles.values() for each in networks}
    if alone := [network for network in wanted if network not in together]:
        raise InputError(
            f"{where}: no data set trains {alone[0]} and another of these networks; add one to it,"
            f" or leave {alone[0]} out"
        )


def _check_analysis(study: Study) -> None:
    analysis = study.config["analysis"]
    if (baseline := analysis["baseline"]) is not None:
        known("condition", [baseline], study.conditions, "analysis.baseline")
    # The other view is the default, which a study need not have measured.
    views = study.config["sharpness"]["view"]
    if analysis["figure_view"] == "augmented" and "augmented" not in views:
        raise InputError(
            "analysis.figure_view: augmented data are not measured; add augmented to sharpness.view"
        )
    of_families = {measure for family in SHARPNESS.values() for measure in family.gives}
    of_families |= study.measures_at_radii
    own = [*study.own("sharpness"), *study.own("evaluations")]
    where, given = "analysis.smallest_differences", analysis["smallest_differences"]
    # A function can return several, whose names begin with its own.
    others = [measure for measure in given if not measure.startswith(tuple(own))]
    attacks = measures_of_attacks(study)
    known("measure", others, sorted({*MEASURES, *of_families, *own, *attacks}), where)
    for measure, value in given.items():
        SmallestDifference.parse(value, f"{where}.{measure}")


def _check_measures(study: Study) -> None:
    """Refuse a study without measures, or without those that its analysis needs."""
    if not study.families:
        raise InputError(
            "sharpness: every family of finished networks is null; measure at least one, such as"
            " forward"
        )
    for dataset, families in study.sharpness.items():
        _check_perturbation(study, dataset)
        noise = families["input"]["noise"] if "input" in study.families else []
        if noise != sorted(noise):
            raise InputError(
                f"{_where_selected(study, dataset, 'input', 'noise')}: the three are called small,"
                f" medium and large; write {sorted(noise)}"
            )
        if "hessian" in study.families and families["hessian"]["trace_products"] == 3:
            raise InputError(
                f"sharpness.hessian.trace_products: 3 on {dataset} are too few; use 6 or more, or 0"
                " for no trace"
            )


def _check_perturbation(study: Study, dataset: str) -> None:
    if PERTURBATION not in study.families:
        return
    settings = study.sharpness[dataset][PERTURBATION]
    adaptive = settings["adaptive"]
    losses = {spec["loss"] for (own, _), spec in study.training.items() if own == dataset}
    # None of trainings elsewhere of which it is not known.
    others = losses - {None, USUAL_LOSS}
    if others and adaptive and adaptive["normalise_logits"]:
        where = _where_selected(study, dataset, PERTURBATION, "adaptive")
        raise InputError(
            f"{where}.normalise_logits: {min(others)} on {dataset} has no softmax; set it to false"
        )
    if settings["radius"] in settings[MORE_RADII]:
        where = _where_selected(study, dataset, PERTURBATION, MORE_RADII)
        raise InputError(f"{where}: {settings['radius']} is radius already; leave it out")


def _check_domains(study: Study) -> None:
    """Refuse domains of data that have none, and unknown ones where they are known beforehand."""
    for dataset, spec in study.config["datasets"].items():
        if spec["source"] in WITH_DEVICES:
            wanted, where = map(str, spec["train_domains"] or ()), f"datasets.{dataset}"
            known("training domain", wanted, TRAINING_DEVICES, f"{where}.train_domains")
        if study.has_domains(dataset):
            continue
        for family in study.families_by_domain(dataset):
            raise InputError(
                f"sharpness.{family}.by_domain: {dataset} has no domains; move it to"
                " datasets.<name>.sharpness of recordings, or of pictures with domains"
            )
        if spec["train_domains"] is not None:
            raise InputError(f"datasets.{dataset}.train_domains: it has no domains; leave it out")


def _check_features(study: Study) -> None:
    """Refuse log-mels that cannot be computed, before anything is downloaded."""
    for dataset in study.recordings:
        features = study.features_spec(dataset)
        try:
            LogMel(**{key: features[key] for key in features if key not in OF_THE_SIGNAL})
        except InputError as error:
            raise InputError(f"datasets.{dataset}.features.{error}") from None


def _check_names(study: Study) -> None:
    """Refuse names that no file can have, or whose files are those of other names."""
    name, end = study.config["study"], "-published"
    if name.casefold().endswith(end):
        raise InputError(
            f"study: results/{name} is for {name[: -len(end)]} under protocol published; rename it"
        )
    for taken, owner in (
        ("compared", "comparisons of studies"),
        ("published", "what no study decides"),
    ):
        if name.casefold() == taken:
            raise InputError(f"study: results/{name} is for {owner}; rename it")
    sections = {key: study.config[key] for key in ("datasets", "networks")}
    for dataset, kind, name in study.other_sets:
        sections.setdefault(f"datasets.{dataset}.{kind}", {})[name] = None
    for section, names in {**sections, "conditions": study.conditions}.items():
        in_lower_case: dict[str, str] = {}
        for name in names:
            _check_name(name, f"{section}.{name}")
            # Some disks take both for one.
            if (other := in_lower_case.setdefault(name.casefold(), name)) != name:
                raise InputError(
                    f"{section}.{name}: differs from {other} only in its capitals; rename one"
                )
    if ALL_NETWORKS in study.config["networks"]:
        raise InputError(
            f"networks.{ALL_NETWORKS}: tables call all networks together by this name; rename it"
        )
    if INITIAL in study.conditions:
        raise InputError(
            f"conditions.{INITIAL}: this is the name of the weights before training; rename it"
        )


def _check_name(name: str, where: str) -> None:
    if len(name) > LONGEST_NAME:
        raise InputError(
            f"{where}: {len(name)} characters are too many for the name of a folder; at most"
            f" {LONGEST_NAME}"
        )
    if fault := fault_of_name(name):
        raise InputError(f"{where}: {fault}; choose another name")
    if REPETITIVE.search(name):
        raise InputError(f"{where}: ends with 20 times the same; choose another name")


def _check_paths(study: Study) -> None:
    """Refuse paths that no system has, or into which Snakemake reads wildcards."""
    paths = {"data_dir": study.config["data_dir"]}
    for name, spec in study.config["datasets"].items():
        keys = ("path", "table")
        paths |= {f"datasets.{name}.{key}": spec[key] for key in keys if spec.get(key)}
    for place in study.other_sets:
        path = study.other_spec(*place).get("path")
        paths |= {f"datasets.{'.'.join(place)}.path": path} if path else {}
    for place, key in product(study.pairs, FILES):
        for condition in study.adopted_conditions:
            names = dict(zip(("dataset", "network"), place, strict=True))
            path = study.adopted_file(key, **names, condition=condition, seed=study.seeds[-1])
            paths |= {f"conditions.{condition}.{key}": path} if path else {}
    paths |= dict(starts(study))
    for where, path in paths.items():
        if path.startswith("~"):
            raise InputError(f"{where}: '~' is not filled in; write {Path(path).expanduser()}")
        if found := NOT_IN_PATHS.search(path):
            raise InputError(f"{where}: {found[0]!r} cannot stand in a path here; rename the file")
        if len(path) > LONGEST_PATH or any(
            len(part.encode()) > LONGEST_PART for part in path.split("/")
        ):
            raise InputError(f"{where}: {path[:20]!r}… is too long for a path; shorten it")


def _check_networks(study: Study) -> None:
    """Refuse networks and conditions of a data set that do not exist, and unused networks."""
    networks = study.config["networks"]
    for dataset, spec in study.config["datasets"].items():
        where = f"datasets.{dataset}"
        known("condition", spec["conditions"], study.config["conditions"], f"{where}.conditions")
        known("network", spec["networks"] or (), networks, f"{where}.networks")
    if unused := set(networks) - {network for _, network in study.pairs}:
        raise InputError(
            f"networks.{min(unused)}: no data set lists it under networks; add it to one"
        )
    for name, spec in networks.items():
        if spec["width"] != 1 and library_of(spec["architecture"]):
            raise InputError(
                f"networks.{name}.width: is for this project's own networks; leave it out, or use a"
                " smaller network of the library"
            )


def _check_corrupted_sets(study: Study) -> None:
    """Refuse a published corrupted set that does not belong to a data set's test split."""
    for dataset, spec in study.config["datasets"].items():
        name, kind = corrupted_set(study, dataset), study.kind(dataset)
        if name == "generated" and kind not in KINDS_OF:
            raise InputError(
                f"datasets.{dataset}.corrupted: corruptions are made for {' and '.join(KINDS_OF)},"
                f" not for {kind}; leave it out"
            )
        wanted = study.config["evaluation"]["corruptions"] is not None
        if name == "generated" and wanted and not corruption_names(study, dataset):
            known = next(iter(KINDS_OF[kind].values()))[0]
            raise InputError(
                f"evaluation.corruptions.names: none of them is made for the {kind} of {dataset};"
                f" add one, such as {known}, or set datasets.{dataset}.corrupted to none"
            )
        if name in ("generated", "none"):
            continue
        if spec["source"] != name.removesuffix("_c"):
            raise InputError(
                f"datasets.{dataset}.corrupted: {name} is not a corrupted copy of {spec['source']};"
                " set it to generated"
            )
        if wanted and not corruption_names(study, dataset):
            raise InputError(f"evaluation.corruptions.names: {name} has none of them; add another")
        if spec["classes"] is not None:
            raise InputError(
                f"datasets.{dataset}.classes: {name} has all classes of the test split; leave it"
                " out, or set corrupted to generated"
            )
        if name != "tiny_imagenet_c" and spec["test_samples"] is not None:
            raise InputError(
                f"datasets.{dataset}.test_samples: {name} belongs to the whole test split; leave"
                " it out, or set corrupted to generated"
            )


def _check_initial(study: Study) -> None:
    """Refuse what the initial weights cannot be measured on, or a study of these alone."""
    wanted = study.config["sharpness"]
    if "initial" in wanted["on"] and "augmented" in wanted["view"]:
        for dataset in study.config["datasets"]:
            if len(study.augmentations(dataset)) > 1:
                raise InputError(
                    "sharpness.view: augmented data of the initial weights need one augmentation,"
                    f" but conditions on {dataset} differ in theirs; leave out view augmented"
                )


def _check_interpolation(study: Study) -> None:
    """Refuse lines and planes through conditions that do not exist, or none at all."""
    if study.interpolation is None:
        return
    paths = {kind: study.interpolation[kind] for kind in ("lines", "planes")}
    paths["seeds"] = [[condition] for condition in study.interpolation["seeds"]]
    if not any(paths.values()):
        raise InputError("sharpness.interpolation: has no lines, planes or seeds; add one of them")
    _check_kinds_of_lines(study)
    if paths["seeds"] and len(study.seeds) < 2:
        raise InputError("sharpness.interpolation.seeds: the study has one seed; add another")
    for kind, wanted in paths.items():
        names = {name for path in wanted for name in path}
        valid = [INITIAL, *study.conditions]
        known("condition", names, valid, f"sharpness.interpolation.{kind}")
        for path, (dataset, plain) in product(wanted, study.config["datasets"].items()):
            own = (study.adopted.get((dataset, name), {}).get("normalize") for name in path)
            if len({canonical_json(each or plain["normalize"]) for each in own}) > 1:
                raise InputError(
                    f"sharpness.interpolation.{kind}: {' and '.join(path)} normalise the inputs of"
                    f" {dataset} differently, which no line leads over; name networks that are"
                    f" alike in it, or train with that normalisation (datasets.{dataset}.normalize)"
                )
            networks = [network for data, network in study.pairs if data == dataset]
            norms = ({study.norm(dataset, each, name) for name in path} for each in networks)
            if any(len(own) > 1 for own in norms):
                raise InputError(
                    f"sharpness.interpolation.{kind}: {' and '.join(path)} differ in their norm, so"
                    " they are different networks; name conditions of one norm"
                )


def _check_kinds_of_lines(study: Study) -> None:
    """Refuse further kinds of lines where there are none, and networks that have no matching."""
    wanted, where = study.interpolation, "sharpness.interpolation"
    for kind in ("matched", "bezier"):
        if wanted[kind] and not (wanted["lines"] or wanted["seeds"]):
            raise InputError(f"{where}.{kind}: has no lines to go beside; add lines or seeds")
    for network, spec in study.config["networks"].items():
        if wanted["matched"] and spec["architecture"] not in WITH_MATCHING:
            raise InputError(
                f"{where}.matched: which hidden units of {network} ({spec['architecture']}) can"
                f" change places is not known; use {', '.join(WITH_MATCHING)}, or leave it out"
            )


def _check_selections(study: Study) -> None:
    """Refuse a choice of networks that do not exist, or none that is trained."""
    for dataset, selections in study.selections.items():
        for family, selection in selections.items():
            where = _where_selected(study, dataset, family, "only")
            _check_only(study, selection.only, where)
            if more := selection.more_directions:
                where = _where_selected(study, dataset, family, "more_directions")
                _check_only(study, more["only"], f"{where}.only")
                _check_direction_seeds(study.sharpness[dataset][family], more, where)
    for family in study.families:
        if study.pairs and not any(study.is_measured(family, *p) for p in study.pairs):
            raise InputError(
                f"sharpness.{family}.only: leaves no trained network; name another network,"
                " condition or seed, or set the family to null"
            )
    _check_more_directions(study)


def _where_selected(study: Study, dataset: str, family: str, key: str) -> str:
    """Return the key that chooses networks of a data set: its own, or that of all."""
    own = study.config["datasets"][dataset]["sharpness"].get(family, {})
    return f"{f'datasets.{dataset}.' if key in own else ''}sharpness.{family}.{key}"


def _check_more_directions(study: Study) -> None:
    """Refuse further directions that no network of those with landscapes has."""
    used: dict[str, bool] = {}
    for dataset, selections in study.selections.items():
        landscape = selections.get("landscape")
        if landscape is None or landscape.more_directions is None:
            continue
        where = _where_selected(study, dataset, "landscape", "more_directions")
        networks = [network for data, network in study.pairs if data == dataset]
        used[where] = used.get(where, False) or any(
            "more_direction_seeds" in (landscape.settings({}, **_network(names)) or {})
            for names in product(networks, study.measured, study.seeds)
        )
    if unused := [where for where, has in used.items() if not has]:
        raise InputError(
            f"{unused[0]}.only: names no network that has landscapes; name another network,"
            " condition or seed, or leave more_directions out"
        )


def _network(names: tuple[str, str, int]) -> dict[str, Any]:
    return dict(zip(("network", "condition", "seed"), names, strict=True))


def _check_only(study: Study, only: Mapping[str, Any] | None, where: str) -> None:
    valid = {
        "networks": study.config["networks"],
        "conditions": study.measured,
        "seeds": study.seeds,
    }
    for key, names in (only or {}).items():
        known(WORDS[key], names or (), valid[key], f"{where}.{key}")


def _check_direction_seeds(
    settings: Mapping[str, Any], more: Mapping[str, Any], where: str
) -> None:
    if both := {*settings["direction_seeds"]} & {*more["direction_seeds"]}:
        raise InputError(
            f"{where}.direction_seeds: {min(both)} is one of direction_seeds already; leave it out"
        )
