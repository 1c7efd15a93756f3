"""Disks that are full or read-only: one line, nothing half-written, and the next run finishes."""

import errno
import hashlib
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from mirror import Mirror
from small_study import Project
from tiny_study import (
    CHECKPOINT,
    DATA,
    INITIAL,
    MODEL,
    TINY,
    assert_same_results,
    error_of,
    run_to,
    targets,
)

from minimascope.data.download import download
from minimascope.data.official import RemoteFile

Mount = Callable[..., None]


def tmpfs(size: str) -> list[str]:
    return ["-t", "tmpfs", "-o", f"size={size}", "tmpfs"]


def fill(folder: Path) -> Path:
    """Fill the disk of a folder to its last byte with a file, and return that."""
    ballast = folder / "ballast"
    ballast.write_bytes(bytes(shutil.disk_usage(folder).free))
    return ballast


def make_read_only(mount: Mount, folder: Path) -> None:
    mount(folder, "--bind", folder)
    mount(folder, "-o", "remount,ro,bind")


@pytest.mark.workflow
@pytest.mark.slow
def test_a_run_whose_disk_fills_up_goes_on_when_there_is_room(
    project: Project, undisturbed: Project, mount: Mount
):
    # First there is no room for the data, then none for what the training adds to them.
    sizes = {name: undisturbed.results(name).stat().st_size for name in (DATA, INITIAL)}
    study = TINY | {"data_dir": str(undisturbed.folder / "data")}
    mount(project.folder, *tmpfs(f"{sizes[DATA] // 2}"))
    line = error_of(project, MODEL, study=study)
    assert f"{DATA}: No space left on device; make room on its disk" in line
    assert not project.results(DATA).exists()

    mount(project.folder, "-o", f"remount,size={sum(sizes.values()) + 100_000}")
    line = error_of(project, MODEL, study=study)
    assert f"{CHECKPOINT}: No space left on device; make room on its disk" in line
    assert not project.results(MODEL).exists()

    mount(project.folder, "-o", "remount,size=10m")
    run_to(project, MODEL, study=study)
    assert_same_results(project, undisturbed)


@pytest.mark.workflow
@pytest.mark.slow
@pytest.mark.parametrize("place", ["", "results"])
def test_a_full_disk_stops_a_run_before_its_first_job(project: Project, mount: Mount, place: str):
    folder = project.folder / place
    folder.mkdir(exist_ok=True)
    mount(folder, *tmpfs("1m"))
    ballast = fill(folder)
    line = error_of(project, INITIAL)
    assert line == f"error: {folder}: no space left on its disk; make room and run again"
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert [path for path in files if ".snakemake" not in path.parts] == [ballast]


@pytest.mark.workflow
@pytest.mark.slow
@pytest.mark.parametrize("place", ["", "results"])
def test_a_read_only_folder_stops_a_run_before_its_first_job(
    project: Project, mount: Mount, place: str
):
    folder = project.folder / place
    folder.mkdir(exist_ok=True)
    make_read_only(mount, folder)
    line = error_of(project, INITIAL)
    assert line.startswith(f"error: {folder}: nothing can be written here; ")
    assert "--directory" in line


@pytest.mark.workflow
@pytest.mark.slow
def test_results_that_are_read_only_can_be_looked_at(copied: Project, mount: Mount):
    make_read_only(mount, copied.folder / "results")
    result = copied.run(TINY, "--dry-run", *targets(MODEL))
    assert result.returncode == 0, result.stdout
    assert "Nothing to be done" in result.stdout


def test_a_full_disk_is_no_fault_of_the_mirrors(tmp_path: Path, mount: Mount):
    content = bytes(range(256)) * 2000
    mirrors = [Mirror(content), Mirror(content)]
    checksum = f"sha256:{hashlib.sha256(content).hexdigest()}"
    urls = tuple(mirror.url for mirror in mirrors)
    file = RemoteFile("file.tar", "file", urls, len(content), checksum)
    target = tmp_path / "disk" / "file.tar"
    target.parent.mkdir()
    mount(target.parent, *tmpfs("200k"))
    with pytest.raises(OSError, match="No space left") as caught:
        download(file, target)
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(target))
    assert not target.exists()
    assert mirrors[1].requests == []

    subprocess.run(["mount", "-o", "remount,size=2m", target.parent], check=True)
    download(file, target)
    assert target.read_bytes() == content
    # It was continued.
    assert mirrors[0].requests[0] is None
    assert mirrors[0].requests[1].startswith("bytes=")
    for mirror in mirrors:
        mirror.close()
