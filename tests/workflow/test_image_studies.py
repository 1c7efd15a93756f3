"""A small published study on files in the official layouts: from archives to verdicts."""

import io
import json
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import safe_open
from small_study import ROOT, Project, made_once, study_with
from torchvision.models import resnet18

pytestmark = pytest.mark.workflow

TEST_IMAGES = 20
AUGMENTATION = {"augment": {"crop_padding": 2, "crop_fill": 128}}
PUBLISHED = study_with(
    {
        "seeds": [0],
        "datasets": {"cifar10": {"source": "cifar10", "corrupted": "cifar10_c"}},
        "conditions": {
            "baseline": {},
            "baseline_sam": {"sam": {"rho": 0.05}},
            "augmentation": AUGMENTATION,
        },
        "sweeps": {"rho": {"axes": {"training.sam.rho": [0.25]}, "conditions": ["baseline_sam"]}},
        "evaluation.corruptions": {"names": ["fog", "contrast"], "severities": [1, 5]},
        "sharpness.view": ["clean", "augmented"],
        "toy_functions": False,
        "published": {"datasets": {"cifar10": {"augment_test": True}}},
    }
)


def labels_of(n: int) -> np.ndarray:
    return np.arange(n) % 10


def pickled_batch(seed: int, n: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (n, 3072), dtype=np.uint8)
    return pickle.dumps({b"data": pixels, b"labels": labels_of(n).tolist()}, protocol=2)


def pack(path: Path, files: dict[str, bytes], mode: str) -> None:
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def array(values: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, values)
    return stream.getvalue()


def put_archives(data: Path, corrupted_labels: np.ndarray) -> None:
    data.mkdir(parents=True)
    batches = {f"data_batch_{i}": pickled_batch(i, 10) for i in range(1, 6)}
    batches["test_batch"] = pickled_batch(9, TEST_IMAGES)
    batches["batches.meta"] = pickle.dumps(
        {b"label_names": [f"class{i}".encode() for i in range(10)]}, protocol=2
    )
    files = {f"cifar-10-batches-py/{name}": content for name, content in batches.items()}
    pack(data / "cifar-10-python.tar.gz", files, "w:gz")
    draws = np.random.default_rng(0)
    arrays = {
        name: draws.integers(0, 256, (5 * TEST_IMAGES, 32, 32, 3), dtype=np.uint8)
        for name in ("fog", "contrast", "snow")
    }
    arrays["labels"] = corrupted_labels
    files = {f"CIFAR-10-C/{name}.npy": array(values) for name, values in arrays.items()}
    pack(data / "CIFAR-10-C.tar", files, "w:")


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Project:
    measures = "results/small-published/measures/cifar10/resnet18"
    evaluations = [f"{measures}/{c}/seed0/evaluation.json" for c in ("baseline", "augmentation")]

    def run(folder: Path) -> None:
        put_archives(folder / "data", np.tile(labels_of(TEST_IMAGES), 5))
        for protocol, targets in (("corrected", ["all"]), ("published", evaluations)):
            Project(ROOT, folder).finish(PUBLISHED | {"protocol": protocol}, "--", *targets)

    return Project(ROOT, made_once(tmp_path_factory, "published", run))


def table(project: Project, name: str) -> pd.DataFrame:
    return pd.read_csv(project.results(f"tables/{name}.csv"))


def document(project: Project, condition: str, name: str, study: str = "small") -> dict[str, Any]:
    run = f"measures/cifar10/resnet18/{condition}/seed0/{name}.json"
    return json.loads((project.folder / "results" / study / run).read_text())


def test_corruption_accuracy_is_that_on_the_published_set(published: Project):
    measures = table(published, "measures")
    rows = measures[measures.measure.str.startswith("corruption_accuracy")]
    assert set(rows.measure) == {"corruption_accuracy"}
    assert set(rows.n) == {TEST_IMAGES}
    details = document(published, "baseline", "evaluation")["details"]["corruptions"]
    assert [(row["corruption"], row["severity"], row["origin"]) for row in details] == [
        ("none", 0, "cifar10_c"),
        ("fog", 1, "cifar10_c"),
        ("fog", 5, "cifar10_c"),
        ("contrast", 1, "cifar10_c"),
        ("contrast", 5, "cifar10_c"),
    ]


def test_one_network_alone_is_its_own_ensemble_and_has_no_table_of_one(published: Project):
    path = published.results("measures/cifar10/resnet18/baseline/ensemble.json")
    together = json.loads(path.read_text(encoding="utf-8"))
    alone = document(published, "baseline", "evaluation")
    assert together["models"] == [alone["model"]]
    assert together["corruptions"] == alone["details"]["corruptions"]
    assert not published.results("tables/ensembles.csv").exists()


