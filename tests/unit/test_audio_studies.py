"""Studies of recordings: what comes with the workflow, and what a configuration may say."""

from collections import Counter
from itertools import product
from types import SimpleNamespace

import pytest
from study_cases import published_study, refusal, study

from minimascope.data import download
from minimascope.data.corruptions.sound_severities import KINDS, STRENGTHS
from minimascope.data.download import space_for_downloads
from minimascope.data.official import DCASE2020, RemoteFile, official_file
from minimascope.data.scenes.layout import folds
from minimascope.errors import InputError
from minimascope.study import products
from minimascope.study.checks import TRAINING_DEVICES
from minimascope.study.corruptions import (
    corrupted_datasets,
    corrupted_set,
    corruption_kinds,
    corruption_names,
    corruption_spec,
)
from minimascope.study.raw_data import missing_files
from minimascope.study.remarks import remarks

SOUNDS = {"sounds": {"source": "audio_folder", "table": "mine.csv"}}


def sounds(**changes):
    """The small study with recordings beside its images."""
    datasets = {"datasets": {"sounds": SOUNDS["sounds"] | changes.pop("dataset", {})}}
    return study(**datasets, **changes)


def test_the_grid_of_acoustic_scenes_is_that_of_the_paper():
    loaded = published_study("acoustic_scenes")
    cells = set()
    for condition in loaded.conditions:
        spec = loaded.training["dcase2020", condition]
        optimizer = spec["optimizer"]
        cells.add((optimizer["name"], optimizer["lr"], spec["batch_size"]))
        assert (spec["epochs"], spec["schedule"]["name"]) == (50, "constant")
    expected = product(("sgd", "adam", "kfac", "gdtuo"), (1e-3, 1e-4, 1e-5), (16, 32))
    assert cells == set(expected)
    assert len(loaded.conditions) == len(cells)
    assert loaded.seeds == [42, 43]
    # Those of the paper, and a third architecture.
    assert [network for _, network in loaded.pairs] == ["cnn10", "cnn14", "resnet18"]
    assert loaded.training["dcase2020", "sgd"]["optimizer"]["momentum"] == 0.9


def test_landscapes_of_acoustic_scenes_have_the_papers_three_pairs_and_twelve_of_them_ten():
    loaded, counts = published_study("acoustic_scenes"), Counter()
    for (dataset, network), condition, seed in product(
        loaded.pairs, loaded.conditions, loaded.seeds
    ):
        run = {"network": network, "condition": condition, "seed": seed}
        settings = loaded.settings_of("landscape", dataset, **run)
        assert settings["direction_seeds"] == [42, 43, 44]
        assert settings["points"] == 11
        counts[3 + len(settings.get("more_direction_seeds", ()))] += 1
    assert counts == {3: 132, 10: 12}


def test_the_controls_of_acoustic_scenes_start_from_a_network_of_its_grid():
    grid, controls = map(published_study, ("acoustic_scenes", "acoustic_scenes_controls"))
    cell = grid.training["dcase2020", "adam-batch_size32-lr0.0001"]
    assert controls.training["dcase2020", "baseline"] == cell
    names = ("baseline", "weight_decay", "spec_augment")
    expected = [f"{name}{sam}" for name in names for sam in ("", "_sam")]
    assert sorted(controls.conditions) == sorted([*expected, "device_balanced"])
    networks = [network for dataset, network in controls.pairs if dataset == "dcase2020"]
    assert networks == ["cnn10", "resnet18", "vit", "crnn"]


def test_the_study_of_the_learning_rate_varies_nothing_else():
    loaded = published_study("acoustic_scenes_learning_rate")
    specs = [loaded.training["dcase2020", name] for name in loaded.conditions]
    rates = sorted(spec["optimizer"]["lr"] for spec in specs)
    assert rates == [1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2]
    others = [{**spec, "optimizer": {**spec["optimizer"], "lr": None}} for spec in specs]
    assert all(other == others[0] for other in others)


def test_the_features_of_acoustic_scenes_are_those_of_the_paper_and_the_default():
    features = published_study("acoustic_scenes").features_spec("dcase2020")
    expected = {
        "sample_rate": 16000,
        "mels": 64,
        "n_fft": 512,
        "hop_length": 160,
        "f_min": 50.0,
        "f_max": 8000.0,
        "seconds": None,
        "mixed_rates": False,
    }
    assert features == expected
    assert sounds().features_spec("sounds") == expected


