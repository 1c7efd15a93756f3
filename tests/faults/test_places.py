"""Runs in odd places: paths, languages, clocks, and a checkout that nobody may write to."""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from safetensors import safe_open
from small_study import Project, copy_workflow, study_with
from tiny_study import (
    ARCHIVE,
    DATA,
    FORWARD,
    INITIAL,
    TINY,
    assert_same_results,
    error_of,
    run_to,
    targets,
)

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

ODD = 'Größe & 大小 (it\'s "mine")'
DAY = 24 * 60 * 60


def files_of(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_a_checkout_that_is_read_only_runs_elsewhere_and_stays_as_it_is(
    project: Project, undisturbed: Project, tmp_path: Path, mount: Callable[..., None]
):
    checkout = copy_workflow(tmp_path / "checkout")
    before = files_of(checkout)
    mount(checkout, "--bind", checkout)
    mount(checkout, "-o", "remount,ro,bind")
    project = Project(checkout, project.folder)
    run_to(project, FORWARD)
    assert files_of(checkout) == before
    assert_same_results(project, undisturbed)


def test_a_checkout_is_not_written_to_from_another_folder(project: Project, tmp_path: Path):
    checkout = copy_workflow(tmp_path / "checkout")
    before = set(files_of(checkout))
    run_to(Project(checkout, project.folder), INITIAL)
    written = {path for path in set(files_of(checkout)) - before if "__pycache__" not in path.parts}
    assert written == set()


def test_paths_may_hold_spaces_quotes_and_any_letters(undisturbed: Project, tmp_path: Path):
    place = tmp_path / ODD
    data = place / "Röntgen bilder"
    data.mkdir(parents=True)
    shutil.copy2(undisturbed.folder / "data" / ARCHIVE, data)
    project = Project(copy_workflow(place / "check out"), place / "läuft hier")
    project.folder.mkdir()
    run_to(project, FORWARD, study=TINY | {"data_dir": str(data)})
    assert_same_results(project, undisturbed)


def test_a_checkout_with_braces_which_snakemake_reads_as_wildcards_is_refused(
    project: Project, tmp_path: Path
):
    place = tmp_path / "{x}"
    project = Project(copy_workflow(place), project.folder)
    assert f"error: checkout: {place} has braces" in error_of(project, DATA)


def test_pictures_and_classes_may_have_any_names(project: Project):
    classes = ["Äpfel & Birnen", "it's", "{猫}"]
    for split in ("train", "test"):
        for name in classes:
            folder = project.folder / "data" / "meine Bilder" / split / name
            folder.mkdir(parents=True)
            Image.new("RGB", (8, 8), "red").save(folder / "é 1.png")
    study = study_with({"datasets": {"mine": {"source": "image_folder", "path": "meine Bilder"}}})
    target = "data/mine/prepared.safetensors"
    run_to(project, target, study=study)
    with safe_open(project.results(target), "numpy") as file:
        described = json.loads(file.metadata()["minimascope"])
    assert described["classes"] == sorted(classes)


def compiled(language: str, folder: Path) -> dict[str, str]:
    """Return the environment of a language whose locale is compiled for the test."""
    command = ["localedef", "-i", language, "-f", "UTF-8", str(folder / f"{language}.UTF-8")]
    if not shutil.which("localedef") or subprocess.run(command, capture_output=True).returncode > 1:
        pytest.skip(f"no locale {language} can be made here")
    return {"LOCPATH": str(folder), "LC_ALL": f"{language}.UTF-8"}


# A language, and a time zone: of plain ASCII; with a decimal comma; with an i of its own.
PLACES = {
    "C": ("C", "Pacific/Kiritimati"),
    "German": ("de_DE", "America/St_Johns"),
    "Turkish": ("tr_TR", "Asia/Kathmandu"),
}


@pytest.mark.parametrize(("language", "zone"), PLACES.values(), ids=PLACES)
def test_language_and_time_zone_change_no_byte_and_rerun_nothing(
    copied: Project,
    undisturbed: Project,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    language: str,
    zone: str,
):
    if language == "C":
        # Python would otherwise make UTF-8 of it.
        environment = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    else:
        environment = compiled(language, tmp_path)
    for name, value in (environment | {"TZ": zone}).items():
        monkeypatch.setenv(name, value)
    assert copied.run(TINY, "--dry-run", *targets(FORWARD)).stdout.count("Nothing to be done") == 1
    copied.results(FORWARD).unlink()
    copied.results(DATA).unlink()
    run_to(copied, FORWARD)
    assert_same_results(copied, undisturbed)


def test_an_input_of_the_future_is_reported_and_nothing_is_made_from_it(
    copied: Project, undisturbed: Project
):
    archive = copied.folder / "data" / ARCHIVE
    ahead = time.time() + DAY
    os.utime(archive, (ahead, ahead))
    result = copied.run(TINY, *targets(INITIAL))
    assert result.returncode == 1
    assert f"has older modification time than input data/{ARCHIVE}" in re.sub(
        r" \([^)]*\)", "", result.stdout
    )
    assert "Traceback" not in result.stdout
    archive.touch()
    run_to(copied, INITIAL)
    assert_same_results(copied, undisturbed)
    assert "Nothing to be done" in run_to(copied, INITIAL)


def test_results_of_a_clock_that_was_wrong_are_not_made_again(copied: Project):
    for path in copied.folder.rglob("*"):
        if path.is_file() and ".snakemake" not in path.parts:
            time_of_it = path.stat().st_mtime + DAY
            os.utime(path, (time_of_it, time_of_it))
    assert "Nothing to be done" in run_to(copied, FORWARD)
