"""Whatever a study says, it is planned or refused in one line, and nothing in it is run."""

import subprocess
import time
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from fuzzed_studies import studies
from hypothesis import HealthCheck, Phase, given, settings
from study_cases import BASE, SCHEMA
from tools import run_tool

from minimascope.errors import InputError
from minimascope.study.conditions import condition_rows
from minimascope.study.file import MOST_VALUES, read_study_file
from minimascope.study.loading import load_study
from minimascope.study.study import Study
from minimascope.study.toys import toy_jobs

STUDY = """study: small
seeds: [0]
datasets: {digits: {source: digits}}
networks: {resnet: {architecture: resnet18}}
training: {epochs: 1, batch_size: 10, optimizer: {name: sgd, lr: 0.1}}
conditions: {baseline: {}}
"""
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{this}: &{this} [{', '.join([f'*{last}'] * 9)}]\n"
    for last, this in zip("abcdefgh", "bcdefghi", strict=True)
)
FILES = {
    "a call": (STUDY + "x: !!python/object/apply:os.system ['touch MARKER']", "line 7: could not"),
    "a template": (
        STUDY + "__use_yte__: true\nx: ?__import__('os').system('touch MARKER')",
        "line 7: __use_yte__ makes Snakemake run code",
    ),
    "a billion laughs": (STUDY + BOMB, "its references stand for more than"),
    "itself": (STUDY + "x: &x {y: *x}", "line 7: contains itself"),
    "a key twice": (STUDY + "study: other", "line 7: the key 'study' is given twice"),
    "a word for true twice": (STUDY + "x: {yes: 1, on: 2}", "line 7: the key 'on' is given twice"),
    "a number twice": (STUDY + "x:\n  1: a\n  0x1: b", "line 9: the key '0x1' is given twice"),
    "a list": ("- a\n- b\n", "holds a list; write its keys without dashes"),
    "a NUL": (STUDY + "\0", "not YAML"),
    "base 8": (
        STUDY + "x: [010]",
        "line 7: 010 would be read as 8; write 8 if that is meant, else",
    ),
    "base 60": (STUDY + "x: [1:30]", "line 7: 1:30 would be read as 90; write 90 if"),
    "base 60 with a point": (STUDY + "x: -1:30.5", "line 7: -1:30.5 would be read as -90.5; write"),
    "base 8 as a key": (STUDY + "x: {07: 1}", "line 7: 07 would be read as 7; write 7 if"),
    "five thousand digits": (STUDY + f"x: {'1' * 5000}", "a value is not valid"),
    "lists in lists": (STUDY + "x: " + "[" * 3000 + "]" * 3000, "nested too deeply"),
    "too much of it": (STUDY + "#" * 300_000, "larger than 262,144 bytes"),
}


def refusal(path: Path) -> str:
    """Return the line with which a file is refused, be it as a file or as a study."""
    with pytest.raises(InputError) as caught:
        load_study(read_study_file(path), SCHEMA)
    assert str(caught.value).isprintable()
    return str(caught.value)


@pytest.mark.parametrize("fault", FILES)
def test_a_hostile_file_is_refused_with_its_name_and_line(tmp_path, monkeypatch, fault):
    text, message = FILES[fault]
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "study.yaml"
    path.write_bytes(text.replace("MARKER", str(tmp_path / "marker")).encode())
    start = time.monotonic()
    line = refusal(path)
    assert line.startswith(f"{path}")
    assert message in line
    assert time.monotonic() - start < 20
    assert list(tmp_path.iterdir()) == [path]


def test_files_that_are_none_or_no_text_are_refused(tmp_path):
    assert "cannot be read (No such file" in refusal(tmp_path / "missing.yaml")
    assert "cannot be read (Is a directory)" in refusal(tmp_path)
    for content in (STUDY.encode("utf-16"), STUDY.encode() + b"# caf\xe9"):
        (tmp_path / "study.yaml").write_bytes(content)
        assert "not UTF-8" in refusal(tmp_path / "study.yaml")


