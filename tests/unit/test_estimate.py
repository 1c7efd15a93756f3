"""How long a run will take, before any of its jobs has finished."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from study_cases import study

from minimascope.jobs import estimate
from minimascope.jobs.estimate import (
    Machine,
    Speed,
    forecast,
    keep_expected,
    kept_expected,
    timed,
    work_of,
)
from minimascope.study.corruptions import corruption_names
from minimascope.study.loading import deep_merge
from minimascope.study.sizes import Size, counted_size, known_size

SMALL = {
    "datasets": {"small": {"train_size": 100}, "large": {"source": "digits"}},
    "networks": {"resnet": {"architecture": "vit"}, "vgg": {"architecture": "vit"}},
    "sharpness": {"perturbation": {"samples": 50, "published": False}},
    "evaluation": {"network_ensembles": ["resnet", "vgg"]},
}


def job(rule: str, seconds: float | None = None, folder=None, **wildcards: str) -> SimpleNamespace:
    benchmark = None
    if seconds is not None:
        benchmark = folder / f"{rule}.tsv"
        benchmark.write_text(f"s\th:m:s\n{seconds}\t0:00:00\n")
    return SimpleNamespace(
        rule=SimpleNamespace(name=rule, resources={"gpu": 1} if rule == "train" else {}),
        benchmark=benchmark,
        wildcards_dict=wildcards,
    )


TRAIN = {"dataset": "small", "network": "resnet"}


@pytest.fixture
def speed(monkeypatch: pytest.MonkeyPatch) -> Speed:
    """A machine that starts a process in 2 s, trains an input in 1 ms and predicts it in 0.1 ms."""
    small = study(**SMALL)
    found = Speed(
        2.0,
        {(d, n, "sgd", None): (1e-3, 1e-4) for d, n in small.pairs},
        {dataset: known_size(small, dataset) for dataset in ("small", "large")},
    )
    monkeypatch.setattr(estimate, "timed", lambda study: found)
    return found


def seconds(rule: str, **wildcards: str) -> float:
    found = forecast(study(**SMALL), Machine(1, 0), [job(rule, **wildcards)], [])
    return found.seconds[" ".join([rule, *wildcards.values()])]


def test_a_training_takes_its_epochs_times_its_samples_and_twice_that_with_sam(speed):
    assert seconds("train", **TRAIN, condition="baseline") == pytest.approx(2 + 5 * 100 * 1e-3)
    assert seconds("train", **TRAIN, condition="sam") == pytest.approx(2 + 2 * 5 * 100 * 1e-3)


def test_groups_of_a_batch_take_as_long_as_batches_of_their_size(speed):
    changed = study(**SMALL | {"conditions": {"sam": {"sam": {"rho": 0.05, "group_size": 5}}}})
    slower = {(*key[:3], 5): (3e-3, 1e-4) for key in speed.per_sample}
    grouped = replace(speed, per_sample=speed.per_sample | slower)
    found = work_of(changed, grouped, "train", TRAIN | {"condition": "sam"})
    assert found == pytest.approx(2 + 2 * 5 * 100 * 3e-3)


def test_attacks_take_their_passes_in_training_and_in_evaluation(speed):
    attacks = {"radii": {"linf": ["8/255"]}, "samples": 100, "bisections": 0, "losses": ["ce"]}
    robust = {"sam": {"rho": 0.05}, "adversarial": {"radius": 0.1, "steps": 3}}
    changes = {
        "conditions": {"robust": robust},
        "evaluation": {"adversarial": attacks | {"attack": "pgd", "steps": 9}},
    }
    loaded = study(**deep_merge(SMALL, changes))
    wanted = [job(rule, **TRAIN, condition="robust") for rule in ("train", "attack")]
    found = forecast(loaded, Machine(1, 0), wanted, []).seconds
    training, attack = (found[f"{rule} small resnet robust"] for rule in ("train", "attack"))
    assert training == pytest.approx(2 + (2 + 3) * 5 * 100 * 1e-3)
    # Ten gradients, each of three predictions: of half of the samples at the radius and at the
    # largest one, and of all for the transfer.
    assert attack == pytest.approx(2 + (30 + 30) * 100 * 1e-4)


def test_measures_take_their_passes_and_evaluation_the_test_split_and_its_copies(speed):
    # 50 perturbations; what the families name is all that is measured.
    assert seconds("sharpness", **TRAIN, condition="sam") == pytest.approx(2 + 50 * 100 * 1e-4)
    small = study(**SMALL)
    config = small.config["evaluation"]["corruptions"]
    samples = 1797 - 100
    copies = len(corruption_names(small, "small")) * len(config["severities"])
    samples += copies * (config["samples"] or samples)
    assert seconds("evaluate", **TRAIN, condition="sam") == pytest.approx(2 + samples * 1e-4)
    # Both networks predict the copies together, and the test split is predicted already.
    together = 2 + 2 * (samples - 1797 + 100) * 1e-4
    wildcards = {"dataset": "small", "condition": "sam"}
    assert seconds("network_ensembles", **wildcards) == pytest.approx(together)
    assert seconds("collect") == 2


def test_measures_on_the_way_take_their_passes_at_each_moment_and_those_of_all_once(speed):
    along = {"forward": {}, "edge_of_stability": {"batches": 0}, "path": {"points": 3}}
    changes = {"training": {"keep": [0, 2]}, "sharpness": along | {"on": ["final", 2]}}
    changed = study(**deep_merge(SMALL, changes))
    where = {**TRAIN, "condition": "baseline", "view": ""}
    found = work_of(changed, speed, "trajectory", where)
    once = ("forward", "perturbation", "path")
    passes = sum(changed.passes(family, "small") for family in once)
    passes += 2 * changed.passes("edge_of_stability", "small")
    assert found == pytest.approx(2 + passes * 100 * 1e-4)


def test_passes_are_over_the_samples_that_are_measured_on(speed):
    where = {**TRAIN, "condition": "baseline", "view": ""}
    for samples, expected in ((20, 20), (1000, 100)):
        part = study(**deep_merge(SMALL, {"sharpness": {"samples": samples}}))
        found = work_of(part, speed, "sharpness", where)
        assert found == pytest.approx(2 + 50 * expected * 1e-4)


@pytest.mark.parametrize(
    ("batchnorm", "architecture", "passes"),
    [("reestimated", "resnet18", 2), ("reestimated", "vit", 1), ("interpolated", "resnet18", 1)],
)
def test_points_between_networks_take_a_pass_and_one_more_for_new_statistics(
    speed, batchnorm, architecture, passes
):
    lines = {"lines": [["baseline", "sam"]], "points": 11, "batchnorm": batchnorm}
    networks = {"resnet": {"architecture": architecture}}
    changes = {"networks": networks, "sharpness": {"interpolation": lines}}
    where = {"dataset": "small", "network": "resnet", "seed": "0"}
    found = work_of(study(**deep_merge(SMALL, changes)), speed, "interpolate", where)
    assert found == pytest.approx(2 + passes * 11 * 100 * 1e-4)


def test_no_more_samples_are_corrupted_than_there_are(speed):
    def evaluation(samples: int | None) -> float:
        corruptions = {"evaluation": {"corruptions": {"samples": samples}}}
        wanted = [job("evaluate", **TRAIN, condition="sam")]
        found = forecast(study(**deep_merge(SMALL, corruptions)), Machine(1, 0), wanted, [])
        return found.seconds["evaluate small resnet sam"]

    assert evaluation(10**6) == evaluation(None) > evaluation(100)


def test_corrupted_recordings_take_their_clips_times_their_copies():
    clips = {"source": "synthetic_scenes", "clips": 18, "seconds": 2.0, "corrupted": "generated"}
    names = ["gain", "low_pass", "white_noise", "fog"]

    def work(samples: int | None) -> float:
        evaluation = {"corruptions": {"names": names, "severities": [1, 2], "samples": samples}}
        loaded = study(datasets={"scenes": clips}, evaluation=evaluation)
        found = Speed(2.0, {}, {"scenes": known_size(loaded, "scenes")})
        kind = {"dataset": "scenes", "kind": "channel"}
        return estimate.work_of(loaded, found, "corrupt_recordings", kind)

    # Two corruptions of this kind at two severities, of sounds of two seconds.
    assert work(50) == pytest.approx(2 + 2 * 2 * 50 * 2 * 3e-3, rel=0.02)
    # There are ten scenes, nine devices and two clips of each.
    assert work(None) == work(10**6) == pytest.approx(2 + 2 * 2 * 180 * 2 * 3e-3, rel=0.02)


def test_networks_of_which_only_some_have_more_directions_take_their_mean(speed):
    more = {"direction_seeds": [5, 6, 7], "only": {"seeds": [0]}}
    landscape = {"points": 3, "line_points": 0, "direction_seeds": [1], "more_directions": more}
    both = study(**deep_merge(SMALL, {"seeds": [0, 1], "sharpness": {"landscape": landscape}}))
    for seeds in (("0", "1"), ("1", "0")):
        wanted = [job("landscape", **TRAIN, condition="sam", seed=seed) for seed in seeds]
        found = forecast(both, Machine(1, 0), wanted, wanted)
        # Nine points of one pair of directions, and of three further ones for one of the seeds.
        expected = 2 + 9 * (1 + 4) / 2 * 100 * 1e-4
        assert found.seconds == pytest.approx({"landscape small resnet sam": expected})


def test_records_of_earlier_runs_come_first_and_need_no_timing(tmp_path, monkeypatch):
    monkeypatch.setattr(estimate, "timed", lambda study: pytest.fail("timed for nothing"))
    jobs = [job("train", 40, tmp_path, **TRAIN, condition="baseline") for _ in range(3)]
    jobs.append(job("collect"))
    # Three of 40 s and one that computes little, two at once.
    found = forecast(study(**SMALL), Machine(2, 0), jobs, jobs)
    assert found.time == "about 61 s"
    found = forecast(study(**SMALL), Machine(2, 1), jobs, jobs[:3])
    # One GPU, so one training at a time.
    assert found.time == "about 2 min"
    found = forecast(study(**SMALL), Machine(2, 0, remote=True), jobs, jobs[:3])
    assert found.time == "about 2 min of computing"


def test_kinds_of_jobs_without_a_record_are_estimated_beside_those_that_have_one(speed, tmp_path):
    jobs = [job("train", 40, tmp_path, **TRAIN, condition="baseline", seed="0")]
    jobs += [job("train", **TRAIN, condition="sam", seed=seed) for seed in ("0", "1")]
    found = forecast(study(**SMALL), Machine(1, 0), jobs, jobs).seconds
    expected = {"train small resnet baseline": 40.0, "train small resnet sam": 3.0}
    assert found == pytest.approx(expected)


def test_what_a_run_expects_is_kept_for_those_who_ask(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert kept_expected("mine") == {}
    keep_expected("mine", {"train": 1.5})
    assert kept_expected("mine") == {"train": 1.5}
    assert kept_expected("other") == {}


def test_what_is_not_known_is_said(monkeypatch):
    monkeypatch.setattr(estimate, "timed", lambda study: None)
    jobs = [job("train", **TRAIN, condition="baseline")]
    found = forecast(study(**SMALL), Machine(2, 0), jobs, jobs)
    assert found.time == "the time is not known yet"
    assert found.warning.startswith("1 network of full width is to be trained on a CPU; use")
    assert forecast(study(**SMALL), Machine(2, 0), [job("toy_fits")], []).seconds == {}


def test_networks_of_full_width_on_a_cpu_are_warned_of_where_that_takes_long(speed):
    slow = {"training": {"epochs": 1_000_000}}
    names = [{"dataset": "small", "network": name} for name in ("resnet", "resnet", "vgg")]
    jobs = [job("train", **name, condition="baseline") for name in names]
    changed = study(**SMALL | slow)
    # 3 · 10⁶ · 100 · 1 ms = 83 h, by two at once.
    assert forecast(changed, Machine(2, 0), jobs, jobs).warning.startswith(
        "3 networks of full width are to be trained on a CPU, about 42 h; use smaller ones (width"
    )
    assert forecast(study(**SMALL), Machine(2, 0), jobs, jobs).warning == ""
    assert forecast(changed, Machine(2, 1), jobs, jobs).warning == ""
    assert forecast(changed, Machine(2, 0, remote=True), jobs, jobs).warning == ""
    width = {name: {"width": 0.5} for name in SMALL["networks"]}
    narrow = study(**deep_merge(SMALL, {"networks": width}) | slow)
    assert forecast(narrow, Machine(2, 0), jobs, jobs).warning == ""


def test_this_machine_is_timed_with_each_network():
    found = timed(study(**SMALL))
    assert set(found.per_sample) == {(d, n, "sgd", None) for d, n in study(**SMALL).pairs}
    assert 0 < found.start < 60
    assert all(0 < both < training < 1 for training, both in found.per_sample.values())


def test_what_torch_cannot_train_is_left_for_its_job_to_say():
    # Images of 8 × 8 pixels are too small for it.
    assert timed(study(datasets={"large": {"source": "digits"}})) is None


def test_sizes_are_those_of_the_part_that_is_used():
    changed = study(datasets={"small": {"train_size": 500, "test_samples": 50}})
    assert known_size(changed, "small") == Size(500, 50, 10, (1, 8, 8))
    assert known_size(changed, "large") == Size(50_000, 10_000, 10, (3, 32, 32))


def test_own_pictures_and_recordings_are_counted(tmp_path):
    for path in ("train/a/1.png", "train/a/2.png", "train/b/1.png", "test/a/3.png"):
        (tmp_path / "mine" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "mine" / path).touch()
    (tmp_path / "mine.csv").write_text("label,split\nx,train\ny,train\nz,test\n")
    changed = study(
        data_dir=str(tmp_path),
        datasets={
            "pictures": {"source": "image_folder", "path": "mine", "image_size": 16},
            "sounds": {
                "source": "audio_folder",
                "table": "mine.csv",
                "features": {"seconds": 0.5},
                "networks": ["resnet"],
            },
        },
    )
    assert counted_size(changed, "pictures") == Size(3, 1, 2, (3, 16, 16))
    at_most = deep_merge(
        dict(changed.config), {"datasets": {"pictures": {"train_samples": 2, "test_samples": 9}}}
    )
    fewer = replace(changed, config=at_most)
    assert counted_size(fewer, "pictures") == Size(2, 1, 2, (3, 16, 16))
    assert counted_size(changed, "sounds") == Size(2, 1, 3, (1, 64, 51))


def test_recordings_of_the_domains_of_training_are_counted(tmp_path):
    table = "label,split,device\nx,train,a\ny,train,a\nx,train,b\ny,train,7\nx,test,b\n"
    (tmp_path / "mine.csv").write_text(table)
    sounds = {"source": "audio_folder", "table": "mine.csv", "networks": ["resnet"]}
    sounds |= {"features": {"seconds": 0.5}, "domain_column": "device"}
    changed = study(
        data_dir=str(tmp_path), datasets={"sounds": {**sounds, "train_domains": ["a", 7]}}
    )
    assert counted_size(changed, "sounds").train == 3
    assert counted_size(changed, "sounds").test == 1
