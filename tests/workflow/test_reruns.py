"""Which jobs a change reruns: exactly those whose result it can change."""

import re
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from rerun_cases import CHANGES, finish_on_paper
from rerun_cases import STUDY as EVERY_RULE
from small_study import ROOT, STUDY, Project, made_once, study_with

from minimascope.jobs.params import settings
from minimascope.jobs.planning import Plan, plan, planned_workflow
from minimascope.registry import SHARPNESS

pytestmark = pytest.mark.workflow

REFERENCE = (ROOT / "docs" / "reruns.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| [^|]+ \| `([\w.:]+): ([^|]+)` \| ([^|]+) \|$", re.MULTILINE)
DOCUMENTED = {
    path: (yaml.safe_load(value), set(re.findall(r"`(\w+)`", rules)))
    for path, value, rules in ROW.findall(REFERENCE)
}


def first(planned: Plan) -> set[str]:
    """Return the rules of which jobs run for a reason of their own, and not after others alone."""
    own = [job for job in planned.jobs if not any(text[:6] == "after " for text in job.reasons)]
    return {job.rule for job in own}


@pytest.fixture(scope="session")
def on_paper(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A study whose results are there, empty, and recorded as Snakemake records them."""

    def finish(folder: Path) -> None:
        finish_on_paper(Project(ROOT, folder).study_file(EVERY_RULE), folder)

    return Project(ROOT, made_once(tmp_path_factory, "on_paper", finish))


def changed_on_paper(project: Project, path: str, value: Any) -> Plan:
    # In this process: many times as fast, and no code changes.
    study = project.study_file(study_with({path: value}, EVERY_RULE))
    return plan(study, project.folder)


@pytest.mark.parametrize("path", {**DOCUMENTED, **CHANGES})
def test_a_changed_key_reruns_the_rules_that_use_it_and_what_follows(on_paper: Project, path: str):
    value, rules = {**DOCUMENTED, **CHANGES}[path]
    assert first(changed_on_paper(on_paper, path, value)) == rules


def test_the_reference_has_a_dozen_changes():
    assert len(DOCUMENTED) == REFERENCE.count("\n| ") - 1 >= 12


def test_the_study_that_is_finished_on_paper_has_every_rule_and_is_up_to_date(on_paper: Project):
    assert on_paper.plan(EVERY_RULE).jobs == []
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "rules").glob("*.smk")]
    pattern = r"^ *(?:rule|use rule \w+ as) (\w+)(?: with)?:"
    rules = {rule for text in texts for rule in re.findall(pattern, text, re.MULTILINE)}
    # Families with many passes have a rule each, and so have figures by what they are of.
    datasets = EVERY_RULE["datasets"].items()
    pairs = [(name, network) for name, data in datasets for network in data["networks"]]
    subjects = [*EVERY_RULE["datasets"], *map("-".join, pairs)]
    rules |= {"sharpness", "trajectory", "plot", *(f"plot_{subject}" for subject in subjects)}
    rules |= SHARPNESS.keys() - {"forward"}
    # What is at hand is not downloaded, and what is published is made.
    made = {"download", "published_tables", "published_figures"}
    # Weights on the way are measured there with the family that is made for them.
    along = {"trajectory_own"}
    assert on_paper.planned({**EVERY_RULE, "study": "new"}).keys() == rules - made - along
    kept = {**EVERY_RULE["sharpness"], "on": ["final", "kept"]}
    assert along <= on_paper.planned({**EVERY_RULE, "sharpness": kept}).keys()


# Changes of the small study, what each job of data, models and measures that runs has in the name
# of what it makes, and some rules of these.
ADDED = {
    # What is measured of a condition together is measured again together.
    "a seed": (
        {"seeds": [0, 1, 2]},
        "/seed2[./]|/forward|/evaluation",
        {"initialise", "train", "sharpness", "evaluate"},
    ),
    "a condition": (
        {"conditions.weight_decay": {"optimizer": {"weight_decay": 0.001}}},
        "/weight_decay/",
        {"train", "sharpness", "evaluate"},
    ),
    "a network": (
        {"networks.vit": {"architecture": "vit", "width": 0.1}},
        "/vit/",
        {"initialise", "train", "sharpness", "evaluate"},
    ),
    "the learning rate of one condition": (
        {"conditions.baseline.optimizer": {"lr": 0.01}},
        "/baseline/",
        {"train", "sharpness", "evaluate"},
    ),
    "landscapes": ({"sharpness.landscape": {"points": 3}}, "/landscape", {"landscape"}),
    "the initial weights": ({"sharpness.on": ["final", "initial"]}, "/initial/", {"sharpness"}),
    "a corruption": (
        {"evaluation.corruptions.names": ["gaussian_noise", "brightness", "contrast"]},
        # Of its kind; noise is made already.
        "/corrupted/digital|/evaluation",
        {"corrupt", "evaluate"},
    ),
}


def numbers(planned: Plan) -> dict[str, str]:
    """Return what jobs would make of data, models and measures, and their rules."""
    made = {job.output: job.rule for job in planned.jobs}
    return {name: made[name] for name in made if re.match(r"results/\w+/(data|mod|meas)", name)}


@pytest.mark.parametrize(("changes", "name", "rules"), ADDED.values(), ids=ADDED)
def test_what_is_added_or_changed_alone_runs_alone(finished: Project, changes, name, rules):
    made = numbers(finished.plan(study_with(changes)))
    assert rules <= set(made.values())
    assert [output for output in made if not re.search(name, output)] == []


def test_an_adopted_condition_runs_its_own_jobs_alone(finished: Project, tmp_path: Path):
    for seed in STUDY["seeds"]:
        (tmp_path / f"{seed}.pt").touch()
    theirs = {"checkpoint": f"{tmp_path}/{{seed}}.pt"}
    made = numbers(finished.plan(study_with({"conditions.theirs": theirs})))
    assert {"adopt", "sharpness", "evaluate"} <= set(made.values())
    assert [output for output in made if "/theirs/" not in output] == []


# Less of the small study, and what runs again besides tables and figures.
LESS = {
    "a seed": ({"seeds": [0]}, {"sharpness", "evaluate"}),
    "a condition": ({"conditions": {"baseline": {}}}, set()),
    "a family of measures": ({"sharpness.forward": None}, {"sharpness"}),
    "a corruption of two kinds": ({"evaluation.corruptions.names": ["brightness"]}, {"evaluate"}),
    "toy functions": ({"toy_functions": False}, set()),
    "a view that no condition has": ({"sharpness.view": ["augmented"]}, set()),
}


@pytest.mark.parametrize(("changes", "rules"), LESS.values(), ids=LESS)
def test_what_is_taken_away_makes_no_data_or_models_again(finished: Project, changes, rules):
    planned = finished.plan(study_with(changes))
    assert planned.jobs
    assert set(numbers(planned).values()) == rules


# Changes of the study of every rule, and the jobs of sharpness that they rerun. All of its families
# but `forward` take many passes.
APART = {
    "what is cheap": ({"sharpness.forward.published": False}, {"sharpness"}),
    "what is dear": ({"sharpness.hessian.eigenvalues": 1}, {"hessian"}),
    "without what is cheap": ({"sharpness.forward": None}, set()),
    "without what is dear": ({"sharpness.landscape": None}, set()),
}


@pytest.mark.parametrize(("changes", "rules"), APART.values(), ids=APART)
def test_families_with_many_passes_have_jobs_of_their_own(on_paper: Project, changes, rules):
    study = on_paper.study_file(study_with(changes, EVERY_RULE))
    planned = Counter(job.rule for job in plan(study, on_paper.folder).jobs)
    measuring = {"sharpness", *SHARPNESS}
    assert measuring & planned.keys() == rules
    # A condition's networks share one, or each has its own.
    pairs = sum(len(dataset["networks"]) for dataset in EVERY_RULE["datasets"].values())
    conditions = pairs * len(EVERY_RULE["conditions"])
    for rule in rules:
        networks = 1 if rule == "sharpness" else len(EVERY_RULE["seeds"])
        assert planned[rule] == conditions * networks
    assert not planned.keys() & {"train", "evaluate"}


# A landscape of 9 + 5 and one of 121 + 5 passes.
SMALL = {"points": 3, "line_points": 5, "direction_seeds": [42]}
LARGE = SMALL | {"points": 11}


@pytest.fixture(scope="session")
def with_landscape(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The small study with a small landscape, finished on paper."""

    def finish(folder: Path) -> None:
        study = study_with({"sharpness.landscape": SMALL})
        finish_on_paper(Project(ROOT, folder).study_file(study), folder)

    return Project(ROOT, made_once(tmp_path_factory, "with_landscape", finish))


@pytest.mark.parametrize(
    ("landscape", "rules"),
    [
        (SMALL, {}),
        (SMALL | {"points": 5}, {"sharpness": 2}),
        # Without it, what is left of the shared job is measured again.
        (LARGE, {"sharpness": 2, "landscape": 4}),
    ],
)
def test_a_landscape_that_grows_leaves_the_job_that_it_shared(
    with_landscape: Project, landscape, rules
):
    study = with_landscape.study_file(study_with({"sharpness.landscape": landscape}))
    jobs = plan(study, with_landscape.folder).jobs
    measuring = {"train", "evaluate", "sharpness", *SHARPNESS}
    assert Counter(job.rule for job in jobs if job.rule in measuring) == rules


def reordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: reordered(value[key]) for key in reversed(value)}
    return value


