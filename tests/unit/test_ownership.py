"""A folder of results belongs to the file of one study."""

from pathlib import Path

import pytest

from minimascope.errors import InputError
from minimascope.study.ownership import claim


@pytest.fixture
def study(tmp_path: Path):
    """Write a file of a study and let it claim results; return the file."""

    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(text)
        claim(tmp_path / "results" / "study.txt", path)
        assert (tmp_path / "results" / "study.txt").read_text() == f"{path}\n"
        return path

    return write


ORIGINAL = "study: mine\nseeds: [0]\n"


def test_a_second_file_of_the_same_name_is_refused_in_one_line(study, tmp_path: Path):
    first = study("a.yaml", ORIGINAL)
    with pytest.raises(InputError) as refusal:
        study("b.yaml", "study: mine\nseeds: [1]\n")
    note = tmp_path / "results" / "study.txt"
    assert str(refusal.value) == (
        f"study: {first} has this name, too, and the results are its own; rename one of the two, or"
        f" delete {note} to replace them with those of {tmp_path / 'b.yaml'}"
    )
    assert note.read_text() == f"{first}\n"


def test_a_name_in_other_letters_is_refused_where_the_disk_takes_it_for_the_same(study):
    study("a.yaml", ORIGINAL)
    with pytest.raises(InputError):
        study("b.yaml", ORIGINAL.replace("mine", "Mine"))


def test_an_edited_file_keeps_its_results(study):
    study("a.yaml", ORIGINAL)
    study("a.yaml", "study: mine\nseeds: [1]\n")


def test_a_copy_with_the_same_content_is_the_same_study(study):
    study("a.yaml", ORIGINAL)
    study("b.yaml", f"# a copy\n{ORIGINAL}")


@pytest.mark.parametrize("change", ["gone", "study: other\n", "study: [", "[1]", ""])
def test_a_file_that_is_no_study_of_this_name_any_more_gives_its_results_up(study, change: str):
    first = study("a.yaml", ORIGINAL)
    first.unlink() if change == "gone" else first.write_text(change)
    study("b.yaml", "study: mine\nseeds: [1]\n")
