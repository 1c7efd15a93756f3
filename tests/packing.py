"""The same files as an archive of any kind, or as a folder."""

import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path


def packed(path: Path, files: Mapping[str, bytes]) -> Path:
    """Write files as the archive that the path's name says, or else below it; return the path."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(name, content)
    elif path.suffix in (".tar", ".gz", ".tgz"):
        with tarfile.open(path, "w" if path.suffix == ".tar" else "w:gz") as archive:
            for name, content in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    else:
        for name, content in files.items():
            file = path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
    return path


def files_below(folder: Path) -> dict[str, bytes]:
    """Return the content of each file below a folder by its path in there."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
