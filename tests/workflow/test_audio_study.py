"""Studies of recordings from sounds to the report's tables: generated scenes, and anyone's own."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
from small_study import ROOT, Project, made_once, study_with

from minimascope.data.prepared import load_dataset

pytestmark = pytest.mark.workflow

NETWORK = {"cnn10": {"architecture": "cnn10", "width": 0.03125}}
SCENES = study_with(
    {
        "seeds": [0],
        "datasets": {"scenes": {"source": "synthetic_scenes", "clips": 9, "seconds": 0.5}},
        "networks": NETWORK,
        "training": {
            "epochs": 1,
            "batch_size": 16,
            "optimizer": {"name": "sgd", "lr": 0.001, "momentum": 0.9},
        },
        "conditions": {
            "sgd": {},
            "kfac": {
                "optimizer": {"name": "kfac", "lr": 0.001},
                "augment": {"time_masks": 1, "time_mask_size": 5, "band_masks": 1},
            },
            "gdtuo": {
                "optimizer": {"name": "gdtuo", "lr": 0.001},
                "sampling": "domain_balanced",
            },
        },
        "sharpness": {
            "forward": {"by_domain": True},
            "landscape": {"points": 3, "line_points": 0},
        },
        "evaluation": {},
        "toy_functions": False,
    }
)
DEVICES = ["A", "B", "C", "S1", "S2", "S3", "S4", "S5", "S6"]


def recordings(**changes: Any) -> dict[str, Any]:
    """A study of one's own recordings; changes are those of its data set."""
    dataset = {"source": "audio_folder", "table": "mine.csv", "features": {"mels": 32}}
    return study_with(
        {
            "seeds": [0, 1],
            "datasets": {"mine": dataset | changes},
            "networks": NETWORK,
            "conditions": {"baseline": {}},
            "training.batch_size": 3,
            "sharpness": {"forward": {}},
            "evaluation": {},
            "toy_functions": False,
        }
    )


def record(folder: Path) -> list[dict[str, str]]:
    """Write ten recordings of two classes by two microphones, and their table."""
    folder.mkdir()
    rows = []
    for number in range(10):
        microphone, label = ("old", "new")[number >= 7], ("low", "high")[number % 2]
        name = f"{label}-{number}.{('wav', 'flac')[number % 3 == 0]}"
        time = np.arange(8_000) / 16_000
        draws = np.random.default_rng(number)
        tone = np.sin(2 * np.pi * (300, 2_500)[number % 2] * time)
        soundfile.write(folder / name, 0.3 * tone + 0.01 * draws.standard_normal(8_000), 16_000)
        split = "train" if number < 6 else "test"
        seen = "true" if microphone == "old" else "false"
        rows.append(
            {"filename": name, "label": label, "domain": microphone, "split": split, "seen": seen}
        )
    write_table(folder / "mine.csv", rows)
    return rows


def write_table(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory) -> Project:
    def run(folder: Path) -> None:
        Project(ROOT, folder).finish(SCENES)

    return Project(ROOT, made_once(tmp_path_factory, "scenes", run))


def test_generated_scenes_end_in_accuracy_on_every_device_and_city(scenes):
    dataset, _ = load_dataset(scenes.results("data/scenes/prepared.safetensors"))
    assert dataset.input_size == (64, 51)
    assert dataset.seen == (True,) * 6 + (False,) * 3
    table = pd.read_csv(scenes.results("tables/domains.csv"))
    devices = table[table["kind"] == "domain"]
    assert sorted(set(devices["name"])) == DEVICES
    assert set(devices.loc[~devices["seen"].astype(bool), "name"]) == {"S4", "S5", "S6"}
    assert len(set(table.loc[table["kind"] == "city", "name"])) >= 2
    measures = pd.read_csv(scenes.results("tables/measures.csv"))
    for condition, rows in measures.groupby("condition"):
        value = rows.set_index("measure")["value"]
        own = devices[devices["condition"] == condition]
        inside = own.loc[own["seen"].astype(bool), "accuracy"].mean()
        outside = own.loc[~own["seen"].astype(bool), "accuracy"].mean()
        assert value["accuracy_in_domain"] == pytest.approx(inside)
        assert value["accuracy_out_of_domain"] == pytest.approx(outside)
        assert value["domain_gap"] == pytest.approx(100 * (inside - outside))
        assert value["asc_sharpness"] > 0


def test_each_device_and_city_has_measures_on_its_own_training_clips(scenes):
    table = pd.read_csv(scenes.results("tables/domain_measures.csv"))
    devices = table[table["kind"] == "domain"]
    assert set(devices["name"]) == set(DEVICES[:6])
    losses = devices[devices["measure"] == "train_loss"]
    measures = pd.read_csv(scenes.results("tables/measures.csv"))
    whole = measures[measures["measure"] == "train_loss"].set_index("condition")
    for condition, rows in losses.groupby("condition"):
        assert rows["n"].sum() == whole.at[condition, "n"]
        mean = np.average(rows["value"], weights=rows["n"])
        assert mean == pytest.approx(whole.at[condition, "value"], rel=1e-5)
    assert len(pd.read_csv(scenes.results("tables/domain_sharpness.csv")))
    claims = pd.read_csv(scenes.results("tables/claims.csv"))
    assert list(claims["claim"].unique())[:3] == [7, 8, 9]
    published = scenes.folder / "results" / "published" / "tables"
    assert set(pd.read_csv(published / "asc_claims.csv")["claim"]) >= {7, 8, 9}


