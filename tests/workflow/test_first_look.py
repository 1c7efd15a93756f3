"""What a newcomer meets first: odd paths, and a check that looks for the data, too."""

import os
import runpy
import shutil
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import yaml
from PIL import Image
from small_study import ROOT, STUDY, Project, copy_workflow, study_with
from tools import run_tool

from minimascope.study.loading import load_study
from minimascope.study.remarks import remarks

pytestmark = pytest.mark.workflow


def make(target: str, study: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    outside = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        ["make", target, f"BIN={Path(sys.executable).parent}", "READY=", f"STUDY={study}"],
        cwd=folder,
        env=outside,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("name", ["my study.yaml", "it's (mine) & $HOME.yaml"])
def test_the_name_of_a_study_file_may_have_any_characters(tmp_path: Path, name: str):
    path = tmp_path / name
    path.write_text(yaml.safe_dump(STUDY))
    result = make("check", str(path))
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(f"{path} is a study: 4 networks to train (1 data set, ")


def test_python_may_lie_in_a_folder_with_a_space(tmp_path: Path):
    place = tmp_path / "My Drive"
    place.mkdir()
    python = place / "bin" / "python"
    python.parent.mkdir()
    python.symlink_to(sys.executable)
    project = Project(copy_workflow(place / "checkout"), place / "run")
    project.folder.mkdir()
    target = "results/small/data/digits/prepared.safetensors"
    # A link has the packages of what it leads to only where that is named.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [str(python), *project.command(STUDY, "--", target)[1:]]
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stderr
    assert (project.folder / target).exists()


def test_snakemakes_own_options_change_lists_and_numbers_in_mappings(project: Project):
    given = "--config", "seeds=[5]", "training={epochs: 1, optimizer: {lr: 0.01}}"
    result = project.run(STUDY, *given, "--dry-run", "--printshellcmds")
    assert result.returncode == 0, result.stdout
    assert "seed 5" in result.stdout
    assert "seed 0" not in result.stdout
    result = project.run(STUDY, "--config", "training={epochs: two}", "--dry-run")
    assert "training.epochs: expected a whole number, got the text 'two'" in result.stdout


def check(study: dict, folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "study.yaml").write_text(yaml.safe_dump(study))
    return run_tool("check_study", "study.yaml", cwd=folder)


PICTURES = {"datasets": {"mine": {"source": "image_folder", "path": "mine", "image_size": 32}}}
SOUNDS = {
    "datasets": {"mine": {"source": "audio_folder", "table": "mine.csv"}},
    "evaluation": {"corruptions": None},
}


def pictures(folder: Path, *names: str) -> None:
    for number, name in enumerate(names):
        path = folder / "data" / "mine" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (9 + number, 9)).save(path)


