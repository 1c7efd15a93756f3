"""The tidy tables of a study, for programs: what a row of each is about."""

from collections.abc import Iterable

# In the order in which a reader may want them; docs/tables.md has their columns.
TIDY = {
    "measures": "every measured value: a row for each model, view of the data and measure",
    "summary": "mean, standard error and number of seeds of each measure, for each condition",
    "seed_values": "the values behind the summary, a row for each seed",
    "models": "a row for each trained network, its settings and measures in columns",
    "conditions": "what each condition sets",
    "statistics": "differences from the baseline, paired by seed, with their tests",
    "correlations": "sharpness against evaluation, a row for each pair of measures",
    "gap_prediction": "how well each measure predicts the generalisation gap, by setting and pair",
    "trends": "slopes of evaluations along sharpness, within networks and over all",
    "trajectory": "every measured value along trainings: a row for each model, moment and measure",
    "trajectory_summary": "the same over seeds: mean, standard error and range at each moment",
    "partings": "when conditions part from their baseline, by measure",
    "interpolation": "losses along lines between networks, and in the planes that they lie in",
    "barriers": "how high the loss rises between two networks, a row for each line",
    "barrier_means": "the same over seeds: means and standard errors",
    "claims": "the papers' claims with verdicts and the numbers behind them",
    "outcomes": "better or worse and sharper or flatter than the baseline, both at once",
    "outcome_shares": "how many of these a network has, by measure of sharpness",
    "interactions": "what SAM adds to a condition beside what it adds to the baseline",
    "sam_radius": "whether measures rise or fall along SAM's radius",
}


def tidy_tables(names: Iterable[str]) -> dict[str, str]:
    """Return what the tidy tables among these tables hold, by their names."""
    names = set(names)
    return {name: text for name, text in TIDY.items() if name in names}
