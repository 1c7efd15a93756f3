"""Which tables and figures a study has."""

from collections.abc import Mapping

from ..components import Component
from ..data.other_kinds import SHIFTED, UNSEEN
from ..tables_and_figures import (
    DATASET_FIGURES,
    FIGURES,
    GATHERED,
    PUBLISHED_FIGURES,
    STUDY_FIGURES,
    TABLES,
    Table,
)
from . import between
from .corruptions import corrupted_datasets
from .moments import families_on_the_way
from .published import compared_kinds, compared_pairs
from .signatures import depth_of
from .study import Study
from .toys import toy_jobs

# Figures of what the optimiser and its settings do.
OF_HYPERPARAMETERS = frozenset({"hyperparameters", "variance_shares"})
# The families whose curves and surfaces tables hold.
FAMILY_OF = {
    "landscape": "landscape",
    "landscape_eigenvectors": "landscape",
    "hessian": "hessian",
}
# Figures of a family along trainings, by its name.
ALONG = ("edge_of_stability", "path")
# Figures of domains, which recordings alone have.
OF_DOMAINS = frozenset({"domains", "domain_correlations"})
# Tables that jobs of their own make of all trained networks.
MODEL_TABLES = (
    *("measures", "provenance", "history"),
    *("calibration", "reliability", "risk_coverage", "disagreement"),
)


def gathered(study: Study) -> list[str]:
    """Return the tables that are made of the documents of all models."""
    sharpness, trained = study.config["sharpness"], bool(study.pairs)
    families = ("landscape", "hessian", "interpolation")
    there = {name: trained and sharpness[name] is not None for name in families}
    landscape = sharpness["landscape"] or {"eigenvectors": False}
    there["landscape_eigenvectors"] = trained and landscape["eigenvectors"]
    there |= {"asc_pairs": trained and study.has_stability, "domains": bool(study.with_domains)}
    # Without rows where nothing is measured by domain: of two trainings the rest is still compared.
    there["domain_measures"] = study.has_domain_sharpness or bool(study.references)
    there["barriers"] = trained and any(between.lines(study, seed) for seed in study.seeds)
    there |= {"toy_fits": bool(toy_jobs(study)), "adopted": bool(study.adopted)}
    along = families_on_the_way(study)
    there |= {"snapshots": bool(along), "path": "path" in along}
    there["network_ensembles"] = bool(study.network_ensembles)
    there["corrupted_samples"] = trained and bool(corrupted_datasets(study))
    return [name for name in GATHERED if there[name]]


def tables(study: Study) -> dict[str, Table]:
    """Return the tables that are made of others or of published ones."""
    there, found = {*first_tables(study)}, {}
    own = {name: study.component("tables", name) for name in study.own("tables")}
    # Round by round, since a table may need one that is registered after it.
    while more := {
        name: table
        for name, table in (TABLES | own).items()
        if name not in found and _wants(study, table, there)
    }:
        found |= more
        there.update(given for table in more.values() for given in table.gives)
    return found


def _wants(study: Study, table: Table, there: set[str]) -> bool:
    """Return whether a table belongs to the study, and what it needs is there."""
    if table.of_published_alone:
        return table.about in compared_kinds(study)
    if table.published and not compared_pairs(study):
        return False
    if table.where and not getattr(study, table.where):
        return False
    # Families without a table describe trained networks.
    return there.issuperset(table.needs) and bool(table.needs or study.pairs)


def first_tables(study: Study) -> list[str]:
    """Return the tables that other tables and figures are made of."""
    of_models = MODEL_TABLES if study.pairs else ()
    # Of networks that were trained elsewhere there is none.
    unknown = set() if study.trained_conditions else {"history"}
    of_models = [name for name in of_models if name not in unknown]
    of_models += ["corruption_accuracies"] if study.pairs and corrupted_datasets(study) else []
    of_models += ["shifted_accuracies"] if study.has_others(SHIFTED) else []
    of_models += ["unseen_scores"] if study.has_others(UNSEEN) else []
    return [*of_models, *gathered(study), *(["ensembles"] if study.has_ensembles else [])]


def _drawn(study: Study, figures: Mapping[str, Component]) -> list[str]:
    """Return those figures whose tables the study has."""
    given = (name for table in tables(study).values() for name in table.gives)
    there = {*first_tables(study), *given}
    return [name for name, figure in figures.items() if there.issuperset(figure.needs)]


def figures(study: Study) -> list[str]:
    """Return the figures of each network, that of published values of some only among them."""
    sharpness = study.config["sharpness"]
    unwanted = set() if study.config["sweeps"] else {"sweep"}
    unwanted |= {family for family in ALONG if sharpness[family] is None}
    unwanted |= {"minima"} if sharpness["forward"] is None else set()
    landscape = sharpness["landscape"]
    unwanted |= {"landscape_lines"} if landscape and not landscape["line_points"] else set()
    return [*(n for n in _drawn(study, FIGURES) if n not in unwanted), *_own_figures(study, 2)]


def network_figures(study: Study, dataset: str, network: str) -> list[str]:
    """Return the figures of a network on a data set: those of what there is of it."""
    unwanted = set() if (dataset, network) in compared_pairs(study) else {"agreement"}
    unwanted |= set() if dataset in corrupted_datasets(study) else {"corruptions"}
    wanted = study.config["sharpness"]
    unwanted |= {
        family
        for family in ALONG
        if wanted[family] is None or not study.is_measured(family, dataset, network)
    }
    measured = {
        table
        for table, family in FAMILY_OF.items()
        if family in study.families and study.is_measured(family, dataset, network)
    }
    lacking = FAMILY_OF.keys() - measured
    return [
        name
        for name in figures(study)
        if name not in unwanted and lacking.isdisjoint(study.component("figures", name).needs)
    ]


def dataset_figures(study: Study, dataset: str) -> list[str]:
    """Return the figures of all networks of a data set together."""
    unwanted = set() if study.has_domains(dataset) else OF_DOMAINS
    unwanted |= set() if dataset in corrupted_datasets(study) else {"corrupted_samples"}
    unwanted |= set() if study.config["datasets"][dataset]["shifted"] else {"shifted"}
    unwanted |= set() if study.varies_optimisation(dataset) else OF_HYPERPARAMETERS
    networks = [network for where, network in study.pairs if where == dataset]
    if study.has_stability and not any(
        study.is_measured("landscape", dataset, network) for network in networks
    ):
        unwanted |= {"stability"}
    found = (name for name in _drawn(study, DATASET_FIGURES) if name not in unwanted)
    return [*found, *_own_figures(study, 1)]


def study_figures(study: Study) -> list[str]:
    """Return the figures that there is one of."""
    return [*_drawn(study, STUDY_FIGURES), *_own_figures(study, 0)]


def _own_figures(study: Study, depth: int) -> list[str]:
    """Return figures of the user's file: of a network (2), of a data set (1), of the study (0)."""
    found = {name: study.component("figures", name) for name in study.own("figures")}
    return [name for name, figure in found.items() if depth_of(figure) == depth]


def published_figures(study: Study) -> list[str]:
    """Return the figures of published results that the study is compared with."""
    return _drawn(study, PUBLISHED_FIGURES)