def test_own_data_are_counted_and_what_is_odd_about_them_is_said(tmp_path: Path):
    pictures(tmp_path, "train/cat/1.png", "test/cat/2.png", "train/cat/3.png")
    (tmp_path / "data" / "mine" / "test" / "readme.txt").touch()
    result = check(study_with(PICTURES), tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    said = (
        "study.yaml is a study: 4 networks to train (1 data set, 1 network, 2 conditions, 2 seeds),"
        " data found",
        "mine: 2 pictures in train and 1 in test; 1 class (train + test: cat 2 + 1); 9 × 9 to"
        " 11 × 9 pixels",
        "warning: mine: there is only one class, cat: nothing can be told apart; add another one",
        "warning: mine: fewer than 10 pictures in train or test of cat (2 + 1): accuracies will be"
        " uncertain; add some",
        "note: 2 conditions: none of 15 or more correlations over conditions, tested together, can"
        " be sure with fewer than 6; differences between conditions can",
    )
    assert result.stdout.splitlines() == [*said]


NOT_INSIDE = {"datasets": {"mine": {"source": "image_folder", "path": "data/mine"}}}
MISSING = {
    "pictures that are named from elsewhere": (
        NOT_INSIDE,
        "datasets.mine.path: data/data/mine does not exist; paths begin in data/, so write mine",
    ),
    "pictures": (PICTURES, "datasets.mine.path: data/mine does not exist; put the pictures there"),
    "a table": (SOUNDS, "datasets.mine.table: data/mine.csv does not exist; write a table with"),
    "weights": (
        {"networks.resnet18": {"architecture": "pretrained_cnn10", "weights": "w.pth"}},
        "networks.resnet18.weights: data/w.pth does not exist; put the file there, or name",
    ),
}


@pytest.mark.parametrize(("changes", "line"), MISSING.values(), ids=MISSING)
def test_missing_data_are_one_line_with_the_remedy(tmp_path: Path, changes: dict, line: str):
    result = check(study_with(changes), tmp_path)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith(f"error: {line}")
    assert len(result.stderr.splitlines()) == 1


def test_a_folder_without_splits_is_named(tmp_path: Path):
    pictures(tmp_path, "cat/1.png")
    lines = check(study_with(PICTURES), tmp_path).stderr.splitlines()
    assert lines == [
        "error: datasets.mine.path: data/mine has no pictures in train/<class>/ or test/<class>/;"
        " sort them into train/<class>/ and test/<class>/"
    ]


def test_classes_of_one_split_are_named(tmp_path: Path):
    pictures(tmp_path, "train/cat/1.png", "train/dog/2.png", "test/cat/3.png", "test/owl/4.png")
    (tmp_path / "data" / "mine" / "test" / "dog").mkdir()
    result = check(study_with(PICTURES), tmp_path)
    assert result.stderr.splitlines() == [
        "error: datasets.mine.path: class 'dog' has pictures in train and none in test; add some to"
        " data/mine/test/dog, or remove it from train",
        "error: datasets.mine.path: class 'owl' has pictures in test and none in train; add some to"
        " data/mine/train/owl, or remove it from test",
    ]


# Without these root may read whatever it owns.
AS_A_USER = [
    *("setpriv", "--bounding-set=-dac_override,-dac_read_search"),
    "--inh-caps=-dac_override,-dac_read_search",
]


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="root reads all")
@pytest.mark.parametrize("closed", ["train/cat", "train/cat/1.png"])
def test_what_may_not_be_read_is_told_in_one_line(tmp_path: Path, closed: str):
    pictures(tmp_path, "train/cat/1.png", "test/cat/2.png")
    path = tmp_path / "data" / "mine" / closed
    path.chmod(0)
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study_with(PICTURES)))
    result = subprocess.run(
        [
            *(AS_A_USER if os.geteuid() == 0 else []),
            *(sys.executable, ROOT / "tools" / "check_study.py", "study.yaml"),
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT / "scripts")},
        capture_output=True,
        text=True,
    )
    path.chmod(0o755)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == (
        f"error: data/mine/{closed}: Permission denied; give yourself permission to read and write"
        " it, and run again\n"
    )


HEADER = "filename,label,domain,split,seen"
# What a newcomer's table says, and what stands in the line that is said of it.
TABLES = {
    "another column": (
        "file,label,domain,split,seen\n",
        "no column 'filename' (did you mean 'file",
    ),
    "no domains": ("filename,label,split\n", "no column 'domain' (valid: filename, label, split)"),
    "semicolons": (HEADER.replace(",", ";"), "with commas between them"),
    "another split": (f"{HEADER}\n1.wav,dog,a,training,true\n", "it must be train or test"),
    "sounds elsewhere": (
        f"{HEADER}\n1.wav,dog,a,train,true\n3.wav,dog,a,test,true\n",
        "no file 3.wav, which data/mine.csv names (missing: 1 of 2); set 'path'",
    ),
    "no test": (f"{HEADER}\n1.wav,dog,a,train,true\n", "no recording has the split test"),
}


@pytest.mark.parametrize(("table", "line"), TABLES.values(), ids=TABLES)
def test_a_faulty_table_is_found_before_any_job(tmp_path: Path, table: str, line: str):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mine.csv").write_text(table)
    (tmp_path / "data" / "1.wav").touch()
    result = check(study_with(SOUNDS), tmp_path)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("error: datasets.mine: data")
    assert line in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_what_is_to_be_downloaded_is_said_with_its_size(tmp_path: Path):
    study = study_with({"datasets": {"large": {"source": "cifar10"}}})
    _, line, _ = check(study, tmp_path).stdout.splitlines()
    assert line.startswith("0.2 GB (1 file) are to be downloaded to data, which has ")
    (tmp_path / "data" / "cifar-10-batches-py").mkdir(parents=True)
    assert ", data found\n" in check(study, tmp_path).stdout


@pytest.mark.parametrize(("options", "code"), [([], 1), (["--errors"], None)])
def test_space_for_downloads_stops_the_check_and_not_a_run_that_may_be_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys, options: list[str], code: int | None
):
    study = study_with({"datasets": {"large": {"source": "cifar10"}}})
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
    monkeypatch.setattr(sys, "argv", ["check_study.py", "study.yaml", *options])
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.syspath_prepend(ROOT / "tools")
    with pytest.raises(SystemExit) if code else nullcontext() as ended:
        runpy.run_path(str(ROOT / "tools" / "check_study.py"), run_name="__main__")
    if code:
        assert str(ended.value).startswith("error: data_dir: data has 0.0 GB of free space")
    assert capsys.readouterr().out == ""


NAMED = {"seeds": [0], "conditions": {"plain": {}, "sam": {"sam": {"rho": 0.05}}}}