def test_the_small_study_of_scenes_has_two_networks_four_optimisers_and_two_learning_rates():
    loaded = published_study("synthetic_scenes")
    specs = [loaded.training["scenes", name]["optimizer"] for name in loaded.conditions]
    cells = [(spec["name"], spec["lr"]) for spec in specs]
    assert len(set(cells)) == len(cells) == 8
    assert len({lr for _, lr in cells}) == 2
    networks = [network for dataset, network in loaded.pairs if dataset == "scenes"]
    assert len(networks) == len(loaded.seeds) == 2


@pytest.mark.parametrize(
    ("name", "whole"), [("synthetic_scenes", "scenes"), ("acoustic_scenes_controls", "dcase2020")]
)
def test_a_network_is_trained_without_device_a_on_the_same_recordings(name, whole):
    loaded = published_study(name)
    assert loaded.references == {"without_a": whole}
    assert loaded.source_spec("without_a") == loaded.source_spec(whole)
    assert loaded.part_spec("without_a")["train_domains"] == ["B", "C", "S1", "S2", "S3"]
    # The whole has the params of before there was a choice.
    assert loaded.part_spec(whole) == {"train": None, "test": None}
    assert ("without_a", "cnn10") in loaded.pairs
    for dataset in (whole, "without_a"):
        assert loaded.families_by_domain(dataset) == ["landscape"]
        assert "by_domain" not in loaded.settings_of("landscape", dataset)
    assert {"domain_sharpness", "train_domains"} <= products.tables(loaded).keys()


def test_of_several_parts_the_reference_is_the_one_with_most_domains():
    sounds = {"source": "audio_folder", "table": "mine.csv"}
    datasets = {
        "few": sounds | {"train_domains": ["A"]},
        "more": sounds | {"train_domains": ["A", "B"]},
        "another": sounds | {"table": "other.csv"},
    }
    loaded = study(datasets=datasets)
    assert loaded.references == {"few": "more"}
    tables = products.tables(loaded)
    assert "train_domains" in tables
    assert "domain_sharpness" not in tables
    assert "domain_measures" in products.gathered(loaded)


@pytest.mark.parametrize(
    ("whole", "part"),
    [
        # The same number of domains, of which neither has all of the other's.
        ({"train_domains": ["A"]}, {"train_domains": ["B"]}),
        ({"train_domains": ["A", "B"]}, {"train_domains": ["C"]}),
        ({"train_domains": ["A", "B"]}, {"train_domains": ["B", "A"]}),
        # A part in other respects alone, and in others as well.
        ({}, {"classes": ["airport", "bus"]}),
        ({}, {"training": {"epochs": 1}}),
        ({}, {"train_domains": ["A"], "classes": ["airport", "bus"]}),
        ({}, {"train_domains": ["A"], "train_samples": 90}),
        ({}, {"train_domains": ["A"], "test_samples": 90}),
        ({}, {"train_domains": ["A"], "augment_test": True}),
        ({}, {"train_domains": ["A"], "training": {"epochs": 1}}),
        ({}, {"train_domains": ["A"], "conditions": {"sam": {"epochs": 1}}}),
        ({}, {"train_domains": ["A"], "features": {"mels": 32}}),
        ({}, {"train_domains": ["A"], "sharpness": {"perturbation": {"radius": 0.1}}}),
    ],
)
def test_a_data_set_that_differs_in_more_than_its_domains_has_no_reference(whole, part):
    datasets = {"whole": SOUNDS["sounds"] | whole, "part": SOUNDS["sounds"] | part}
    assert study(datasets=datasets).references == {}


def test_what_is_alike_may_be_said_in_other_words():
    part = {"train_domains": ["A"], "training": {"epochs": 5}, "corrupted": "generated"}
    others = {"networks": ["vgg"], "sharpness": {"forward": {"by_domain": True}}}
    datasets = {"part": SOUNDS["sounds"] | part | others, "whole": SOUNDS["sounds"]}
    assert study(datasets=datasets).references == {"part": "whole"}


