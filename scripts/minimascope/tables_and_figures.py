"""Tables and figures of studies: to add one, write its module and add its line here."""

from dataclasses import dataclass

from .components import IMAGES, RECORDINGS, TOYS, Component, component


@dataclass(frozen=True)
class Table(Component):
    """A function of tables that returns the tables it `gives`: one, or a tuple in their order.

    Attributes:
        published: published tables that it takes after those
            (resources/published/<name>.csv). A table that takes nothing else is made once for all
            studies, in results/published.
        text: the function that turns tables into what readers see (`analysis.render.Text`), which
            lies beside them, under this table's key in `TABLES`. Empty if there is nothing to read.
        shows: the tables that this function takes, in their order.
        formats: in which that is written (`analysis.render.RENDERERS`).
        about: of a table that is the same for all studies: which of them have it, by what their
            data consist of (`IMAGES`, `RECORDINGS`) or by `TOYS`.
        where: the property of `study.Study` that a study with this table has; empty for all.
    """

    published: tuple[str, ...] = ()
    text: str = ""
    shows: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()
    about: str = ""
    where: str = ""

    @property
    def of_published_alone(self) -> bool:
        """Whether it is the same for all studies."""
        return bool(self.published) and not self.needs


def _table(
    location: str, *, about: str = "", text: str = "", where: str = "", **names: str
) -> Table:
    lists = {key: tuple(value.split()) for key, value in names.items()}
    readable = {"shows": lists["gives"], "formats": ("md", "html")} if text else {}
    return Table(location, about=about, text=text, where=where, **readable | lists)