def test_what_a_study_cannot_say_is_told(tmp_path: Path):
    _, *notes = check(study_with(NAMED), tmp_path).stdout.splitlines()
    begin = ("no condition is called baseline,", "1 seed: differences", "2 conditions: none of")
    for note, text in zip(notes, begin, strict=True):
        assert note.startswith(f"note: {text}")
    assert notes[0].endswith("set analysis.baseline, such as to plain")
    _, *notes = check(
        study_with({**NAMED, "analysis.baseline": "sam"}), tmp_path
    ).stdout.splitlines()
    assert "baseline" not in str(notes)


def notes_on(**changes: Any) -> list[str]:
    study = load_study(study_with(changes), ROOT / "resources" / "config.schema.yaml")
    return [note.removeprefix("note: ") for note in remarks(study)]


def test_what_differences_can_say_is_told_only_where_they_can():
    (one,) = notes_on(conditions={"baseline": {}}, seeds=[0])
    assert one.startswith("1 condition: there is nothing to compare it with")
    pair = {"baseline": {}, "sam": {"sam": {"rho": 0.05}}}
    (few,) = notes_on(conditions=pair, seeds=[0, 1])
    assert few.endswith("fewer than 6; differences between conditions can")
    seed, few = notes_on(conditions=pair, seeds=[0])
    assert seed.startswith("1 seed: differences have no error")
    assert few.endswith("can be sure with fewer than 6")
    unnamed, few = notes_on(conditions={"plain": {}, "sam": pair["sam"]}, seeds=[0, 1])
    assert unnamed.startswith("no condition is called baseline")
    assert few.endswith("can be sure with fewer than 6")


def test_a_condition_that_changes_nothing_is_told():
    conditions = {"baseline": {}, "again": {"dropout": 0.0}, "other": {"dropout": 0.5}}
    same, few = notes_on(conditions=conditions, seeds=[0, 1])
    assert same == (
        "conditions.again: changes nothing of baseline, so both are the same networks; change a"
        " setting, or leave it out"
    )
    assert few.startswith("3 conditions")


@pytest.mark.parametrize("tool", ["check_study", "run_study", "explain", "status", "compare"])
def test_an_interruption_is_one_line(tool: str):
    # Its first import is interrupted, which comes before any other.
    program = (
        "import builtins, runpy, sys\n"
        "kept = builtins.__import__\n"
        "def stop(name, *rest):\n"
        "    if name.split('.')[0] in ('minimascope', 'snakemake'):\n"
        "        raise KeyboardInterrupt\n"
        "    return kept(name, *rest)\n"
        "builtins.__import__ = stop\n"
        f"sys.path.insert(0, {str(ROOT / 'tools')!r})\n"
        f"runpy.run_path({str(ROOT / 'tools' / f'{tool}.py')!r}, run_name='__main__')\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.returncode != 0
    assert (result.stdout, result.stderr) == ("", "stopped by the user\n")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("studies/digits_sharpnes.yaml", "did you mean studies/digits_sharpness.yaml?"),
        ("digits_sharpness", "did you mean studies/digits_sharpness.yaml?"),
        ("nowhere/x.yaml", "name the YAML file of a study"),
    ],
)
def test_a_study_that_is_not_there_is_told_with_the_nearest(name: str, hint: str):
    result = run_tool("check_study", name, "--name", cwd=ROOT)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == f"error: STUDY={name}: no such file; {hint}\n"


def test_a_compiled_training_needs_a_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    result = check(study_with({"training.compile": True}), tmp_path)
    assert result.returncode == 1
    assert result.stderr == (
        "error: training.compile: needs a C++ compiler, and there is no no-such-compiler; install"
        " one (such as the package g++), or set compile to false\n"
    )


TIMES = pd.read_csv(ROOT / "docs/results/times.csv", index_col="study")


@pytest.mark.parametrize("study", TIMES.index)
def test_measured_times_are_of_as_many_jobs_and_networks_as_the_study_has(
    project: Project, study: str
):
    pictures(project.folder, *(f"{split}/cat/1.png" for split in ("train", "test")))
    (project.folder / "data/mine").rename(project.folder / "data/my_images")
    for name in ("1.wav", "2.wav"):
        (project.folder / "data" / name).touch()
    rows = "1.wav,dog,a,train,true\n2.wav,dog,b,test,false\n"
    (project.folder / "data/my_recordings.csv").write_text(f"{HEADER}\n{rows}")
    measured = TIMES.loc[study]
    planned = project.planned(yaml.safe_load((ROOT / measured.study_file).read_text("utf-8")))
    assert planned["train"] == measured.networks
    assert sum(planned.values()) == measured.jobs
