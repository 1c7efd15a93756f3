"""Further test sets: digits in other styles, letters, pictures, and what is refused."""

import numpy as np
import pytest
import torch
from PIL import Image
from refusals import refused
from study_cases import BASE, SCHEMA, component

from minimascope.data import digits, image_folder
from minimascope.data.characters import DIGITS, LETTERS
from minimascope.data.class_names import CLASSES
from minimascope.data.other_sets import OtherSet, load_other_set, other_set, save_other_set
from minimascope.data.prepared import Dataset, Split
from minimascope.data.strokes import drawings
from minimascope.evaluation.condition import Member, evaluate
from minimascope.study.loading import deep_merge, load_study
from minimascope.study.other_sets import other_part
from minimascope.study.raw_data import missing_files
from minimascope.study.study import Study

DIGIT_OPTIONS = {"train_size": 500, "split_seed": 0, "image_size": 8}


def styled(style: str) -> Dataset:
    return component("dataset", "digit_styles")(None, style=style)


@pytest.mark.parametrize("style", ["thick", "slanted", "inverted", "drawn"])
def test_digits_in_another_style_are_the_same_test_samples(style):
    plain, other = digits.load(None, **DIGIT_OPTIONS), styled(style)
    for own, theirs in ((plain.train, other.train), (plain.test, other.test)):
        assert torch.equal(own.labels, theirs.labels)
        assert theirs.inputs.shape == own.inputs.shape
        assert theirs.inputs.dtype == torch.uint8
        assert (theirs.inputs != own.inputs).any()
    assert torch.equal(other.test.inputs, styled(style).test.inputs)


def test_styles_do_what_their_names_say():
    plain = digits.load(None, **DIGIT_OPTIONS).test.inputs.float()
    assert torch.equal(styled("inverted").test.inputs.float(), 255 - plain)
    assert (styled("thick").test.inputs >= plain).all()
    # Of a slanted image the upper half moves against the lower one.
    columns = torch.arange(8.0)

    def lean(images):
        upper, lower = (half.sum((1, 2)) @ columns for half in images.split(4, dim=2))
        upper = upper / images[:, :, :4].sum((1, 2, 3))
        return (upper - lower / images[:, :, 4:].sum((1, 2, 3))).mean()

    assert lean(styled("slanted").test.inputs.float()) > lean(plain) + 1


def test_a_drawing_counts_pixels_near_its_strokes():
    one = {"-": [[(-1.0, 0.0), (1.0, 0.0)]]}
    image = drawings(one, np.zeros(50, int), np.random.default_rng(0)).mean(0)
    assert image.argmax() // 8 in (3, 4)
    assert image[[0, 7]].sum() == 0
    assert image.max() <= 1


def test_a_network_of_handwritten_digits_knows_drawn_ones():
    plain, other = digits.load(None, **DIGIT_OPTIONS), styled("drawn")
    nearest = torch.cdist(
        other.test.inputs.flatten(1).float(), plain.train.inputs.flatten(1).float()
    ).argmin(1)
    assert (plain.train.labels[nearest] == other.test.labels).double().mean() > 0.6


def test_letters_are_none_of_the_digits():
    found = component("dataset", "letters")(None)
    assert found.test.labels.bincount().tolist() == [84] * 4 + [83] * 8
    assert not {*LETTERS} & {*DIGITS}
    assert not torch.equal(found.train.inputs[:12], found.test.inputs[:12])


def data(classes: tuple[str, ...], size: int = 8, value: int = 0) -> Dataset:
    shape = (len(classes), 1, size, size)
    labels = torch.arange(len(classes))
    train, test = (torch.full(shape, value + i, dtype=torch.uint8) for i in range(2))
    return Dataset(Split(train, labels), Split(test, labels), classes)


def test_classes_are_matched_by_their_names(tmp_path):
    found = other_set("shifted", "mine", data(("c", "a"), value=9), data(("a", "b", "c")))
    assert found.labels.tolist() == [2, 0]
    far = other_set("unseen", "far", data(("x", "y"), value=9), data(("a",)))
    assert far.labels.tolist() == [-1, -1]
    save_other_set(tmp_path / "set", found)
    kept = load_other_set(tmp_path / "set")
    assert (kept.kind, kept.name, kept.labels.tolist()) == ("shifted", "mine", [2, 0])


def test_sets_that_do_not_fit_are_refused_in_one_line():
    with refused("classes x, y are not of the data set, which has a, b", "under unseen"):
        other_set("shifted", "mine", data(("x", "a", "y")), data(("a", "b")))
    with refused("class a is of the data set, too", "under shifted"):
        other_set("unseen", "mine", data(("x", "a")), data(("a", "b")))
    with refused("inputs are 1×9×9 (uint8), those of the data set 1×8×8 (uint8)", "image_size"):
        other_set("shifted", "mine", data(("a",), size=9), data(("a",)))


