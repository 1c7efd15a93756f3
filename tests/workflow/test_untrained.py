"""A study in which one condition does not train: its networks are marked wherever they stand."""

from pathlib import Path

import pandas as pd
import pytest
from small_study import Project, copy_workflow, made_once, study_with

pytestmark = pytest.mark.workflow

# Its networks learn nothing, since its learning rate is next to zero.
HALTED = {"optimizer": {"lr": 1.0e-6}}
UNTRAINED = {
    "study": "untrained",
    "seeds": [0, 1],
    "datasets": {"circles": {"source": "circles", "factor": 0.3}},
    "networks": {"mlp": {"architecture": "mlp"}},
    "training": {
        "epochs": 20,
        "batch_size": 20,
        "optimizer": {"name": "sgd", "lr": 0.05, "momentum": 0.9},
    },
    "conditions": {"baseline": {}, "sam": {"sam": {"rho": 0.05}}, "halted": HALTED},
    "sharpness": {"forward": {}, "perturbation": {"samples": 3, "published": False}},
    "toy_functions": False,
}
RESULTS = Path("results/untrained")


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """That study, run to its end once; not to be changed."""
    checkout = made_once(tmp_path_factory, "checkout", copy_workflow)

    def run(folder: Path) -> None:
        Project(checkout, folder).finish(UNTRAINED)

    return Project(checkout, made_once(tmp_path_factory, "untrained", run))


def table(project: Project, name: str) -> pd.DataFrame:
    return pd.read_csv(project.folder / RESULTS / "tables" / f"{name}.csv")


@pytest.mark.parametrize("name", ["measures", "seed_values", "models", "trained"])
def test_tables_of_networks_say_which_trained(untrained: Project, name: str):
    trained = table(untrained, name).groupby("condition")["trained"].agg(["min", "max"])
    expected = {"baseline": [True] * 2, "sam": [True] * 2, "halted": [False] * 2}
    assert trained.T.to_dict("list") == expected


def test_the_summary_counts_them(untrained: Project):
    counts = table(untrained, "summary").groupby("condition")["n_untrained"].agg(["min", "max"])
    assert counts.T.to_dict("list") == {"baseline": [0, 0], "sam": [0, 0], "halted": [2, 2]}


def test_a_network_that_did_not_train_is_shown_with_how_its_training_ended(untrained: Project):
    halted = table(untrained, "trained").query("condition == 'halted'")
    assert halted["failed"].str.contains("train_loss").all()
    assert (halted["loss_share"] > 0.9).all()
    text = (untrained.folder / RESULTS / "tables" / "trained.md").read_text(encoding="utf-8")
    assert "| halted" in text
    assert "Networks that did not train: 2 of 6." in text
    report = (untrained.folder / RESULTS / "report.html").read_text(encoding="utf-8")
    assert "Networks that did not train: 2 of 6." in report


@pytest.mark.parametrize("name", ["main", "sharpness"])
def test_tables_of_conditions_mark_it_and_set_it_in_bold_nowhere(untrained: Project, name: str):
    text = (untrained.folder / RESULTS / "tables" / f"{name}.md").read_text(encoding="utf-8")
    rows = {line.split("|")[1].strip(): line for line in text.splitlines() if line[:1] == "|"}
    assert "§" in rows["halted"]
    assert "**" not in rows["halted"]
    assert "§" not in rows["baseline"] + rows["sam"]
    assert "§: the network did not train (halted in 2 of 2 seeds" in text


def test_correlations_and_shares_of_variance_leave_them_out(untrained: Project):
    for name in ("correlations", "variance_shares"):
        assert (table(untrained, name)["left_out"] == 2).all()


def test_other_thresholds_make_tables_anew_and_nothing_else(untrained: Project):
    lenient = {"analysis.trained": {"train_accuracy": None, "train_loss": None}}
    planned = untrained.planned(study_with(lenient, UNTRAINED))
    assert {"collect", "tables"} <= planned.keys()
    assert not {"train", "evaluate", "sharpness", "probabilities"} & planned.keys()
