"""Which jobs a change reruns: exactly those whose result it can change."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from rerun_cases import CHANGES, STUDIES, finish_on_paper, key_of, without_names
from small_study import ROOT, STUDY, Project, study_with

from configuration_keys import SAME_AS, configuration_keys
from planning import plan
from rerun_reference import following

pytestmark = pytest.mark.workflow

# The study has 2 conditions × 2 seeds, 2 corruptions, 7 figures of its network and 3 of all.
REPORT = {"report": 1}
AFTER_COLLECT = {
    **dict.fromkeys(("collect", "summarise", "correlate", "ensemble_gain"), 1),
    **dict.fromkeys(("condition_statistics", "trends", "claims"), 1),
    "plot": 6,
    "plot_dataset": 3,
    **REPORT,
}
AFTER_EVALUATE = {"calibrate": 1, "disagreement": 1, "ensembles": 1, **AFTER_COLLECT, "plot": 8}
# Those of one condition, or of one seed of both.
MEASURES_OF_TWO_MODELS = {
    "forward": 2,
    "perturbation": 2,
    "evaluate": 2,
    "corrupted_ensemble": 1,
    **AFTER_EVALUATE,
}
MEASURES_OF_ALL_MODELS = {
    "forward": 4,
    "perturbation": 4,
    "evaluate": 4,
    "corrupted_ensemble": 2,
    **AFTER_EVALUATE,
}
# The table of conditions says how each is trained.
SETTINGS = {"conditions": 1}
KEYS = {key.path: key for key in configuration_keys()}

# Which jobs of a rule run again; which rules do, is checked for every key in the next test.
CONFIGURATION = {
    "nothing": ({}, {}),
    "a seed more": (
        {"seeds": [0, 1, 2]},
        {"initialise": 1, "train": 2, **MEASURES_OF_TWO_MODELS, "corrupted_ensemble": 2},
    ),
    "the order of seeds": ({"seeds": [1, 0]}, {}),
    "a seed less, which leaves no ensembles": (
        {"seeds": [0]},
        {
            **{name: AFTER_EVALUATE[name] for name in AFTER_EVALUATE if "ensemble" not in name},
            "plot_dataset": 2,
        },
    ),
    "another view, where no condition augments": ({"sharpness.view": ["augmented"]}, REPORT),
    "the initial weights too": (
        {"sharpness.on": ["final", "initial"]},
        {"forward": 2, "perturbation": 2, **AFTER_COLLECT},
    ),
    "landscapes too": (
        {"sharpness.landscape": {"points": 3}},
        {
            "landscape": 4,
            "gather": 1,
            "stability": 1,
            "plot_interactive": 1,
            **AFTER_COLLECT,
            "plot": 9,
            "plot_dataset": 4,
        },
    ),
    "a default written out": ({"sharpness.perturbation.radius": 0.005}, {}),
    "the learning rate of one condition": (
        {"conditions.baseline.optimizer": {"lr": 0.01}},
        # With two learning rates there is something to see in them.
        {**SETTINGS, "train": 2, **MEASURES_OF_TWO_MODELS, "plot_dataset": 5},
    ),
    "learning rate and momentum exchanged": (
        {"training.optimizer": {"name": "sgd", "lr": 0.9, "momentum": 0.02}},
        {**SETTINGS, "train": 4, **MEASURES_OF_ALL_MODELS},
    ),
    "a condition more": (
        {"conditions.weight_decay": {"optimizer": {"weight_decay": 0.001}}},
        {**SETTINGS, "train": 2, **MEASURES_OF_TWO_MODELS},
    ),
    "a network more": (
        {"networks.vit": {"architecture": "vit", "width": 0.1}},
        {**SETTINGS, "initialise": 2, "train": 4, **MEASURES_OF_ALL_MODELS, "plot": 16},
    ),
    "a family of measures less": ({"sharpness.forward": None}, {**AFTER_COLLECT, "plot": 5}),
    "a corruption more": (
        {"evaluation.corruptions.names": ["gaussian_noise", "brightness", "fog"]},
        {"corrupt": 1, "evaluate": 4, "corrupted_ensemble": 2, **AFTER_EVALUATE},
    ),
    "no toy functions": ({"toy_functions": False}, REPORT),
    # These digits come with a library.
    "the folder of raw data, where none are read": ({"data_dir": "elsewhere"}, REPORT),
}


@pytest.mark.parametrize(("changes", "expected"), CONFIGURATION.values(), ids=CONFIGURATION)
def test_a_change_of_configuration_reruns_the_jobs_that_depend_on_it(
    finished: Project, changes: Mapping[str, Any], expected: Mapping[str, int]
):
    assert finished.planned(study_with(changes)) == expected


@cache
def rules_after() -> Mapping[str, frozenset[str]]:
    return following()


@pytest.fixture(scope="session")
def on_paper(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Project]:
    """Studies whose results are there, empty, and recorded as Snakemake records them."""

    @cache
    def finished_on_paper(name: str) -> Project:
        project = Project(ROOT, tmp_path_factory.mktemp(name) / "run")
        project.folder.mkdir()
        finish_on_paper(project.study_file(STUDIES[name]), project.folder)
        return project

    return finished_on_paper


@pytest.mark.slow
@pytest.mark.parametrize(("name", "path"), [(n, path) for n in CHANGES for path in CHANGES[n]])
def test_a_changed_key_reruns_the_rules_that_the_reference_names(
    on_paper: Callable[[str], Project], name: str, path: str
):
    project = on_paper(name)
    study = study_with({path: CHANGES[name][path]}, STUDIES[name])
    # In this process: many times as fast, and no code changes.
    planned = plan(project.study_file(study), project.folder)
    first = KEYS[key_of(path)].reruns
    expected = set(first).union(*(rules_after()[rule] for rule in first))
    assert {job.rule for job in planned.jobs} == expected & planned.following.keys()


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_that_is_finished_on_paper_is_up_to_date(on_paper, name: str):
    project = on_paper(name)
    planned = project.plan(STUDIES[name])
    assert planned.jobs == []
    assert planned.size > 30


def test_every_key_of_the_configuration_is_changed_in_some_study():
    paths = [path for changes in CHANGES.values() for path in changes]
    wanted = {path for path, key in KEYS.items() if not (key.is_section or key.same_as)}
    assert {key_of(path) for path in paths} - set(SAME_AS.values()) == wanted
    for section in SAME_AS:
        assert any(f"{without_names(path)}.".startswith(f"{section}.") for path in paths), section


def test_the_reference_names_no_rule_that_runs_after_another_one_of_its_key():
    for key in KEYS.values():
        later = set().union(*(rules_after()[rule] for rule in key.reruns))
        assert not later & set(key.reruns), key.path


@pytest.fixture
def of_files(on_paper: Callable[[str], Project], tmp_path: Path) -> Project:
    """The study of image folders, archives and weights, finished on paper, to be changed."""
    return Project(ROOT, shutil.copytree(on_paper("files").folder, tmp_path / "run"))


def test_another_archive_of_pictures_is_prepared_anew(of_files: Project):
    (of_files.folder / "data" / "pictures.zip").write_bytes(b"others")
    planned = of_files.planned(STUDIES["files"])
    assert (planned["prepare"], planned["corrupt"]) == (1, 1)


def test_comments_and_files_outside_the_study_rerun_nothing(of_files: Project):
    for name in ("README.md", "data/new.zip", "docs/a.md", "results/other/data/a.safetensors"):
        path = of_files.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    study = of_files.study_file(STUDIES["files"])
    study.write_text(study.read_text().replace("\n", "  # as before\n"))
    assert plan(study, of_files.folder).jobs == []


def test_another_spelling_of_the_folder_of_raw_data_reruns_nothing(of_files: Project):
    assert of_files.planned(study_with({"data_dir": "./data/"}, STUDIES["files"])) == {}


@pytest.mark.slow
def test_moved_raw_data_can_be_declared_the_same(of_files: Project):
    moved = study_with({"data_dir": "moved"}, STUDIES["files"])
    (of_files.folder / "data").rename(of_files.folder / "moved")
    (of_files.folder / "data").symlink_to(of_files.folder / "moved")
    assert of_files.planned(STUDIES["files"]) == {}
    assert of_files.planned(moved)["prepare"] == 4
    result = of_files.run(moved, "--touch")
    assert result.returncode == 0, result.stdout
    assert of_files.planned(moved) == {}


def test_the_tables_of_the_reference_are_what_schema_and_rules_say(tmp_path: Path):
    written = (ROOT / "docs" / "reruns.md").read_text(encoding="utf-8")
    copy = tmp_path / "reruns.md"
    copy.write_text(re.sub(r"\n\|.*", "", written), encoding="utf-8")
    script = ROOT / "scripts" / "rerun_reference.py"
    subprocess.run([sys.executable, script, copy], check=True)
    assert copy.read_text(encoding="utf-8") == written, "docs/reruns.md is old; run `make docs`"


def test_the_reference_has_every_rule_of_the_workflow():
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "rules").glob("*.smk")]
    rules = {rule for text in texts for rule in re.findall(r"^rule (\w+):", text, re.MULTILINE)}
    assert rules_after().keys() == rules


def reordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: reordered(value[key]) for key in reversed(value)}
    return value


RUN = "digits/resnet18/baseline/seed0"
GONE = {
    "prepare": "data/digits/prepared.safetensors",
    "corrupt": "data/digits/corrupted/brightness.safetensors",
    "initialise": "models/digits/resnet18/initial/seed0.safetensors",
    "train": f"models/{RUN}/model.safetensors",
    "forward": f"measures/{RUN}/forward.json",
    "evaluate": f"measures/{RUN}/predictions.safetensors",
    "disagreement": "tables/disagreement.csv",
}


def test_what_is_gone_is_made_again_however_finished_the_study_is(copied: Project):
    for rule, name in GONE.items():
        # As after a job that failed, whose outputs and records Snakemake removes.
        path = copied.results(name)
        hidden = path.rename(path.with_name("hidden"))
        assert rule in copied.planned(STUDY), name
        hidden.rename(path)
    assert copied.planned(STUDY) == {}


def test_reordered_keys_rerun_nothing(finished: Project):
    study = reordered(STUDY)
    assert list(study) != list(STUDY)
    assert finished.planned(study) == {}


LIBRARY = "scripts/minimascope"
ADDED_CODE = "\n\n_ADDED = 1\n"
CODE = {
    "a comment": (f"{LIBRARY}/training.py", "\n# nothing new\n", {}),
    "a figure": (f"{LIBRARY}/plots/controls.py", ADDED_CODE, {"plot": 1, **REPORT}),
    "the style of figures": (
        f"{LIBRARY}/plots/style.py",
        ADDED_CODE,
        {"plot": 8, "plot_dataset": 3, "toy_geometry": 1, **REPORT},
    ),
    "one family of measures": (
        f"{LIBRARY}/sharpness/perturbation.py",
        ADDED_CODE,
        {"perturbation": 4, **AFTER_COLLECT},
    ),
    "SAM": (f"{LIBRARY}/optim/sam.py", ADDED_CODE, {"train": 4, **MEASURES_OF_ALL_MODELS}),
    "a network not in the study": (f"{LIBRARY}/networks/vit.py", ADDED_CODE, {}),
    "another network under the name of one": (
        f"{LIBRARY}/registry.py",
        '\n\nNETWORKS["resnet18"] = _component("networks.resnet:resnet34")\n',
        {"initialise": 2, "train": 4, **MEASURES_OF_ALL_MODELS},
    ),
    "weights that no network of the study has": (
        f"{LIBRARY}/networks/torchvision_pretrained.py",
        ADDED_CODE,
        {},
    ),
    "calibration": (
        f"{LIBRARY}/evaluation/calibration.py",
        ADDED_CODE,
        {"calibrate": 1, **AFTER_COLLECT, "plot": 7},
    ),
}


@pytest.fixture
def moved(finished: Project, tmp_path: Path) -> Project:
    """The finished study under a checkout in another place."""
    checkout = shutil.copytree(finished.checkout, tmp_path / "moved")
    return Project(checkout, finished.folder)


@pytest.mark.parametrize(("name", "added", "expected"), CODE.values(), ids=CODE)
def test_a_change_of_code_reruns_what_depends_on_it(
    moved: Project, name: str, added: str, expected: Mapping[str, int]
):
    path = moved.checkout / name
    path.write_text(path.read_text() + added)
    assert moved.planned(STUDY) == expected


def test_a_new_network_reruns_nothing(moved: Project):
    (moved.checkout / LIBRARY / "networks" / "mlp.py").write_text("WIDTH = 100\n")
    registry = moved.checkout / LIBRARY / "registry.py"
    line = '\nNETWORKS["mlp"] = _component("networks.mlp:mlp")\n'
    registry.write_text(registry.read_text() + line)
    assert moved.planned(STUDY) == {}


def test_new_docstrings_rerun_nothing(moved: Project):
    for path in moved.checkout.glob("scripts/**/*.py"):
        text = path.read_text()
        assert '"""' in text or path.name == "__init__.py"
        path.write_text(text.replace('"""', '"""In other words: ', 1))
    assert moved.planned(STUDY) == {}


def test_a_moved_checkout_with_touched_files_reruns_nothing(moved: Project):
    for pattern in ("scripts/**/*.py", "rules/*.smk", "resources/**/*", "Snakefile"):
        for path in moved.checkout.glob(pattern):
            path.touch()
    assert moved.planned(STUDY) == {}
