"""The library installs like any Python project: a wheel that works anywhere."""

import re
import shutil
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from test_environments import RUNTIME, imported, normal

import minimascope

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# Run in a folder without the checkout: what checks studies, and what docs/measures.md shows.
PROGRAM = """
import sys
import minimascope.study.loading, minimascope.registry
assert "torch" not in sys.modules
import torch
from minimascope import measure
from minimascope.errors import InputError
settings = {"forward": {"published": "yes"}}
try:
    measure(torch.nn.Linear(2, 2), torch.ones(2, 2), torch.arange(2), settings=settings)
except InputError as error:
    assert "settings.forward.published" in str(error), error
print(minimascope.__file__, minimascope.__version__)
"""


CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))


def test_there_is_one_version_and_one_date():
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    version, date = re.search(r"^## (\d\S*) – (\S+)$", changes, re.MULTILINE).groups()
    assert version == minimascope.__version__ == CITATION["version"]
    assert date == str(CITATION["date-released"])
    assert "version" in PROJECT["dynamic"]
    assert "version" not in PROJECT


def test_the_citation_has_what_its_format_requires():
    # Required by Citation File Format 1.2.0, and what is left for a citation to be complete.
    assert CITATION["cff-version"] == "1.2.0"
    assert CITATION["type"] == "software"
    assert CITATION["license"] == PROJECT["license"]
    assert {"message", "title", "abstract", "keywords"} <= CITATION.keys()
    assert len(set(CITATION["keywords"])) == len(CITATION["keywords"])
    for cited in (CITATION, *CITATION["references"]):
        assert cited["title"]
        for author in cited["authors"]:
            assert author.keys() in ({"name"}, {"family-names", "given-names"})
    for reference in CITATION["references"]:
        assert reference["type"] == "article"
        assert isinstance(reference["year"], int)
        for identifier in reference.get("identifiers", []):
            assert identifier["type"] in ("doi", "url", "swh", "other")


def test_the_package_depends_on_what_its_modules_import_and_nothing_unpinned():
    names = {normal(text.partition(">=")[0]) for text in PROJECT["dependencies"]}
    library = list((ROOT / "scripts" / "minimascope").rglob("*.py"))
    # Snakemake brings its own plugin interfaces; pandas writes LaTeX and Markdown with the others.
    found = {name for name in imported(library) if not name.startswith("snakemake-interface")}
    assert names == found | {"jinja2", "tabulate"}
    assert names <= RUNTIME.keys()


@pytest.mark.skipif(find_spec("setuptools") is None, reason="needs setuptools, which builds wheels")
def test_a_wheel_is_imported_from_anywhere(tmp_path: Path):
    source = tmp_path / "source"
    shutil.copytree(ROOT / "scripts", source / "scripts")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy2(ROOT / name, source / name)
    build = "from setuptools import build_meta; build_meta.build_{}(sys.argv[1])"
    for kind in ("wheel", "sdist"):
        command = [sys.executable, "-c", f"import sys; {build.format(kind)}", tmp_path]
        subprocess.run(command, cwd=source, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    (sdist,) = tmp_path.glob("*.tar.gz")
    assert sdist.name == f"minimascope-{minimascope.__version__}.tar.gz"
    site = tmp_path / "site"
    shutil.unpack_archive(wheel, site, "zip")
    assert {path.name for path in site.iterdir() if path.suffix != ".dist-info"} == {"minimascope"}
    (entries,) = site.glob("*.dist-info/entry_points.txt")
    assert "minimascope = minimascope.command:main" in entries.read_text()
    program = f"import sys; sys.path.insert(0, {str(site)!r})\n{PROGRAM}"
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == [
        str(site / "minimascope" / "__init__.py"),
        minimascope.__version__,
    ]