@pytest.mark.parametrize(("kind", "classes"), [("shifted", ("a", "b")), ("unseen", ("x", "y"))])
def test_training_inputs_are_refused_as_a_further_set(kind, classes):
    trained, other = data(("a", "b"), value=1), data(classes)
    with refused("2 of its 2 inputs are training inputs of the data set", "leave these out"):
        other_set(kind, "mine", other, trained)
    other.test.inputs[0, 0, 7, 7] += 1
    with refused("1 of its 2 inputs are training inputs"):
        other_set(kind, "mine", other, trained)
    other.test.inputs[1, 0, 0, 0] += 1
    assert len(other_set(kind, "mine", other, trained).labels) == 2


def small(**spec: object) -> Study:
    return load_study({**BASE, "datasets": {"small": {"source": "digits", **spec}}}, SCHEMA)


@pytest.mark.parametrize("split", [{"train_size": 1000}, {"split_seed": 3}, {"train_size": 40}])
@pytest.mark.parametrize("kind", ["shifted", "unseen"])
def test_a_further_set_of_the_same_digits_is_split_as_the_data_set(split, kind):
    half = {"shifted": range(10), "unseen": range(5, 10)}[kind]
    own = {"classes": [*range(5)]} if kind == "unseen" else {}
    other = {"source": "digit_styles", "style": "inverted", "classes": [*half]}
    study = small(**split, **own, **{kind: {"inverted": other}})
    trained = digits.load(None, **DIGIT_OPTIONS | split)
    spec = study.source_spec("small", kind, "inverted")
    spec.pop("source")
    tested = 255 - component("dataset", "digit_styles")(None, **spec).test.inputs
    assert torch.equal(tested, trained.test.inputs)


def test_another_split_of_the_same_digits_is_refused_where_training_samples_get_in():
    plain, thick = {"source": "digits"}, {"source": "digit_styles", "style": "thick"}
    line = "datasets.small.shifted.x.{}: {} is another split than that of small ({})"
    for other in (plain, thick):
        with refused(line.format("train_size", 500, 1000), "leave it out"):
            small(train_size=1000, shifted={"x": {**other, "train_size": 500}})
    with refused(line.format("split_seed", 2, 0), "leave it out"):
        small(shifted={"x": {**plain, "split_seed": 2}})
    # The same said twice, drawings in place of pictures, and classes that are not trained on.
    small(train_size=1000, shifted={"x": {**thick, "train_size": 1000, "split_seed": 0}})
    small(shifted={"x": {"source": "digit_styles", "style": "drawn", "train_size": 50}})
    small(classes=[0, 1], unseen={"x": {**plain, "classes": [2], "train_size": 50}})


@pytest.mark.parametrize(
    ("trained", "kind", "other", "shapes"),
    [
        ({}, "shifted", {"source": "digits", "image_size": 16}, ("1×16×16", "1×8×8")),
        ({"image_size": 16}, "unseen", {"source": "letters"}, ("1×8×8", "1×16×16")),
        ({}, "unseen", {"source": "cifar10"}, ("3×32×32", "1×8×8")),
        ({}, "shifted", {"source": "digit_styles", "style": "thick", "image_size": 9},
         ("1×9×9", "1×8×8")),
        ({}, "unseen", {"source": "image_folder", "path": "x", "image_size": 8},
         ("3×8×8", "1×8×8")),
    ],
)  # fmt: skip
def test_shapes_of_sources_that_are_known_are_compared_before_a_run(trained, kind, other, shapes):
    there, here = shapes
    line = f"datasets.small.{kind}.x: inputs are {there}, those of the data set {here}"
    with refused(line, "image_size"):
        small(**trained, **{kind: {"x": other}})


@pytest.mark.parametrize(
    ("sets", "line"),
    [
        ({"shifted": {"l": {"source": "letters"}}}, "small.shifted.l: classes A, C, E, F, H and 7"),
        ({"unseen": {"d": {"source": "digits"}}}, "small.unseen.d: classes 0, 1, 2, 3, 4 and 5"),
        ({"unseen": {"s": {"source": "digit_styles", "style": "thick"}}}, "small.unseen.s: class"),
        ({"shifted": {"c": {"source": "cifar10"}}}, "small.shifted.c: classes airplane, auto"),
        (
            {"shifted": {"d": {"source": "digits", "classes": [1, 12]}}},
            "small.shifted.d.classes: no class '12'; did you mean '2'?",
        ),
        ({"classes": [1, "x"]}, "small.classes: no class 'x'; valid: 0, 1"),
        ({"shifted": {"c": {"source": "circles"}}}, "small.shifted.c: points for a data set of"),
        ({"shifted": {"d": {"source": "digit_styles"}}}, "small.shifted.d: 'style' is missing"),
        ({"shifted": {"d": {"source": "digitals"}}}, "small.shifted.d.source"),
        ({"unseen": {"l": {"source": "letters", "letters": 3}}}, "small.unseen.l.letters"),
        (
            {"augment_test": True, "unseen": {"l": {"source": "letters"}}},
            "small.unseen: further test sets are not augmented",
        ),
    ],
)
def test_a_study_with_sets_that_do_not_fit_is_refused(sets, line):
    with refused(f"datasets.{line}"):
        load_study(deep_merge(BASE, {"datasets": {"small": sets}}), SCHEMA)


