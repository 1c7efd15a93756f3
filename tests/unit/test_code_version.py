"""A version of the code changes when what it computes may change, and only then."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from minimascope.jobs import code_version as module

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture
def version(tmp_path, monkeypatch):
    """Versions of a small library: a script imports `a`, which imports `b.c`; `d` stands alone."""
    library = tmp_path / "minimascope"
    (library / "b").mkdir(parents=True)
    files = {
        "script.py": '"""Doc."""\nfrom minimascope.a import f\n\nf(1)\n',
        "minimascope/__init__.py": "",
        "minimascope/a.py": "from .b import c\n\n\ndef f(x):\n    return c.g(x)\n",
        "minimascope/b/__init__.py": "",
        "minimascope/b/c.py": "def g(x):\n    return x + 1\n",
        "minimascope/d.py": "D = 1\n",
        "minimascope/kernels.py": "KERNELS = {}\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(module, "LIBRARY", library)
    monkeypatch.setattr(module, "IGNORED", {library / "__init__.py"})

    cached = ("code_version", "_closure", "_imports", "_tree", "_tree_text")

    def versions(*components, **changes):
        for name in cached:
            getattr(module, name).cache_clear()
        for name, text in {**files, **changes}.items():
            (tmp_path / name).write_text(text)
        return module.code_version(tmp_path / "script.py", *components)

    yield versions
    for name in cached:
        getattr(module, name).cache_clear()


SAME = {
    "script.py": '"""Another."""\n\n# comment\nfrom minimascope.a import f\nf( 1 )',
    "minimascope/a.py": 'from .b import c\ndef f(x):\n    """Doc."""\n    return c.g(x)  # why\n',
    "minimascope/b/c.py": "def g(x): return (x + 1)\n",
    "minimascope/d.py": "D = 2\n",
}


@pytest.mark.parametrize("name", SAME)
def test_comments_documentation_and_formatting_do_not_count(version, name):
    before = version()
    assert version(**{name: SAME[name]}) == before


@pytest.mark.parametrize("name", ["script.py", "minimascope/a.py", "minimascope/b/c.py"])
def test_code_of_the_script_and_of_all_it_imports_counts(version, name):
    before = version()
    assert version(**{name: SAME[name] + "\nX = 1\n"}) != before


def test_the_choice_of_kernels_counts_for_every_script(version):
    assert version(**{"minimascope/kernels.py": "KERNELS = {'A': 'b'}\n"}) != version()


def test_a_component_counts_where_it_is_named(version):
    assert version("d") != version()
    assert version("d") != version("d", **{"minimascope/d.py": "D = 2\n"})


def test_another_function_of_a_component_s_module_counts(version):
    assert version("d:first") == version("d:first") != version("d:second")


@pytest.mark.parametrize("script", ["train", "sharpness", "evaluate", "collect", "tables"])
def test_the_version_covers_every_module_that_the_script_imports(script):
    imports = (SCRIPTS / f"{script}.py").read_text().split("\nwith job(")[0]
    code = (
        f"{imports}\nimport sys\n"
        "names = [m.__file__ for n, m in sys.modules.items() if n.startswith('minimascope')]\n"
        "print('\\n'.join(names))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=SCRIPTS, capture_output=True, text=True, check=True
    )
    loaded = {Path(line) for line in result.stdout.split()}
    covered = module._closure(frozenset([SCRIPTS / f"{script}.py"])) | module.IGNORED
    assert loaded
    assert loaded <= covered


VERSIONS = """
import json
from pathlib import Path
from minimascope import registry
from minimascope.jobs.code_version import code_version

kinds = registry.SOURCES, registry.NETWORKS, registry.OPTIMIZERS, registry.AVERAGES
components = [component.location for kind in kinds for component in kind.values()]
print(json.dumps({p.stem: code_version(p.resolve(), *components) for p in Path().glob("*.py")}))
"""


def versions_in(checkout: Path) -> dict[str, str]:
    result = subprocess.run(
        [sys.executable, "-c", VERSIONS], cwd=checkout, capture_output=True, text=True, check=True
    )
    return json.loads(result.stdout)


def test_other_code_that_writes_arrays_retrains_nothing(tmp_path):
    checkout = shutil.copytree(SCRIPTS, tmp_path / "scripts")
    before = versions_in(checkout)
    with (checkout / "minimascope" / "npz.py").open("a") as file:
        file.write("\nX = 1\n")
    after = versions_in(checkout)
    changed = {name for name, version in after.items() if version != before[name]}
    evaluations = {"evaluate", "attack", "probabilities"}
    assert changed == {"sharpness", "trajectory", "interpolate", "gather", *evaluations}
