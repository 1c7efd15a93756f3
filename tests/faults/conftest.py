"""The tiny study undisturbed, and a folder in which it is disturbed."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from small_study import ROOT, Project, made_once
from tiny_study import ARCHIVE, TABLES, run_to, write_archive


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The tiny study, run to its end once for all workers of a test run; not to be changed."""

    def run(folder: Path) -> None:
        write_archive(folder / "data" / ARCHIVE)
        run_to(Project(ROOT, folder), *TABLES)

    return Project(ROOT, made_once(tmp_path_factory, "undisturbed", run))


@pytest.fixture
def copied(undisturbed: Project, tmp_path: Path) -> Project:
    """A copy of the finished study, to be changed."""
    return Project(ROOT, shutil.copytree(undisturbed.folder, tmp_path / "copied"))


@pytest.fixture
def project(undisturbed: Project, tmp_path: Path) -> Project:
    """A folder that has the archive and nothing else."""
    folder = tmp_path / "run"
    (folder / "data").mkdir(parents=True)
    shutil.copy2(undisturbed.folder / "data" / ARCHIVE, folder / "data")
    return Project(ROOT, folder)


@pytest.fixture
def mount() -> Iterator[Callable[..., None]]:
    """What mounts something at a folder, until the test is over."""
    mounted: dict[Path, None] = {}

    def mount_at(folder: Path, *arguments: str | Path) -> None:
        try:
            subprocess.run(["mount", *arguments, folder], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"nothing can be mounted here ({error})")
        # What is mounted anew with other options is unmounted once.
        mounted[folder] = None

    yield mount_at
    for folder in mounted:
        subprocess.run(["umount", folder], check=True)