def test_numbers_that_every_yaml_reads_alike_are_read(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text(f"{STUDY}x: [0, 0.5, -0.0, 0x1F, 1.0e-3, '010', '1:30', a:b, 0b11]\n")
    read = [0, 0.5, 0.0, 31, 0.001, "010", "1:30", "a:b", 3]
    assert read_study_file(path)["x"] == read


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_study_with_references_and_merges_is_read_as_meant(tmp_path, mark):
    text = STUDY.replace("{baseline: {}}", "{baseline: &b {dropout: 0.5}, c: {<<: *b, epochs: 2}}")
    (tmp_path / "study.yaml").write_text(mark + text, encoding="utf-8")
    read = read_study_file(tmp_path / "study.yaml")
    assert read["conditions"]["c"] == {"dropout": 0.5, "epochs": 2}
    assert load_study(read, SCHEMA).conditions == ["baseline", "c"]


@pytest.mark.parametrize(
    "line",
    [
        *(
            "study:",
            "conditions: {baseline: }",
            "sharpness:\n  hessian:",
            "evaluation:\n  corruptions:",
        ),
        *("sweeps:", "analysis:\n  baseline: # none"),
    ],
)
def test_a_key_without_a_value_is_refused_with_what_to_write(tmp_path, line):
    path = tmp_path / "study.yaml"
    path.write_text(f"{line}\n")
    told = refusal(path)
    remedy = "write one ({} for a section that is all defaults), or remove the line"
    assert told.endswith(f"has no value; {remedy}")
    for value in ("null", "~", "{}"):
        path.write_text(f"{STUDY}\nsharpness: {{hessian: {value}}}\n")
        assert read_study_file(path)["sharpness"]["hessian"] in (None, {})


def checked(path: Path) -> subprocess.CompletedProcess:
    return run_tool("check_study", path, "--name")


def test_the_script_prints_the_name_of_the_results_or_one_line(tmp_path):
    (tmp_path / "s.yaml").write_text(STUDY + "protocol: published")
    assert checked(tmp_path / "s.yaml").stdout == "small-published\n"
    # `make` puts the name into commands.
    for name in ("$(touch marker)", "../..", "a; b", "x\\n", ""):
        (tmp_path / "s.yaml").write_text(STUDY.replace("small", f'"{name}"'))
        result = checked(tmp_path / "s.yaml")
        assert (result.returncode, result.stdout) == (1, "")
        assert result.stderr.startswith("error in the configuration: study: ")
        assert result.stderr.count("\n") == 1


# What was found wrong by the trial below, or in the search for what it should try.

WIDE: list = ["x"]
for _ in range(9):
    WIDE = [WIDE] * 9
FOUND = {
    "a name that ends a line": ({"datasets": {"d\n": {"source": "digits"}}}, "datasets: 'd\\n'"),
    "a study's name that ends a line": ({"study": "x\n"}, "study: 'x\\n' is no name"),
    "a key that clears the screen": ({"\x1b[2J": 1}, "\\x1b[2J: unknown key"),
    "a name longer than a folder's": ({"study": "x" * 300}, "is longer than 64 characters"),
    "a name that Snakemake takes for a loop": (
        {"networks": {"a" * 30: {"architecture": "resnet18"}}},
        "ends with 20 times the same",
    ),
    "a seed that no generator takes": ({"seeds": [2**40]}, "seeds[0]: must be at most 4294967295"),
    "a number of four hundred digits": (
        {"training": {**BASE["training"], "epochs": 10**400}},
        "training.epochs: must be between",
    ),
    "a billion values": ({"published": {"a": WIDE}}, f"more than {MOST_VALUES:,} values"),
    "a folder with a wildcard": ({"data_dir": "{x}"}, "data_dir: '{' cannot stand in a path"),
    "a folder longer than a folder": ({"data_dir": "x" * 300}, "is too long for a path"),
}


@pytest.mark.parametrize("case", FOUND)
def test_what_was_found_is_refused_in_one_line(case):
    changes, message = FOUND[case]
    with pytest.raises(InputError) as caught:
        load_study(deepcopy(BASE) | changes, SCHEMA)
    assert message in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1100


@settings(
    max_examples=500,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
@given(studies())
def test_any_configuration_is_a_study_or_refused_in_one_line(config):
    before = repr(config)
    study = outcome(config)
    if isinstance(study, InputError):
        assert str(study).isprintable()
    else:
        # Toy functions are learnt without data.
        assert study.pairs or toy_jobs(study)
        assert bool(condition_rows(study)) == bool(study.pairs)
    assert repr(config) == before


def outcome(config: Any) -> Study | InputError:
    """Return the study, or why there is none."""
    try:
        return load_study(config, SCHEMA)
    except InputError as error:
        return error


def test_a_compiler_is_looked_for_only_where_the_jobs_run(tmp_path, monkeypatch):
    path = tmp_path / "study.yaml"
    path.write_text(STUDY.replace("epochs: 1", "epochs: 1, compile: true"), encoding="utf-8")
    monkeypatch.setenv("CXX", "no-such-compiler")
    here = run_tool("check_study", path, "--errors", cwd=tmp_path)
    assert here.returncode == 1
    assert "needs a C++ compiler, and there is no no-such-compiler" in here.stderr
    there = run_tool("check_study", path, "--errors", "--remote", cwd=tmp_path)
    assert (there.returncode, there.stdout, there.stderr) == (0, "", "")
