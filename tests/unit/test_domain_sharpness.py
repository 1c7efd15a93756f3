"""Sharpness on the training data of each domain, and training on some of the domains."""

from dataclasses import replace

import pytest
import torch
from study_cases import study

from minimascope import own_parts, registry
from minimascope.data.part import part_of
from minimascope.data.prepared import Dataset, Split
from minimascope.errors import InputError
from minimascope.finished import FinishedParts
from minimascope.networks import NetworkSpec, initialise
from minimascope.sharpness import landscape
from minimascope.sharpness.family import FamilySpec, measure_family

CPU = torch.device("cpu")
SETTINGS = {
    "forward": {"published": True, "published_share": 1.0},
    "perturbation": {"radius": 0.05, "samples": 3, "published": False, "adaptive": None},
    "landscape": {"points": 3, "line_points": 3, "direction_seeds": [1, 2]},
}


def recordings(cities=True):
    """Twelve training samples of the devices A (6), B (4) and C (2), and six to test."""
    draws = torch.Generator().manual_seed(0)
    domains = torch.tensor([0] * 6 + [1] * 4 + [2] * 2)
    labels = torch.tensor([0, 1] * 6)
    towns = torch.tensor([0, 0, 1] * 4) if cities else None
    train = Split(torch.randn(12, 1, 8, 8, generator=draws), labels, domains, towns)
    test_domains = torch.tensor([0, 0, 1, 2, 3, 3])
    test = Split(torch.randn(6, 1, 8, 8, generator=draws), labels[:6], test_domains)
    return Dataset(
        train,
        test,
        ("quiet", "loud"),
        ("A", "B", "C", "S4"),
        (True, True, True, False),
        ("lyon", "paris") if cities else (),
    )


@pytest.fixture(scope="module")
def model():
    spec = NetworkSpec("mlp", 1, (8, 8), 2, options={"hidden_layers": 1})
    return initialise(spec, 0).eval()


def measured(model, dataset, family, finished=None, by_domain=False):
    spec = FamilySpec(family, SETTINGS[family], "clean", None, 0.0, 0.0, by_domain)
    return measure_family(model, dataset, 7, CPU, spec, finished)[0]


@pytest.mark.parametrize("family", SETTINGS)
def test_sharpness_of_a_domain_is_that_of_a_data_set_with_its_samples_alone(model, family):
    dataset = recordings()
    found = measured(model, dataset, family, by_domain=True)
    rows = found.details["domains"]
    assert {(row["kind"], row["name"]) for row in rows} == {
        *(("domain", name) for name in "ABC"),
        *(("city", name) for name in ("lyon", "paris")),
    }
    for kind, names in (("domains", dataset.domains[:3]), ("cities", dataset.cities)):
        members = getattr(dataset.train, kind)
        for index, name in enumerate(names):
            own = dataset.train.rows((members == index).nonzero()[:, 0])
            alone = Dataset(own, dataset.test, dataset.classes)
            expected = {m.measure: m for m in measured(model, alone, family).measurements}
            of_place = [row for row in rows if row["name"] == name]
            assert of_place
            for row in of_place:
                assert row["value"] == pytest.approx(expected[row["measure"]].value, rel=1e-6)
                assert row["n"] == expected[row["measure"]].n == len(own)
                assert row["protocol"] == "corrected"


def test_the_whole_data_are_measured_as_without_domains(model):
    for family in SETTINGS:
        plain, by_domain = (
            measured(model, recordings(), family, by_domain=each) for each in (False, True)
        )
        assert plain.measurements == by_domain.measurements
        assert plain.arrays.keys() == by_domain.arrays.keys()
        assert "domains" not in plain.details