@pytest.mark.parametrize(
    ("trained", "kind", "other", "line"),
    [
        ("cifar10", "shifted", {"source": "cifar100"}, "classes apple, aquarium_fish, baby, bear,"),
        ("cifar10", "unseen", {"source": "cifar10"}, "classes airplane, automobile, bird, cat,"),
        ("cifar100", "unseen", {"source": "cifar100", "classes": ["wolf"]}, "class wolf is of the"),
        ("circles", "unseen", {"source": "circles"}, "classes outer, inner are of the data set,"),
        ("letters", "shifted", {"source": "digits", "classes": [7]}, "class 7 is not of the data"),
    ],
)
def test_classes_of_a_source_that_are_known_are_compared_before_a_run(trained, kind, other, line):
    study = {**BASE, "datasets": {"small": {"source": trained, kind: {"far": other}}}}
    with refused(f"datasets.small.{kind}.far: {line}", "classes"):
        load_study(study, SCHEMA)


def test_sets_whose_classes_fit_are_no_fault_before_a_run():
    far = {"unseen": {"far": {"source": "cifar100"}}, "shifted": {"less": {"source": "cifar10"}}}
    study = load_study({**BASE, "datasets": {"small": {"source": "cifar10", **far}}}, SCHEMA)
    assert len(study.other_sets) == 2


def test_names_of_classes_are_those_that_the_sources_give():
    given = {
        "digits": component("dataset", "digits")(None),
        "digit_styles": styled("thick"),
        "letters": component("dataset", "letters")(None),
        "circles": component("dataset", "circles")(None),
    }
    assert {name: found.classes for name, found in given.items()} == {
        name: CLASSES[name] for name in given
    }
    assert {name: len(CLASSES[name]) for name in CLASSES.keys() - given} == {
        "cifar10": 10,
        "cifar100": 100,
    }


def test_recordings_have_no_further_sets():
    sounds = {"source": "synthetic_scenes", "unseen": {"l": {"source": "letters"}}}
    study = {**BASE, "datasets": {"sounds": sounds}}
    with refused("datasets.sounds.unseen: recordings have none", "domains"):
        load_study(study, SCHEMA)


def test_unseen_classes_can_be_the_rest_of_a_source():
    some = {"classes": [0, 1], "unseen": {"rest": {"source": "digits", "classes": [2, 3]}}}
    study = load_study(deep_merge(BASE, {"datasets": {"small": some}}), SCHEMA)
    assert study.other_sets == [("small", "unseen", "rest")]
    assert other_part(study, "small", "unseen", "rest") == {"test": None, "classes": ["2", "3"]}


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8)).save(path)


def test_a_folder_need_have_no_training_split_and_is_checked_before_a_run(tmp_path):
    for split in ("train", "test"):
        picture(tmp_path / "pets" / split / "cat" / "1.png")
        picture(tmp_path / "pets" / split / "dog" / "1.png")
    picture(tmp_path / "sketch" / "cat" / "1.png")
    found = image_folder.load_test(tmp_path, "sketch")
    assert (found.classes, len(found.test)) == (("cat",), 1)
    both = image_folder.load_test(tmp_path, "pets")
    assert (both.classes, len(both.test)) == (("cat", "dog"), 2)

    def faults(**kinds):
        pets = {"source": "image_folder", "path": "pets", **kinds}
        study = {**BASE, "data_dir": str(tmp_path), "datasets": {"pets": pets}}
        return missing_files(load_study(study, SCHEMA))

    sketch, none = ({"source": "image_folder", "path": path} for path in ("sketch", "none"))
    assert faults(shifted={"sketch": sketch}) == []
    assert ["class cat is of the data set" in line for line in faults(unseen={"s": sketch})] == [
        True
    ]
    assert ["shifted.s.path" in line for line in faults(shifted={"s": none})] == [True]


def test_further_sets_are_predicted_by_each_network_of_a_condition():
    torch.manual_seed(0)
    models = [torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 2)) for _ in range(2)]
    inputs = torch.rand(6, 1, 8, 8)
    split = Split(inputs[:4], torch.tensor([0, 1, 0, 1]))
    members = [Member(model, {"seed": str(i)}, "x", None) for i, model in enumerate(models)]
    others = [OtherSet("unseen", "far", inputs[4:], torch.tensor([-1, -1]))]
    evaluated, _ = evaluate(
        members, Dataset(split, split, ("a", "b")), "x", [], others, None, torch.device("cpu")
    )
    for (predictions, _), model in zip(evaluated, models, strict=True):
        expected = model(inputs[4:]).detach().numpy()
        assert predictions.others["unseen/far"].logits == pytest.approx(expected)
