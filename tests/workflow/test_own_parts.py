"""What the README shows how to add – network, measure, table, figure – is added, and run."""

import re
from pathlib import Path

import pandas as pd
import pytest
from small_study import ROOT, Project, copy_workflow, study_with
from small_study import STUDY as SMALL

pytestmark = pytest.mark.workflow

README = (ROOT / "README.md").read_text("utf-8").partition("## Bring your own")[2]
NETWORK, MEASURE, TABLE = re.findall(r"^```python\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
NETWORK_LINE, MEASURE_LINE, TABLE_LINE = re.findall(
    r"^    (?:\"small_cnn\": |Measurement\(|\"spread\": ).*\n", README, re.M
)
STUDY = study_with({"networks": {"own": {"architecture": "small_cnn", "width": 2}}, "seeds": [0]})
ADDED = "logit_curvature"


def insert(path: Path, text: str, after: str) -> None:
    """Put a text into a file, behind one that it has once."""
    old = path.read_text("utf-8")
    assert old.count(after) == 1
    path.write_text(old.replace(after, after + text), encoding="utf-8")


def test_recipes_are_of_ten_lines():
    for recipe in (NETWORK + NETWORK_LINE, MEASURE + MEASURE_LINE, TABLE + TABLE_LINE):
        assert len([line for line in recipe.splitlines() if line]) <= 10


@pytest.mark.slow
def test_an_own_network_and_an_own_measure_go_through_the_whole_study(tmp_path: Path):
    library = copy_workflow(tmp_path / "checkout") / "scripts" / "minimascope"
    (tmp_path / "run").mkdir()
    project = Project(tmp_path / "checkout", tmp_path / "run")
    (library / "networks" / "small_cnn.py").write_text(NETWORK, encoding="utf-8")
    insert(library / "registry.py", NETWORK_LINE, after="NETWORKS = {\n")
    project.finish(STUDY)

    forward = library / "sharpness" / "forward.py"
    insert(forward, MEASURE_LINE, after='Measurement("train_loss", loss, "nats", len(split)),\n')
    forward.write_text(forward.read_text("utf-8") + "\n\n" + MEASURE, encoding="utf-8")
    insert(
        library / "registry.py", f'"{ADDED}",', after='gives=(\n            "fisher_rao_norm",\n'
    )
    planned = project.planned(STUDY)
    assert planned["sharpness"] == len(STUDY["conditions"])
    assert not {"prepare", "initialise", "train", "evaluate"} & planned.keys()
    project.finish(STUDY)
    for name in ("measures", "correlations", "statistics"):
        table = pd.read_csv(project.results(f"tables/{name}.csv"))
        assert (table == ADDED).any(axis=None), name
    report = project.results("report.html").read_text("utf-8")
    assert report.count(ADDED) > 1, "the report shows it"


FIGURE = '''
from matplotlib.figure import Figure


def plot(spread, dataset, network):
    """Draw the range of each measure over seeds."""
    figure = Figure()
    figure.subplots().plot(spread["max"] - spread["min"])
    return figure
'''
FIGURE_LINE = '    "spread": _component("plots.spread:plot", "spread"),\n'
DESCRIPTION = (
    '    "logit_curvature": _sharpness("Logit curvature", "Curvature along the logits."),\n'
)


def contents_of(checkout: Path) -> dict[str, bytes]:
    paths = [path for path in checkout.rglob("*") if path.is_file()]
    return {
        str(path.relative_to(checkout)): path.read_bytes()
        for path in paths
        if "__pycache__" not in path.parts
    }


def test_a_table_a_figure_and_a_measure_are_a_module_and_a_line_each(
    copied: Project, tmp_path: Path
):
    checkout = copy_workflow(tmp_path / "checkout")
    library = checkout / "scripts" / "minimascope"
    project = Project(checkout, copied.folder)
    before = contents_of(checkout)

    def touched() -> set[str]:
        now = contents_of(checkout)
        changed = {name for name in now if now[name] != before.get(name)}
        before.update(now)
        return {Path(name).name for name in changed}

    (library / "analysis" / "spread.py").write_text(TABLE, encoding="utf-8")
    insert(library / "registry.py", TABLE_LINE, after="TABLES = {\n")
    assert touched() == {"spread.py", "registry.py"}
    drawn = {"tables": 1, "plot_digits": 1, "plot_digits-resnet18": 1, "report": 1}
    assert project.planned(SMALL) == drawn

    (library / "plots" / "spread.py").write_text(FIGURE, encoding="utf-8")
    insert(library / "registry.py", FIGURE_LINE, after="\nFIGURES = {\n")
    assert touched() == {"spread.py", "registry.py"}
    assert project.planned(SMALL) == drawn

    project.finish(SMALL)
    table = pd.read_csv(project.results("tables/spread.csv"))
    values = pd.read_csv(project.results("tables/seed_values.csv"))
    assert table["max"].max() == values["value"].max()
    assert project.results("tables/spread.md").read_text("utf-8").startswith("| dataset")
    page = project.results("report.html").read_text("utf-8")
    assert page.count(">Spread</h3>") == 1
    assert page.count(">Spread: resnet18 on digits</h3>") == 1
    assert "Draw the range of each measure over seeds." in page

    insert(
        library / "sharpness" / "forward.py",
        MEASURE_LINE,
        after='Measurement("train_loss", loss, "nats", len(split)),\n',
    )
    insert(
        library / "registry.py", f'"{ADDED}",', after='gives=(\n            "fisher_rao_norm",\n'
    )
    insert(library / "analysis" / "measure_names.py", DESCRIPTION, after="\nMEASURES = {\n")
    assert touched() == {"forward.py", "registry.py", "measure_names.py"}
    assert project.planned(SMALL)["sharpness"] == len(SMALL["conditions"])