@pytest.fixture
def own(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("def doubled(*, domains):\n    return 2 * domains\n", encoding="utf-8")
    own_parts.use(path)
    yield "doubled"
    own_parts.use(None)


def test_a_measure_of_the_users_own_may_have_a_setting_named_domains(model, own, monkeypatch):
    monkeypatch.setitem(SETTINGS, own, {"domains": 3})
    found = measured(model, recordings(), own)
    assert [m.value for m in found.measurements] == [6]
    assert "domains" not in found.details


def test_the_losses_of_domains_average_to_that_of_all(model):
    found = measured(model, recordings(), "forward", by_domain=True)
    [whole] = [m.value for m in found.measurements if m.measure == "train_loss"]
    for kind in ("domain", "city"):
        rows = [r for r in found.details["domains"] if r["measure"] == "train_loss"]
        rows = [row for row in rows if row["kind"] == kind]
        assert sum(row["n"] for row in rows) == 12
        mean = sum(row["value"] * row["n"] for row in rows) / 12
        assert mean == pytest.approx(whole)


def test_without_cities_there_are_domains_alone(model):
    found = measured(model, recordings(cities=False), "forward", by_domain=True)
    assert {row["kind"] for row in found.details["domains"]} == {"domain"}


def test_a_domain_with_one_sample_has_no_relative_flatness(model):
    whole = recordings(cities=False)
    lonely = replace(whole.train, domains=torch.tensor([0] * 11 + [1]))
    found = measured(model, replace(whole, train=lonely), "forward", by_domain=True)
    flat = [r for r in found.details["domains"] if r["measure"] == "relative_flatness"]
    assert [(row["name"], row["n"]) for row in flat] == [("A", 11)]


def test_training_on_some_domains_keeps_their_samples_and_the_whole_test_split():
    whole = recordings()
    part = part_of(whole, None, None, train_domains=["B", "C"])
    kept = whole.train.domains > 0
    assert torch.equal(part.train.inputs, whole.train.inputs[kept])
    assert torch.equal(part.train.cities, whole.train.cities[kept])
    assert torch.equal(part.test.inputs, whole.test.inputs)
    assert part.domains == whole.domains
    assert part.seen == (False, True, True, False)
    assert part_of(whole, None, None, train_domains=["A", "B", "C"]).seen == whole.seen


def test_a_study_hands_on_its_domains_under_the_names_of_the_function():
    sounds = {"source": "audio_folder", "table": "mine.csv", "train_domains": ["A", 1]}
    spec = study(datasets={"sounds": sounds}).part_spec("sounds")
    assert spec["train_domains"] == ["A", "1"]
    assert part_of(recordings(), **spec | {"train_domains": ["A"]}).seen == (True, *(False,) * 3)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["S4"], "no training sample of domain 'S4'; valid: A, B, C"),
        (["D"], "no training sample of domain 'D'"),
    ],
)
def test_domains_without_training_samples_are_refused(names, message):
    with pytest.raises(InputError, match=message):
        part_of(recordings(), None, None, train_domains=names)


def test_domains_that_lack_a_class_are_refused():
    whole = recordings()
    labels = torch.where(whole.train.domains == 2, 0, whole.train.labels)
    train = Split(whole.train.inputs, labels, whole.train.domains)
    dataset = Dataset(train, whole.test, whole.classes, whole.domains, whole.seen)
    with pytest.raises(InputError, match="no training sample of class 'loud'"):
        part_of(dataset, None, None, train_domains=["C"])
    plain = Dataset(Split(train.inputs, labels), whole.test, whole.classes)
    with pytest.raises(InputError, match="the data have no domains"):
        part_of(plain, None, None, train_domains=["C"])


# All clips, three devices and two cities are measured one after another.
@pytest.mark.parametrize("family", ["forward", "perturbation"])
@pytest.mark.parametrize("before", [1, 3, 5])
def test_other_families_continue_with_the_next_domain(model, family, before, tmp_path, monkeypatch):
    function, computed = registry.SHARPNESS[family].load(), []
    expected = measured(model, recordings(), family, by_domain=True)

    def call(self, given, **settings):
        if len(computed) == most:
            raise InterruptedError
        computed.append(1)
        return function(subject=given["subject"], generator=given["generator"], **settings)

    monkeypatch.setattr(registry.Family, "call", call)
    monkeypatch.setattr("minimascope.state_file.LARGEST_OVERHEAD", float("inf"))
    path, most = tmp_path / "parts.safetensors", before
    with pytest.raises(InterruptedError):
        measured(model, recordings(), family, FinishedParts(path, {}, CPU), by_domain=True)
    computed.clear()
    most = 100
    found = measured(model, recordings(), family, FinishedParts(path, {}, CPU), by_domain=True)
    assert len(computed) == 6 - before
    assert found.measurements == expected.measurements
    assert found.details == expected.details


# All clips, three devices and two cities have two surfaces each; all clips have lines besides.
@pytest.mark.parametrize("surfaces", range(1, 14))
def test_landscapes_of_domains_continue_where_they_were_interrupted(
    model, surfaces, tmp_path, monkeypatch
):
    dataset, real, computed = recordings(), landscape.loss_surface, []
    expected = measured(model, dataset, "landscape", by_domain=True)

    def interrupted(*arguments):
        if len(computed) == surfaces:
            raise InterruptedError
        computed.append(real(*arguments))
        return computed[-1]

    monkeypatch.setattr("minimascope.state_file.LARGEST_OVERHEAD", float("inf"))
    path = tmp_path / "landscape.checkpoint.safetensors"
    with monkeypatch.context() as patched:
        patched.setattr(landscape, "loss_surface", interrupted)
        with pytest.raises(InterruptedError):
            measured(model, dataset, "landscape", FinishedParts(path, {}, CPU), by_domain=True)
    computed.clear()
    surfaces, before = 100, surfaces
    monkeypatch.setattr(landscape, "loss_surface", interrupted)
    found = measured(model, dataset, "landscape", FinishedParts(path, {}, CPU), by_domain=True)
    assert found.measurements == expected.measurements
    assert found.details == expected.details
    for name, values in expected.arrays.items():
        assert (found.arrays[name] == values).all()
    # A pair of all clips that has no line yet is computed as a whole.
    kept = before if before >= 4 else before // 2 * 2
    assert len(computed) == 14 - kept
