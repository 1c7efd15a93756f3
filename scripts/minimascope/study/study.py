"""What a study consists of: its conditions, and for each job the part of the configuration it uses.

A job depends on the canonical text of its part alone (`Study.…_spec`), so a change elsewhere in
the configuration, or another order of keys, reruns nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from ..canonical import canonical_json
from ..components import IMAGES, RECORDINGS, Component
from ..data.other_kinds import KINDS
from ..registry import (
    EVALUATION,
    INITIAL,
    SHARPNESS,
    USUAL_NORM,
    WITH_BATCHNORM,
    WITH_NORMS,
    WITHOUT_FILES,
    bare,
    find,
)
from ..sharpness.radii import PERTURBATION, names_at_radii
from .adopted import adopted_conditions, filled
from .domains import references
from .selection import Selection
from .signatures import takes
from .starts import transfers

# Keys of a data set that say what is done with it, not what it is.
NOT_OF_THE_SOURCE = (
    "training",
    "conditions",
    "normalize",
    "features",
    "networks",
    "train_samples",
    "test_samples",
    "classes",
    "train_domains",
    "corrupted",
    "augment_test",
    *KINDS,
    "sharpness",
    "published_as",
)
# Where a study names components of the user's own file, by kind, each with its settings.
OWN_SECTIONS = {
    "sharpness": "sharpness",
    "evaluations": "evaluation",
    "tables": "tables",
    "figures": "figures",
}
# Families of measures that sharpness is compared with as a predictor of the gap.
RIVALS = frozenset({"norms", "input"})
# The job of families that take no more passes over the training data than this.
SHARED = "sharpness"
FEW_PASSES = 100
# Where a study names no loss.
USUAL_LOSS = "cross_entropy"
# The batch size that is the whole training split.
FULL = "full"
# The usual name of the condition that others are compared with.
BASELINE = "baseline"


@dataclass(frozen=True)
class Study:
    """A checked study; build it with `loading.load_study`.

    Attributes:
        config: what its file says, defaults filled in.
        base_conditions: for each condition and cell of a sweep the condition that it varies.
        swept: for each condition what a sweep sets there; nothing for those that are no cells.
        sweep_of: for each cell of a sweep the name of that.
        training: by data set and condition the resolved settings: the study's, then the data
            set's, then the condition's. Of an adopted condition what is known; the others are None.
        sharpness: settings of all families, by data set.
        adopted: by data set and condition, for those whose networks were trained elsewhere:
            their files and how to read them (`adopted.adopted_spec`).
        selections: by data set and registered family, which networks it is measured of.
        parts: the user's own file of components. What is of it has no prefix in results.
    """

    config: Mapping[str, Any]
    base_conditions: Mapping[str, str]
    swept: Mapping[str, Mapping[str, Any]]
    sweep_of: Mapping[str, str]
    training: Mapping[tuple[str, str], Mapping[str, Any]]
    sharpness: Mapping[str, Mapping[str, Any]]
    adopted: Mapping[tuple[str, str], Mapping[str, Any]]
    selections: Mapping[str, Mapping[str, Selection]]
    parts: Path | None = None

    def component(self, kind: str, name: str) -> Component:
        """The component of a kind that the study names; see `registry.find`."""
        return find(kind, name, self.parts)

    def own(self, kind: str) -> dict[str, Mapping[str, Any]]:
        """Settings of the components of a kind that are of the user's own file, by bare name."""
        section = self.config[OWN_SECTIONS[kind]].items()
        return {bare(name): own for name, own in section if ":" in name and own is not None}

    @property
    def name(self) -> str:
        """Name of the study; its two protocols are kept apart."""
        published = self.config["protocol"] == "published"
        return self.config["study"] + ("-published" if published else "")

    @property
    def conditions(self) -> list[str]:
        """Conditions with the cells of sweeps."""
        return list(self.base_conditions)

    @property
    def adopted_conditions(self) -> list[str]:
        """Conditions whose networks were trained elsewhere."""
        return adopted_conditions(self.config)

    @property
    def trained_conditions(self) -> list[str]:
        """Conditions whose networks are trained here, with the cells of sweeps."""
        adopted = self.adopted_conditions
        return [condition for condition in self.conditions if condition not in adopted]

    def is_matched(self, dataset: str, condition: str) -> bool:
        """Whether networks of a condition start from the initial weights of their seed."""
        adopted = self.adopted.get((dataset, condition))
        return adopted is None or adopted["matched"]

    def starts_from_initial(self, dataset: str, condition: str) -> bool:
        """Whether the training of a condition is known to start from its seed's initial weights.

        Weights or a norm of its own are other ones; the initial weights start from themselves.
        """
        if condition == INITIAL:
            return True
        training = self.training[dataset, condition]
        own = training["weights"] or training["norm"] not in (None, USUAL_NORM)
        return self.is_matched(dataset, condition) and not own

    def adopted_file(self, key: str, **wildcards: Any) -> str | None:
        """Path of a checkpoint (or of the ``initial`` one) that is adopted, or None.

        It is relative to ``data_dir``; wildcards are data set, network, condition and seed.
        """
        path = self.adopted[wildcards["dataset"], wildcards["condition"]][key]
        return path and filled(path, wildcards)

    @property
    def baseline(self) -> str | None:
        """The condition that others are compared with: as named, or ``baseline``, or None."""
        named = self.config["analysis"]["baseline"]
        return named or (BASELINE if BASELINE in self.base_conditions else None)

    def baseline_of(self, condition: str) -> str | None:
        """The condition that another is compared with, or None.

        That of a cell of a sweep is the same cell of the baseline, where the sweep has one.
        """
        if self.baseline is None:
            return None
        cell = condition.removeprefix(self.base_conditions[condition])
        same_cell = self.base_conditions[self.baseline] + cell
        if cell and same_cell in self.base_conditions and same_cell != condition:
            return same_cell
        return None if condition == self.baseline else self.baseline

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """All (data set, network) whose networks are trained on the data set."""
        return [
            (dataset, network)
            for dataset, spec in self.config["datasets"].items()
            for network in self.config["networks"]
            if spec["networks"] is None or network in spec["networks"]
        ]

    @property
    def seeds(self) -> list[int]:
        """Seeds in increasing order: their order in the file changes nothing."""
        return sorted(self.config["seeds"])

    @property
    def families(self) -> list[str]:
        """Families of sharpness measures of networks at the end of training that are wanted."""
        found = [name for name in SHARPNESS if self.config["sharpness"][name] is not None]
        return [*found, *self.own("sharpness")]

    @property
    def measures_at_radii(self) -> set[str]:
        """Names of measures of sharpness at further radii, on some data set."""
        chosen = (families.get(PERTURBATION) for families in self.sharpness.values())
        return {name for settings in chosen if settings for name in names_at_radii(settings)}

    @property
    def predicts_gap(self) -> bool:
        """Whether it tells which measure predicts the gap: with a sweep, or rivals of sharpness."""
        return bool(self.config["sweeps"]) or not RIVALS.isdisjoint(self.families)

    def families_by_domain(self, dataset: str) -> list[str]:
        """Families that are measured on each domain of a data set, too."""
        found = self.selections[dataset]
        return [name for name in self.families if name in found and found[name].by_domain]

    @property
    def has_domain_sharpness(self) -> bool:
        """Whether sharpness is measured on each domain of a data set."""
        return any(map(self.families_by_domain, self.with_domains))

    @property
    def references(self) -> Mapping[str, str]:
        """Data sets that are others with fewer domains in training; see `domains.references`."""
        return references(self)

    @property
    def sharpness_jobs(self) -> dict[str, list[str]]:
        """Families by the job that measures them.

        Those with few passes over the training data share one for each condition, ``sharpness``;
        each of the others has one for every model, so that nothing dear is measured again for the
        sake of another, and so has one that only some networks have. Those of the user's own file
        are jobs of a rule of their own.
        """
        return self.jobs_of([name for name in self.families if name in SHARPNESS])

    def jobs_of(self, families: list[str]) -> dict[str, list[str]]:
        """Registered families by the job that measures them; see `sharpness_jobs`."""
        dear = [
            family
            for family in families
            if any(
                self.passes(family, dataset) > FEW_PASSES
                or self.selections[dataset].get(family, Selection()).selects
                for dataset in self.sharpness
            )
        ]
        shared = [family for family in families if family not in dear]
        return ({SHARED: shared} if shared else {}) | {family: [family] for family in dear}

    def settings_of(self, family: str, dataset: str, **network: Any) -> Mapping[str, Any] | None:
        """Settings of a family for one network, or None if it does not have these measures.

        The network is given by ``network``, ``condition`` and ``seed``, which may be text; what is
        not given is any.
        """
        if "seed" in network:
            network |= {"seed": int(network["seed"])}
        if family == EVALUATION:
            return {"ece_bins": self.config["evaluation"]["ece_bins"]}
        common = self.sharpness[dataset][family]
        selection = self.selections[dataset].get(family)
        return selection.settings(common, **network) if selection else common

    def passes(self, family: str, dataset: str, **network: Any) -> int:
        """About how many passes over the training data a registered family takes of one network.

        The network is given as in `settings_of`, and must have these measures.
        """
        settings = self.settings_of(family, dataset, **network)
        component = find("sharpness", family)
        return component.all_passes(settings, family in self.families_by_domain(dataset))

    def is_measured(self, family: str, dataset: str, network: str) -> bool:
        """Whether a family is measured of a trained network, under some condition and seed."""
        return any(
            self.settings_of(family, dataset, network=network, condition=condition, seed=seed)
            is not None
            for condition, seed in product(self.conditions, self.seeds)
        )

    @property
    def interpolation(self) -> Mapping[str, Any] | None:
        """Lines and planes between networks of the same seed, or None."""
        return self.config["sharpness"]["interpolation"]

    @property
    def has_stability(self) -> bool:
        """Whether ASC sharpness is measured along several pairs of directions."""
        landscape = self.config["sharpness"]["landscape"]
        if landscape is None:
            return False
        return len(landscape["direction_seeds"]) > 1 or landscape["more_directions"] is not None

    @property
    def has_attacks(self) -> bool:
        """Whether the inputs of networks are attacked."""
        return bool(self.pairs) and self.config["evaluation"]["adversarial"] is not None

    @property
    def has_ensembles(self) -> bool:
        """Whether a condition has several networks, which can predict together."""
        return bool(self.pairs) and len(self.seeds) > 1

    @property
    def network_ensembles(self) -> dict[str, list[str]]:
        """By data set the networks that predict together, in the order of the study."""
        wanted = self.config["evaluation"]["network_ensembles"] or ()
        found: dict[str, list[str]] = {}
        for dataset, network in self.pairs:
            if network in wanted:
                found.setdefault(dataset, []).append(network)
        return {dataset: networks for dataset, networks in found.items() if len(networks) > 1}

    def varies_optimisation(self, dataset: str) -> bool:
        """Whether networks of a data set differ in optimiser, learning rate or batch size."""
        specs = [self.training[dataset, condition] for condition in self.trained_conditions]
        optimizers = {(spec["optimizer"]["name"], spec["optimizer"]["lr"]) for spec in specs}
        return len(optimizers) > 1 or len({spec["batch_size"] for spec in specs}) > 1

    def test_augmentation(self, dataset: str, condition: str) -> Mapping[str, Any] | None:
        """Augmentation of the test images of a condition, or None."""
        wanted = self.config["datasets"][dataset]["augment_test"]
        return self.training[dataset, condition]["augment"] if wanted else None

    def label_noise(self, dataset: str, condition: str) -> float:
        """Share of random training labels of a condition; none for the initial weights."""
        return 0.0 if condition == INITIAL else self.training[dataset, condition]["label_noise"]

    def kind(self, dataset: str, *other: str) -> str:
        """What a data set, or its further test set (kind, name), consists of.

        That is images, recordings or points.
        """
        source = self.component("sources", self.source_spec(dataset, *other)["source"])
        return next(iter(source.gives), IMAGES)

    def reads_files(self, dataset: str, *other: str) -> bool:
        """Whether a data set, or its further test set, is read from the folder of raw data."""
        name = self.source_spec(dataset, *other)["source"]
        source = self.component("sources", name)
        if source.file:
            return takes(source, "data_dir")
        return name not in WITHOUT_FILES

    def has_recordings(self, dataset: str) -> bool:
        """Whether a data set is made of recordings."""
        return self.kind(dataset) == RECORDINGS

    @property
    def recordings(self) -> list[str]:
        """Data sets that are made of recordings."""
        return [dataset for dataset in self.config["datasets"] if self.has_recordings(dataset)]

    @property
    def other_sets(self) -> list[tuple[str, str, str]]:
        """Further test sets of data sets: (data set, kind, name)."""
        return [
            (dataset, kind, name)
            for dataset, spec in self.config["datasets"].items()
            for kind in KINDS
            for name in spec[kind]
        ]

    def has_others(self, kind: str) -> bool:
        """Whether a data set has further test sets of a kind."""
        return bool(self.pairs) and any(kind == each for _, each, _ in self.other_sets)

    def other_spec(self, dataset: str, kind: str, name: str) -> Mapping[str, Any]:
        """What the study says of a further test set."""
        return self.config["datasets"][dataset][kind][name]

    def has_domains(self, dataset: str) -> bool:
        """Whether a data set says of its samples what they come from: recordings, and pictures."""
        return self.has_recordings(dataset) or bool(self.config["datasets"][dataset].get("domains"))

    @property
    def with_domains(self) -> list[str]:
        """Data sets whose samples have domains."""
        return [dataset for dataset in self.config["datasets"] if self.has_domains(dataset)]

    def source_spec(self, dataset: str, *other: str) -> dict[str, Any]:
        """Source of a data set, or of its further test set (kind, name), with its options."""
        spec = self.config["datasets"][dataset]
        for key in other:
            spec = spec[key]
        return {key: spec[key] for key in spec if key not in NOT_OF_THE_SOURCE}

    def part_spec(self, dataset: str) -> dict[str, Any]:
        """Number of training and of test samples that are used, None for all; classes, domains.

        What is used as a whole is not named, so that earlier studies are not run again.
        """
        spec = self.config["datasets"][dataset]
        names = {key: spec[key] for key in ("classes", "train_domains") if spec[key]}
        some = {key: [*map(str, chosen)] for key, chosen in names.items()}
        return {split: spec[f"{split}_samples"] for split in ("train", "test")} | some

    def features_spec(self, dataset: str) -> dict[str, Any]:
        """Log-mel features of a data set's recordings."""
        return self.config["datasets"][dataset]["features"]

    def input_spec(self, dataset: str) -> dict[str, Any]:
        """Normalisation of a data set's inputs."""
        return self.config["datasets"][dataset]["normalize"]

    def network_spec(self, network: str) -> dict[str, Any]:
        """Architecture of a network and its settings."""
        return self.config["networks"][network]

    def norm(self, dataset: str, network: str, condition: str) -> str | None:
        """Norm of a condition's networks, or None for networks that have no choice of it."""
        if self.network_spec(network)["architecture"] not in WITH_NORMS:
            return None
        own = None if condition == INITIAL else self.training[dataset, condition]["norm"]
        return own or USUAL_NORM

    def has_batchnorm(self, dataset: str, network: str, condition: str) -> bool:
        """Whether a condition's networks have BatchNorm, as far as that is known."""
        architecture = self.network_spec(network)["architecture"]
        return architecture in WITH_BATCHNORM or self.norm(dataset, network, condition) == "batch"

    def augmentation(self, dataset: str, condition: str) -> Mapping[str, Any] | None:
        """Augmentation of a condition; of the initial weights the one that all conditions share."""
        if condition != INITIAL:
            return self.training[dataset, condition]["augment"]
        return next(iter(self.augmentations(dataset).values()), None)

    def loss(self, dataset: str, condition: str) -> str:
        """Loss that a condition is trained with; the usual one where that is not known.

        Of the initial weights the one that all conditions share, or the usual one.
        """
        if condition != INITIAL:
            return self.training[dataset, condition]["loss"] or USUAL_LOSS
        found = {self.loss(dataset, each) for each in self.conditions}
        return found.pop() if len(found) == 1 else USUAL_LOSS

    def weight_decay(self, dataset: str, condition: str) -> float:
        """Weight decay that a condition is trained with; none for the initial weights.

        None as well for an adopted condition of which it is not known.
        """
        if condition == INITIAL:
            return 0.0
        return self.training[dataset, condition]["optimizer"]["weight_decay"] or 0.0

    def augmentations(self, dataset: str) -> dict[str, Mapping[str, Any]]:
        """The different augmentations of a data set, by their canonical text."""
        specs = [self.training[dataset, condition]["augment"] for condition in self.conditions]
        return {canonical_json(spec): spec for spec in specs if spec is not None}

    def views(self, dataset: str, condition: str) -> list[str]:
        """Views of the training data on which sharpness of a condition is measured."""
        wanted = self.config["sharpness"]["view"]
        if self.augmentation(dataset, condition) is None:
            return ["clean"]
        return [view for view in ("clean", "augmented") if view in wanted]

    @property
    def measured(self) -> list[str]:
        """Conditions whose sharpness is measured, with the initial weights if that is wanted."""
        initial = [INITIAL] if "initial" in self.config["sharpness"]["on"] else []
        return [*self.conditions, *initial]

    @property
    def transfers(self) -> Mapping[tuple[str, str, str], tuple[str, str]]:
        """What networks start from that other data were learnt with; see `starts.transfers`."""
        return transfers(self)