SAME = {
    "as it was": STUDY,
    "other order of keys": reordered(STUDY),
    "other order of seeds": study_with({"seeds": [1, 0]}),
    "defaults written out": study_with(
        {
            "sharpness.perturbation.radius": 0.005,
            "datasets.digits.split_seed": 0,
            "training.optimizer.nesterov": False,
            "training.dropout": 0,
        }
    ),
}


@pytest.mark.parametrize("study", SAME.values(), ids=SAME)
def test_the_same_study_written_otherwise_reruns_nothing(finished: Project, study):
    assert finished.planned(study) == {}


def test_values_that_are_exchanged_are_a_change(finished: Project):
    # Snakemake compares the values of parameters without their names.
    study = study_with({"training.optimizer": {"name": "sgd", "lr": 0.9, "momentum": 0.02}})
    assert first(finished.plan(study)) == {"train"}


@pytest.fixture
def of_files(on_paper: Project, tmp_path: Path) -> Project:
    """The study of every rule, finished on paper, to be changed."""
    return Project(ROOT, shutil.copytree(on_paper.folder, tmp_path / "run"))


def test_another_archive_of_pictures_is_prepared_anew(of_files: Project):
    (of_files.folder / "data" / "pictures.zip").write_bytes(b"others")
    (prepared,) = [job for job in of_files.plan(EVERY_RULE).jobs if job.rule == "prepare"]
    assert "/archive/" in prepared.output