def test_every_published_cell_of_the_network_has_a_verdict(published: Project):
    cells = table(published, "agreement")
    source = ROOT / "resources" / "published"
    deep = pd.read_csv(source / "deep_models.csv")
    wanted = deep[(deep.dataset == "cifar10") & (deep.architecture == "resnet18")]
    others = ("sam_rho_sweep", "clean_views")
    assert len(cells) == len(wanted) + sum(len(pd.read_csv(source / f"{n}.csv")) for n in others)
    # A single seed disagrees with nobody.
    not_run = cells[(cells.verdict == "not run") & (cells.metric != "prediction_disagreement")]
    assert set(not_run.published_condition) == {
        "augmentation_sam",
        "weight_decay",
        "weight_decay_sam",
    }
    assert set(cells[cells.rho == 0.25].condition) == {"baseline_sam-rho0.25"}
    augmented = cells[
        (cells.published_condition == "augmentation") & (cells.metric == "fisher_rao_norm")
    ]
    assert set(augmented[augmented.published_view == "augmented"].view) == {"augmented"}
    assert "Spearman" in published.results("tables/agreement.md").read_text(encoding="utf-8")
    for figure in ("agreement", "sweep"):
        assert published.results(f"figures/cifar10/resnet18/{figure}.svg").exists()


def test_the_published_protocol_tests_augmented_images_in_a_study_of_its_own(published: Project):
    name = "small-published"
    assert document(published, "augmentation", "evaluation")["view"] == "clean"
    assert document(published, "augmentation", "evaluation", name)["view"] == "augmented"
    assert document(published, "baseline", "evaluation", name)["view"] == "clean"
    of_baseline, of_augmentation = (
        [
            document(published, condition, "evaluation", study)["measures"]
            for study in ("small", name)
        ]
        for condition in ("baseline", "augmentation")
    )
    assert of_baseline[0] == of_baseline[1]
    assert of_augmentation[0] != of_augmentation[1]
    # The copies of a corrupted set are taken as they are, and so is the accuracy on them.
    on_copies = [m for m in of_augmentation[1] if m["measure"] == "corruption_accuracy"]
    assert on_copies == [m for m in of_augmentation[0] if m["measure"] == "corruption_accuracy"]
    assert on_copies[0]["view"] == "clean"


def test_a_corrupted_set_with_other_labels_is_refused(project: Project):
    put_archives(project.folder / "data", np.tile(labels_of(TEST_IMAGES)[::-1], 5))
    target = "results/small/data/cifar10/corrupted/weather.safetensors"
    result = project.run(PUBLISHED, "--", target)
    assert result.returncode == 1
    lines = [line for line in result.stdout.splitlines() if "error: " in line]
    assert len(set(lines)) == 1
    assert "CIFAR-10-C.tar: labels.npy does not hold the labels of the test split" in lines[0]
    assert not (project.folder / target).exists()


def test_label_noise_reaches_training_and_sharpness_alike(project: Project):
    put_archives(project.folder / "data", np.tile(labels_of(TEST_IMAGES), 5))
    study = study_with(
        {
            "seeds": [0],
            "datasets": {"cifar10": {"source": "cifar10", "corrupted": "none"}},
            "training.epochs": 25,
            "training.batch_size": 10,
            "conditions": {"baseline": {"label_noise": 1.0}},
            "toy_functions": False,
        }
    )
    assert "corrupt" not in project.planned(study)
    run = "cifar10/resnet18/baseline/seed0"
    result = project.run(study, "--", f"results/small/measures/{run}/forward.json")
    assert result.returncode == 0, result.stdout
    history = pd.read_csv(project.results(f"models/{run}/history.csv"))
    found = document(project, "baseline", "forward")["measures"]
    accuracy = next(row["value"] for row in found if row["measure"] == "train_accuracy")
    # Fifty images are learnt by heart; with the true labels, accuracy would be a tenth.
    assert history.train_accuracy.iloc[-1] > 0.5
    assert accuracy > 0.5


def pretrained_study(**network: str) -> dict[str, Any]:
    return study_with(
        {
            "datasets": {"cifar10": {"source": "cifar10", "corrupted": "none"}},
            "networks": {"imagenet": {"architecture": "pretrained_resnet18", **network}},
        }
    )


def test_a_pretrained_network_starts_from_the_weights_of_a_file(project: Project):
    data = project.folder / "data"
    put_archives(data, np.tile(labels_of(TEST_IMAGES), 5))
    weights = resnet18(weights=None).state_dict()
    torch.save(weights, data / "mine.pth")
    target = "models/cifar10/imagenet/initial/seed0.safetensors"
    result = project.run(pretrained_study(weights="mine.pth"), "--", f"results/small/{target}")
    assert result.returncode == 0, result.stdout
    with safe_open(project.results(target), "pt") as tensors:
        assert torch.equal(tensors.get_tensor("body.conv1.weight"), weights["conv1.weight"])
        assert tensors.get_tensor("head.weight").shape == (10, 512)


def test_missing_weights_are_told_with_the_place_to_put_them(
    project: Project, monkeypatch: pytest.MonkeyPatch
):
    put_archives(project.folder / "data", np.tile(labels_of(TEST_IMAGES), 5))
    monkeypatch.setenv("TORCH_HOME", str(project.folder / "cache"))
    target = "results/small/models/cifar10/imagenet/initial/seed0.safetensors"
    result = project.run(pretrained_study(), "--", target)
    assert result.returncode == 1
    (line,) = {line for line in result.stdout.splitlines() if "error: " in line}
    assert "resnet18-f37072fd.pth" in line
    assert "data" in line
    assert "cache/hub/checkpoints" in line
    assert "Traceback" not in result.stdout