@pytest.mark.parametrize("name", ["acoustic_scenes_controls", "spoken_digits"])
def test_conditions_on_recordings_are_sam_weight_decay_masks_and_balanced_domains(name):
    loaded = published_study(name)
    dataset, *_ = loaded.config["datasets"]
    specs = [loaded.training[dataset, condition] for condition in loaded.conditions]
    assert any(spec["sam"] for spec in specs)
    assert any(spec["optimizer"]["weight_decay"] for spec in specs)
    assert any(spec["augment"] and spec["augment"]["time_masks"] for spec in specs)
    assert any(spec["sampling"] == "domain_balanced" for spec in specs)


def test_recordings_have_corrupted_copies_where_a_study_asks_for_them():
    loaded = sounds()
    assert corrupted_set(loaded, "sounds") == "none"
    assert corrupted_set(loaded, "small") == "generated"
    assert corruption_names(loaded, "sounds") == []
    assert "sounds" not in corrupted_datasets(loaded)
    asked = sounds(dataset={"corrupted": "generated"})
    assert corruption_names(asked, "sounds") == list(STRENGTHS)
    assert list(corruption_kinds(asked, "sounds")) == list(KINDS)
    assert corrupted_datasets(asked) == [*corrupted_datasets(loaded), "sounds"]
    # Images keep theirs.
    assert corruption_names(asked, "small") == corruption_names(loaded, "small")
    wanted = {"corruptions": {"names": ["fog", "gain", "pink_noise"], "severities": [2, 4]}}
    mixed = sounds(dataset={"corrupted": "generated"}, evaluation=wanted)
    assert corruption_names(mixed, "small") == ["fog"]
    assert corruption_kinds(mixed, "sounds") == {"background": ["pink_noise"], "channel": ["gain"]}
    spec = {"names": ["gain"], "set": "generated", "severities": [2, 4], "samples": None}
    assert corruption_spec(mixed, "sounds", "channel") == spec


@pytest.mark.parametrize("settings", [{"samples": 9}, {"severities": [1]}])
def test_corruptions_that_are_set_and_made_for_no_recording_are_refused(settings):
    alone = {
        "datasets": dict.fromkeys(("small", "large"), SOUNDS["sounds"]),
        "evaluation": {"corruptions": settings},
    }
    assert refusal(**alone) == (
        "evaluation.corruptions: no data set has corrupted copies; set datasets.small.corrupted to"
        " generated, or leave it out"
    )
    # Who says none has them switched off.
    off = {name: SOUNDS["sounds"] | {"corrupted": "none"} for name in alone["datasets"]}
    assert corrupted_datasets(study(**alone | {"datasets": off})) == []
    named = {"corruptions": {"names": ["gain"]}}
    assert corrupted_datasets(study(datasets=off, evaluation=named)) == []


def test_corrupted_copies_that_are_asked_for_and_switched_off_have_a_note():
    asked = sounds(dataset={"corrupted": "generated"}, evaluation={"corruptions": None})
    for loaded, notes in ((asked, 1), (sounds(evaluation={"corruptions": None}), 0)):
        said = [line for line in remarks(loaded) if "corrupted" in line]
        assert len(said) == notes
    assert next(remarks(asked)) == (
        "note: datasets.sounds.corrupted: generated does nothing, since evaluation.corruptions is"
        " null; leave one of them out"
    )


@pytest.mark.parametrize("name", ["synthetic_scenes", "spoken_digits"])
def test_small_studies_of_recordings_have_a_corruption_accuracy(name):
    loaded = published_study(name)
    dataset, *_ = loaded.config["datasets"]
    assert len(corruption_names(loaded, dataset)) == len(STRENGTHS)
    assert "corruptions" in products.figures(loaded)
    assert "corrupted_samples" in products.dataset_figures(loaded, dataset)
    assert {"corruptions", "ensembles"} <= products.tables(loaded).keys()


def test_the_job_that_lists_recordings_depends_on_no_feature():
    spec = sounds(dataset={"features": {"mels": 40}, "train_samples": 30}).source_spec("sounds")
    assert spec == {
        "source": "audio_folder",
        "table": "mine.csv",
        "path": None,
        "domain_column": "domain",
    }