def test_comments_and_files_outside_the_study_rerun_nothing(of_files: Project):
    for name in ("README.md", "data/new.zip", "docs/a.md", "results/other/data/a.safetensors"):
        path = of_files.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    study = of_files.study_file(EVERY_RULE)
    study.write_text(study.read_text().replace("\n", "  # as before\n"))
    assert plan(study, of_files.folder).jobs == []


def test_another_spelling_of_the_folder_of_raw_data_reruns_nothing(of_files: Project):
    assert of_files.planned(study_with({"data_dir": "./data/"}, EVERY_RULE)) == {}


@pytest.mark.slow
def test_moved_raw_data_can_be_declared_the_same(of_files: Project):
    moved = study_with({"data_dir": "moved"}, EVERY_RULE)
    (of_files.folder / "data").rename(of_files.folder / "moved")
    (of_files.folder / "data").symlink_to(of_files.folder / "moved")
    assert of_files.planned(EVERY_RULE) == {}
    assert "prepare" in of_files.planned(moved)
    result = of_files.run(moved, "--touch")
    assert result.returncode == 0, result.stdout
    assert of_files.planned(moved) == {}


RUN = "digits/resnet18/baseline/seed0"
GONE = {
    "prepare": "data/digits/prepared.safetensors",
    "corrupt": "data/digits/corrupted/digital.safetensors",
    "initialise": "models/digits/resnet18/initial/seed0.safetensors",
    "train": f"models/{RUN}/model.safetensors",
    "sharpness": f"measures/{RUN}/forward.json",
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


LIBRARY = "scripts/minimascope"
ADDED_CODE = "\n\n_ADDED = 1\n"
# A module, what is added to it, and the rules that run first.
CODE = {
    "a comment": ("training.py", "\n# nothing new\n", set()),
    "the style of figures": (
        "plots/style.py",
        ADDED_CODE,
        {"plot_digits", "plot_digits-resnet18", "published_figures"},
    ),
    "a family of measures": ("sharpness/perturbation.py", ADDED_CODE, {"sharpness"}),
    "SAM": ("optim/sam.py", ADDED_CODE, {"train"}),
    "a network that is not in the study": ("networks/crnn.py", ADDED_CODE, set()),
    "attention, which perturbations know": ("networks/vit.py", ADDED_CODE, {"sharpness"}),
    "another network under the name of one": (
        "registry.py",
        '\n\nNETWORKS["resnet18"] = component("networks.vgg:vgg19")\n',
        {"initialise"},
    ),
    "weights that no network has": ("networks/torchvision_pretrained.py", ADDED_CODE, set()),
    "calibration": ("evaluation/calibration.py", ADDED_CODE, {"probabilities"}),
    "a table": (
        "analysis/trends.py",
        ADDED_CODE,
        # Published claims are about trends, too.
        {"tables", "published_tables"},
    ),
}


@pytest.fixture
def moved(finished: Project, tmp_path: Path) -> Project:
    """The finished study under a checkout in another place."""
    checkout = shutil.copytree(finished.checkout, tmp_path / "moved")
    return Project(checkout, finished.folder)


@pytest.mark.parametrize(("name", "added", "rules"), CODE.values(), ids=CODE)
def test_a_change_of_code_reruns_what_uses_it(moved: Project, name: str, added: str, rules):
    path = moved.checkout / LIBRARY / name
    path.write_text(path.read_text() + added)
    assert first(moved.plan(STUDY)) == rules


def test_a_changed_figure_is_drawn_with_those_of_its_network_alone(moved: Project):
    path = moved.checkout / LIBRARY / "plots" / "conditions.py"
    path.write_text(path.read_text() + ADDED_CODE)
    assert moved.planned(STUDY) == {"plot_digits-resnet18": 1, "report": 1}


def test_another_published_number_makes_published_results_anew(moved: Project):
    path = moved.checkout / "resources" / "published" / "deep_models.csv"
    path.write_text(path.read_text().replace("0.879", "0.878", 1))
    assert moved.planned(STUDY) == {"published_tables": 1, "published_figures": 1, "report": 1}


def test_another_study_finds_published_results_made(finished: Project):
    planned = finished.planned(study_with({"study": "other"}))
    assert planned["train"] == 4
    assert not {"published_tables", "published_figures"} & planned.keys()


def test_studies_of_other_things_agree_about_published_results(tmp_path: Path):
    # One after the other in one folder, and the first again.
    about = {
        "images and functions": {},
        "images": {"toy_functions": False},
        "recordings": {
            "datasets": {"scenes": {"source": "synthetic_scenes"}},
            "networks": {"cnn10": {"architecture": "cnn10"}},
            "evaluation": {},
        },
    }
    project = Project(ROOT, tmp_path / "run")
    project.folder.mkdir()
    for number, changes in enumerate([*about.values(), about["images and functions"]]):
        study = project.study_file(study_with(changes | {"study": f"study{number % 3}"}))
        made = {job.rule for job in plan(study, project.folder).jobs}
        assert {"published_tables", "published_figures"} & made == (
            set() if number else {"published_tables", "published_figures"}
        )
        assert ("report" in made) == (number < 3)
        finish_on_paper(study, project.folder)


def test_every_param_that_is_compared_is_a_short_text_with_its_name(project: Project):
    with planned_workflow(project.study_file(STUDY), project.folder) as workflow:
        jobs = [job for job in workflow.dag.jobs if job.output]
        compared = [param for job in jobs for param in job.non_derived_params]
        names = {name for job in jobs for name in job.params.keys()}  # noqa: SIM118
    assert {"code", "training", "network", "source", "settings"} <= names
    found = {text: settings([text]) for text in compared}
    assert all(value.keys() < names for value in found.values())
    assert max(map(len, found)) < 2_000


def test_a_new_network_reruns_nothing(moved: Project):
    (moved.checkout / LIBRARY / "networks" / "mlp.py").write_text("WIDTH = 100\n")
    registry = moved.checkout / LIBRARY / "registry.py"
    line = '\nNETWORKS["mlp"] = component("networks.mlp:mlp")\n'
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