def test_all_tables_and_figures_of_an_audio_study_are_there(scenes):
    for table in ("models", "correlations", "variance_shares", "stability"):
        assert len(pd.read_csv(scenes.results(f"tables/{table}.csv")))
    figures = {path.stem for path in scenes.results("figures/scenes").glob("*.svg")}
    assert figures == {
        "outcomes",
        "sharpness_accuracy",
        "trends",
        "hyperparameters",
        "variance_shares",
        "domains",
        "domain_correlations",
        "stability",
    }
    published = scenes.folder / "results" / "published"
    drawn = {path.stem for path in (published / "figures").glob("*.svg")}
    # Whatever the study is about; the report shows what is about recordings.
    assert drawn == {f"published-{name}" for name in figures} | {"toy_geometry"}
    page = scenes.results("report.html").read_text(encoding="utf-8")
    assert "published-stability" in page
    assert "toy_geometry" not in page
    comparison = pd.read_csv(published / "tables" / "asc_reanalysis.csv")
    assert len(comparison) == 13
    assert comparison["agrees"].all()
    main = scenes.results("tables/main.md").read_text(encoding="utf-8")
    assert "Out-of-domain accuracy" in main
    assert "ASC sharpness" in main


def test_other_features_are_computed_from_the_same_recordings(scenes):
    changed = {**SCENES, "datasets": {"scenes": {**SCENES["datasets"]["scenes"]}}}
    changed["datasets"]["scenes"]["features"] = {"mels": 40}
    planned = scenes.planned(changed)
    assert planned["features"] == 1
    assert planned["train"] == 3
    assert not {"synthesise", "recordings"} & set(planned)


def test_scenes_that_are_gone_are_made_again_however_finished_the_study_is(scenes):
    # As after a synthesis that failed, whose outputs Snakemake removes.
    folder = scenes.results("data/scenes/scenes")
    hidden = folder.rename(folder.with_name("hidden"))
    assert scenes.planned(SCENES)["synthesise"] == 1
    hidden.rename(folder)
    assert scenes.planned(SCENES) == {}


def test_an_option_of_the_analysis_reruns_the_analysis_alone(scenes):
    threshold = scenes.planned(study_with({"analysis.stability_threshold": 0.1}, SCENES))
    figures = {"plot_scenes": 1, "plot_scenes-cnn10": 1}
    assert threshold == {"tables": 1, **figures, "report": 1}


def test_ten_recordings_of_ones_own_become_a_study(project):
    record(project.folder / "data")
    result = project.run(recordings())
    assert result.returncode == 0, result.stdout
    table = pd.read_csv(project.results("tables/domains.csv"))
    rows = table[table["condition"] == "baseline"].set_index("name")
    assert rows["n"].to_dict() == {"old": 1, "new": 3}
    assert rows["seen"].astype(bool).to_dict() == {"old": True, "new": False}
    # There are no corrupted copies of recordings, of which ensembles could show anything.
    assert not project.results("data/mine/corrupted").exists()
    together = project.results("measures/mine/cnn10/baseline/ensemble.json")
    assert json.loads(together.read_text(encoding="utf-8"))["corruptions"] == []
    ensembles = pd.read_csv(project.results("tables/ensembles.csv"))
    assert set(ensembles["measure"]) == {"test_accuracy", "test_nll", "test_brier", "test_ece"}
    assert set(ensembles["members"]) == {2}
    assert project.planned(recordings()) == {}


def spoil(folder: Path, fault: str) -> None:
    rows = record(folder)
    if fault == "no sound":
        (folder / rows[3]["filename"]).write_bytes(b"no sound")
    elif fault == "absent":
        (folder / rows[3]["filename"]).unlink()
    elif fault == "another length":
        soundfile.write(folder / rows[3]["filename"], np.sin(np.arange(9_000)), 16_000)
    elif fault == "seen both ways":
        write_table(folder / "mine.csv", [*rows[:-1], rows[-1] | {"seen": "true"}])
    elif fault == "no label":
        write_table(folder / "mine.csv", [*rows[:-1], rows[-1] | {"label": ""}])


@pytest.mark.parametrize(
    ("fault", "named"),
    [
        ("no sound", ["high-3.flac"]),
        ("absent", ["high-3.flac"]),
        ("another length", ["high-3.flac", "seconds"]),
        ("seen both ways", ["new", "high-9"]),
        ("no label", ["mine.csv", "label"]),
    ],
)
def test_a_recording_that_cannot_be_used_is_named_in_one_line(project, fault, named):
    spoil(project.folder / "data", fault)
    target = f"results/{recordings()['study']}/data/mine/prepared.safetensors"
    result = project.run(recordings(), "--quiet", "all", "--", target)
    assert result.returncode != 0
    lines = [line for line in result.stdout.splitlines() if line.startswith("error: ")]
    assert len(set(lines)) == 1, result.stdout
    assert all(name in lines[0] for name in named), lines[0]
    assert "Traceback" not in result.stdout
    assert not (project.folder / target).exists()
    shutil.rmtree(project.folder)