def test_figures_of_domains_and_optimisers_are_drawn_where_there_is_something_to_see():
    small = published_study("synthetic_scenes")
    assert set(products.dataset_figures(small, "scenes")) == {
        "outcomes",
        "sharpness_accuracy",
        "trends",
        "hyperparameters",
        "variance_shares",
        "domains",
        "domain_correlations",
        "stability",
        "corrupted_samples",
        "ensembles",
    }
    assert products.dataset_figures(sounds(), "small") == [
        "outcomes",
        "sharpness_accuracy",
        "trends",
        "corrupted_samples",
    ]
    assert products.dataset_figures(sounds(), "sounds") == [
        "outcomes",
        "sharpness_accuracy",
        "trends",
        "domains",
        "domain_correlations",
    ]


def test_without_lines_there_is_no_figure_of_them():
    assert "landscape_lines" not in products.figures(published_study("synthetic_scenes"))
    assert "landscape_lines" in products.figures(published_study("digits_sharpness"))


def test_the_official_recordings_are_those_of_the_second_version():
    assert len(DCASE2020) == 17
    assert sum(file.size for file in DCASE2020 if ".audio." in file.name) == 27_364_584_942
    assert len({file.checksum for file in DCASE2020}) == 17
    assert all("/records/3819968/files/" in file.urls[0] for file in DCASE2020)
    assert official_file(DCASE2020[3].name) is DCASE2020[3]


def test_before_a_download_its_size_is_told_and_a_full_disk_stops_it(tmp_path, monkeypatch):
    files = [RemoteFile(f"{i}.zip", "f", (), 1_500_000_000, "md5:0") for i in range(3)]
    folder = tmp_path / "not" / "yet"

    def free(size):
        usage = SimpleNamespace(free=size)
        monkeypatch.setattr(download.shutil, "disk_usage", lambda path: usage)

    free(5_000_000_000)
    assert space_for_downloads(files, folder) == (
        f"4.5 GB (3 files) are to be downloaded to {folder}, which has 5.0 GB of free space"
    )
    free(4_000_000_000)
    with pytest.raises(InputError, match=r"data_dir: .* 4\.0 GB of free space, and 4\.5 GB"):
        space_for_downloads(files, folder)


def test_what_an_interrupted_download_left_is_not_counted_again(tmp_path):
    (tmp_path / ".0.zip.part").write_bytes(bytes(40_000_000))
    files = [RemoteFile(f"{i}.zip", "f", (), 120_000_000, "md5:0") for i in range(2)]
    assert space_for_downloads(files, tmp_path).startswith("0.2 GB (2 files)")


@pytest.mark.parametrize("source", ["dcase2020", "synthetic_scenes"])
@pytest.mark.parametrize("name", ["D", "a", "S4"])
def test_domains_without_training_recordings_are_refused_before_any_file_is_there(source, name):
    line = refusal(datasets={"scenes": {"source": source, "train_domains": ["A", name]}})
    assert line.startswith(f"datasets.scenes.train_domains: no training domain '{name}'; ")


def test_devices_of_training_are_those_of_the_generated_scenes():
    train, _ = folds(9)
    assert {recording.device.upper() for recording in train} == set(TRAINING_DEVICES)


def test_a_domain_that_a_table_has_no_training_recordings_of_is_told_before_a_run(tmp_path):
    lines = ["filename,label,domain,split,seen"]
    for split, label, domain in product(("train", "test"), "xy", ("1", "2", "3")):
        if (split, domain) != ("train", "3"):
            name = f"{split}{label}{domain}.wav"
            (tmp_path / name).write_bytes(b"RIFF")
            lines.append(f"{name},{label},{domain},{split},{str(domain != '3').lower()}")
    (tmp_path / "mine.csv").write_text("\n".join(lines), encoding="utf-8")
    sounds = {"source": "audio_folder", "table": str(tmp_path / "mine.csv")}

    def faults(domains):
        return missing_files(study(datasets={"scenes": sounds | {"train_domains": domains}}))

    assert not [line for line in faults([1]) if "scenes" in line]
    [line] = [line for line in faults(["1", 3]) if "scenes" in line]
    assert line.startswith("datasets.scenes.train_domains: no training recording of domain '3'; ")
