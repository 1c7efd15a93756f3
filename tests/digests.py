"""Print digests of small jobs, which must be the same on every AMD processor with AVX2."""

import hashlib
import json
import tempfile
from pathlib import Path

import torch

from minimascope.data import digits
from minimascope.data.corruptions.generated import corrupt
from minimascope.data.prepared import Dataset
from minimascope.initial_weights import save_initial
from minimascope.jobs.timing import NOT_OF_THE_STEPS
from minimascope.models import load_model
from minimascope.networks.normalised import NormalisedInput
from minimascope.sharpness import measure
from minimascope.study.loading import load_study
from minimascope.training import TrainingSpec, train

SCHEMA = Path(__file__).parents[1] / "resources" / "config.schema.yaml"
STUDY = {
    "study": "digests",
    "seeds": [0],
    "datasets": {"digits": {"source": "digits", "train_size": 500}},
    "networks": {
        "resnet18": {"architecture": "resnet18", "width": 0.125},
        "vit": {"architecture": "vit", "width": 0.125},
    },
    "training": {
        "epochs": 3,
        "batch_size": 50,
        "optimizer": {"name": "sgd", "lr": 0.02, "momentum": 0.9},
        "schedule": {"name": "cosine"},
        "test_every": 3,
    },
    "conditions": {"baseline": {}, "baseline_sam": {"sam": {"rho": 0.05}}},
}


def initial_model(network: dict, dataset: Dataset) -> NormalisedInput:
    """Return the network that all conditions start from."""
    normalize = {"mean": None, "std": None}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "initial.safetensors")
        save_initial(path, dataset, "digits", network, normalize, 0, None, None)
        return load_model(path, torch.device("cpu"))[0]


def digest(*tensors: torch.Tensor) -> str:
    """Return a digest of tensors."""
    content = b"".join(tensor.numpy().tobytes() for tensor in tensors)
    return hashlib.sha256(content).hexdigest()[:16]


def digests() -> dict[str, str]:
    """Return digests of a corruption and of trained weights, and measures of the last network."""
    study = load_study(STUDY, SCHEMA)
    dataset = digits.load(None, train_size=500, split_seed=0, image_size=8)
    images, labels = dataset.train.inputs[:100], dataset.train.labels[:100]
    found = {"elastic_transform": digest(corrupt(images, "elastic_transform", 3, seed=0))}
    for network in study.config["networks"]:
        for condition in study.conditions:
            model = initial_model(study.network_spec(network), dataset)
            settings = dict(study.training["digits", condition])
            for key in NOT_OF_THE_STEPS:
                del settings[key]
            train(model, dataset, TrainingSpec.from_config(settings), seed=0)
            weights = model.network.state_dict()
            found[f"{network} {condition}"] = digest(*(weights[name] for name in sorted(weights)))
    measured = measure(model, images, labels, ["sam_sharpness"])
    return found | {name: repr(measurement.value) for name, measurement in measured.items()}


if __name__ == "__main__":
    print(json.dumps(digests(), indent=2))