# Tables that are made of the documents of all models, by a function of these.
GATHERED = {
    "landscape": component("analysis.curves:landscape"),
    "landscape_eigenvectors": component("analysis.curves:eigenvectors"),
    "hessian": component("analysis.curves:hessian"),
    "interpolation": component("analysis.curves:interpolation"),
    "barriers": component("analysis.barriers:barrier_table"),
    "asc_pairs": component("analysis.stability:pair_values"),
    "domains": component("analysis.collect:domain_table"),
    "domain_measures": component("analysis.collect:domain_measures_table"),
    "toy_fits": component("analysis.toy_fits:fits_table"),
    "path": component("analysis.curves:path"),
    "snapshots": component("analysis.trajectory:snapshot_table"),
    "adopted": component("analysis.adopted:adopted_table"),
    "network_ensembles": component("analysis.network_ensembles:gathered"),
    "corrupted_samples": component("analysis.collect:corrupted_samples"),
}
# Tables that are made of tables, where all that they need is there.
TABLES = {
    "conditions": _table("analysis.model_table:conditions_table", gives="conditions"),
    "summary": _table(
        "analysis.summary:summary_tables",
        needs="measures disagreement",
        gives="summary seed_values",
    ),
    "models": _table(
        "analysis.model_table:model_table", needs="measures conditions", gives="models"
    ),
    "trained": _table(
        "analysis.trained:trained_table",
        needs="measures",
        gives="trained",
        text="analysis.trained:text",
    ),
    "adopted": _table(
        "analysis.adopted:by_condition",
        needs="adopted",
        gives="adopted_conditions",
        text="analysis.adopted:text",
    ),
    "main": _table(
        "analysis.tables:main_tables",
        needs="summary",
        gives="main",
        text="analysis.tables:main_text",
        shows="summary",
        formats="md html tex",
    ),
    "sharpness": _table(
        "analysis.tables:sharpness_tables",
        needs="summary",
        gives="sharpness",
        text="analysis.tables:sharpness_text",
        shows="summary",
    ),
    "adversarial": _table(
        "analysis.tables:adversarial_tables",
        needs="summary",
        gives="adversarial",
        text="analysis.tables:adversarial_text",
        shows="summary",
        where="has_attacks",
    ),
    "statistics": _table(
        "analysis.statistics:statistics",
        needs="seed_values conditions",
        gives="statistics",
        text="analysis.statistics:text",
    ),
    "corruptions": _table(
        "analysis.corruptions:corruption_table",
        needs="corruption_accuracies seed_values conditions",
        gives="corruptions",
        text="analysis.corruptions:text",
    ),
    "scaled": _table(
        "analysis.scaled:scaled_table",
        needs="summary",
        gives="scaled",
        text="analysis.scaled:text",
    ),
    "shifted": _table(
        "analysis.shifted:shifted_tables",
        needs="shifted_accuracies seed_values",
        gives="shifted shifted_points",
        text="analysis.shifted:text",
        shows="shifted",
    ),
    "unseen": _table(
        "analysis.unseen:unseen_table",
        needs="unseen_scores seed_values",
        gives="unseen",
        text="analysis.unseen:text",
    ),
    "claims": _table(
        "analysis.claims:claims_measured",
        needs="seed_values conditions models",
        gives="claims",
        text="analysis.claims_text:text",
    ),
    "outcomes": _table(
        "analysis.outcomes:outcome_tables",
        needs="seed_values conditions",
        gives="outcomes outcome_shares",
        text="analysis.outcomes:text",
    ),
    "interactions": _table(
        "analysis.interactions:interaction_tables",
        needs="seed_values conditions",
        gives="interactions sam_radius",
        text="analysis.interactions:text",
    ),
    "trends": _table(
        "analysis.trends:trend_tables",
        needs="summary seed_values",
        gives="trends trend_points rank_agreement",
        text="analysis.trends:text",
        shows="trends rank_agreement",
    ),
    "trajectory": _table(
        "analysis.trajectory:trajectory_tables",
        needs="snapshots measures history conditions",
        gives="trajectory trajectory_summary partings",
        text="analysis.trajectory:text",
        shows="partings trajectory",
    ),
    "transfer": _table(
        "analysis.transfer:transfer_tables",
        needs="summary trend_points conditions",
        gives="transfer transfer_points",
        text="analysis.transfer:text",
        where="transfers",
    ),
    "correlations": _table(
        "analysis.relations:relations",
        needs="summary trend_points models",
        gives="correlations variance_shares",
        text="analysis.relations:text",
    ),
    "gap_prediction": _table(
        "analysis.gap_prediction:gap_prediction",
        needs="measures conditions",
        gives="gap_prediction",
        text="analysis.gap_prediction_text:text",
        where="predicts_gap",
    ),
    "domain_correlations": _table(
        "analysis.domain_correlations:domain_correlation_table",
        needs="domains summary models",
        gives="domain_correlations",
        text="analysis.domain_correlations:text",
    ),
    "domain_sharpness": _table(
        "analysis.domain_sharpness:domain_sharpness_tables",
        needs="domain_measures domains models",
        gives="domain_sharpness domain_sharpness_correlations",
        text="analysis.domain_sharpness:text",
        where="has_domain_sharpness",
    ),
    "train_domains": _table(
        "analysis.train_domains:differences_by_training",
        needs="seed_values domains domain_measures models",
        gives="train_domains",
        text="analysis.train_domains:text",
        where="references",
    ),
    "answer": _table(
        "analysis.answer:answers",
        needs="summary conditions statistics claims correlations trends trend_points",
        gives="answer",
        text="analysis.answer:text",
        shows="answer correlations",
    ),
    "ensembles": _table(
        "analysis.ensemble_gain:gain_correlations",
        needs="ensembles summary",
        gives="ensemble_gain",
        text="analysis.ensemble_gain:text",
        shows="ensembles summary ensemble_gain",
    ),
    "network_ensembles": _table(
        "analysis.network_ensembles:advantages",
        needs="network_ensembles summary",
        gives="network_ensemble_advantages",
        text="analysis.network_ensembles:text",
        shows="network_ensembles network_ensemble_advantages",
    ),
    "barriers": _table(
        "analysis.barriers:by_path",
        needs="barriers",
        gives="barrier_means",
        text="analysis.barriers:text",
    ),
    "stability": _table(
        "analysis.stability:stability_tables",
        needs="asc_pairs",
        gives="stability stability_order",
    ),
    "agreement": _table(
        "analysis.agreement:agreement_tables",
        needs="summary conditions",
        published="deep_models sam_rho_sweep clean_views",
        gives="agreement agreement_order",
        text="analysis.agreement_text:text",
    ),
    "toy_fits": _table(
        "analysis.toy_fits:summarise_fits",
        needs="toy_fits",
        gives="toy_fits_summary",
        text="analysis.toy_fits:text",
    ),
    "toy_mirror": _table(
        "analysis.toy_mirror:mirror_tables",
        needs="toy_fits",
        gives="toy_mirror toy_mirror_correlations toy_mirror_points",
        text="analysis.toy_mirror:text",
    ),
    "published_claims": _table(
        "analysis.claims:published_claims",
        published="deep_models",
        gives="published_claims",
        text="analysis.claims_text:text",
        about=IMAGES,
    ),
    "published_outcomes": _table(
        "analysis.outcomes:published_outcome_tables",
        published="deep_models",
        gives="published_outcomes published_outcome_shares",
        text="analysis.outcomes:text",
        about=IMAGES,
    ),
    "published_interactions": _table(
        "analysis.interactions:published_interactions",
        published="deep_models sam_rho_sweep",
        gives="published_interactions published_sam_radius",
        text="analysis.interactions:text",
        about=IMAGES,
    ),
    "asc_reanalysis": _table(
        "analysis.published_scenes:reanalysis",
        published="asc_models asc_expected",
        gives="asc_reanalysis asc_models asc_conditions asc_correlations asc_trends"
        " asc_trend_points asc_variance_shares asc_stability asc_stability_order asc_domains"
        " asc_domain_correlations asc_claims",
        text="analysis.published_scenes:text",
        shows="asc_claims asc_domain_correlations asc_reanalysis asc_correlations"
        " asc_variance_shares asc_stability",
        about=RECORDINGS,
    ),
    "toy_geometry": _table(
        "analysis.toy_geometry:compare_toy_geometry",
        published="toy_functions",
        gives="toy_geometry",
        text="analysis.toy_fits:geometry_text",
        about=TOYS,
    ),
}
# Tables with measures of sharpness on each view of the data. Figures of a network get rows of the
# one that `analysis.figure_view` names, but for that of correlations, which are of clean data.
OF_VIEWS = ("measures", "summary", "hessian", "landscape", "landscape_eigenvectors", "path")
OF_CLEAN_DATA = "sharpness_evaluation"
# A figure is drawn where the study has all tables that it needs.
# Of each network on each data set:
FIGURES = {
    "conditions": component("plots.conditions:plot", "measures", "disagreement", "conditions"),
    "effects": component("plots.effects:plot", "statistics", "conditions"),
    "sharpness_evaluation": component(
        "plots.sharpness_evaluation:plot", "measures", "correlations", "conditions"
    ),
    "minima": component("plots.minima:plot", "measures", "conditions"),
    "sweep": component("plots.sweep:plot", "summary", "conditions"),
    "gap_prediction": component("plots.gap_prediction:plot", "gap_prediction"),
    "agreement": component("plots.agreement:plot", "agreement", "agreement_order", "conditions"),
    "rank_agreement": component("plots.rank_agreement:plot", "rank_agreement"),
    "corruptions": component("plots.corruptions:plot", "corruptions", "conditions"),
    "trajectory": component("plots.trajectory:over_epochs", "trajectory", "conditions"),
    "trajectory_loss": component("plots.trajectory:over_loss", "trajectory", "conditions"),
    "path": component("plots.path:plot", "path", "conditions"),
    "edge_of_stability": component("plots.edge_of_stability:plot", "trajectory_summary"),
    "training_curves": component("plots.training_curves:plot", "history", "conditions"),
    "reliability": component("plots.reliability:plot", "reliability", "conditions"),
    "risk_coverage": component("plots.risk_coverage:plot", "risk_coverage", "conditions"),
    "disagreement": component("plots.disagreement:plot", "disagreement"),
    "spectrum": component("plots.spectrum:plot", "hessian", "conditions"),
    "landscape_contours": component("plots.landscape:contours", "landscape"),
    "landscape_surfaces": component("plots.landscape:surfaces", "landscape"),
    "landscape_lines": component("plots.landscape:lines", "landscape", "conditions"),
    "landscape_eigenvectors": component("plots.landscape:eigenvectors", "landscape_eigenvectors"),
    "interpolation": component("plots.interpolation:plot", "interpolation"),
}
# Of all networks of a data set together:
DATASET_FIGURES = {
    "outcomes": component("plots.outcomes:plot", "outcomes"),
    "sharpness_accuracy": component(
        "plots.sharpness_accuracy:plot", "models", "correlations", "conditions"
    ),
    "trends": component("plots.trends:plot", "trends", "trend_points", "conditions"),
    "hyperparameters": component(
        "plots.hyperparameters:plot", "models", "variance_shares", "conditions"
    ),
    "variance_shares": component("plots.variance_shares:plot", "variance_shares"),
    "domains": component("plots.domains:plot", "domains"),
    "domain_correlations": component("plots.domain_correlations:plot", "domain_correlations"),
    "corrupted_samples": component("plots.corrupted_samples:plot", "corrupted_samples"),
    "shifted": component("plots.shifted:plot", "shifted_points", "shifted", "conditions"),
    "stability": component("plots.stability:plot", "stability", "stability_order"),
    "ensembles": component(
        "plots.ensembles:plot", "ensembles", "summary", "ensemble_gain", "conditions"
    ),
}
# Of a study:
STUDY_FIGURES = {
    "toy_fits-losses": component("plots.toy_fits:losses", "toy_fits"),
    "toy_fits-sharpness": component("plots.toy_fits:sharpness", "toy_fits"),
    "toy_fits-equal_loss": component("plots.toy_fits:equal_loss", "toy_fits"),
    "toy_mirror": component("plots.toy_mirror:plot", "toy_mirror_points"),
}
# What the published models of acoustic scenes are called as a data set.
PUBLISHED_SCENES = "dcase2020 (published)"
# Of published results, once for all studies:
PUBLISHED_FIGURES = {
    "published-outcomes": component("plots.outcomes:published", "published_outcomes"),
    "toy_geometry": component("plots.toy_geometry:plot", "toy_geometry"),
    **{
        f"published-{name}": Component(figure.location, tables)
        for name, figure in DATASET_FIGURES.items()
        if set(tables := tuple(f"asc_{table}" for table in figure.needs))
        <= set(TABLES["asc_reanalysis"].gives)
    },
}
# Surfaces that a reader can turn, of each network on each data set, each on a page of its own; and
# the figures that show the same.
PAGES = {
    "landscape": component("plots.interactive:surfaces_figure", "landscape"),
    "path_surface": component("plots.interactive:path_figure", "path"),
}
PAGE_OF = {"landscape_contours": "landscape", "path": "path_surface"}
# No two kinds have figures of the same name.
ALL_FIGURES = FIGURES | DATASET_FIGURES | STUDY_FIGURES | PUBLISHED_FIGURES
