"""For every key of the configuration another value of it, in a study in which that matters."""

import asyncio
import re
from pathlib import Path
from typing import Any

from configuration_keys import SAME_AS
from minimascope.data.official import OFFICIAL
from planning import planned_workflow

ONE_SEED = {
    "seeds": [0],
    "training": {
        "epochs": 2,
        "batch_size": 30,
        "optimizer": {"name": "sgd", "lr": 0.02, "momentum": 0.9},
    },
}


def _optimizer(name: str) -> dict[str, Any]:
    return {"optimizer": {"name": name, "lr": 0.001}}


STUDIES = {
    "images": {
        **ONE_SEED,
        "study": "images",
        "datasets": {"digits": {"source": "digits"}},
        "networks": {"vit": {"architecture": "vit", "width": 0.1}},
        "conditions": {
            "sgd": {},
            **{name: _optimizer(name) for name in ("adam", "rmsprop", "kfac", "gdtuo")},
            "swa": {"averaging": {"name": "swa"}},
            "ema": {"averaging": {"name": "ema"}},
            "augmented": {"augment": {"crop_padding": 1}, "sam": {"rho": 0.05}},
        },
        "sharpness": {
            "perturbation": {"adaptive": {}},
            "hessian": {},
            "landscape": {},
            "interpolation": {
                "lines": [
                    *(["sgd", "adam"], ["rmsprop", "kfac"]),
                    *(["gdtuo", "augmented"], ["swa", "ema"]),
                ]
            },
        },
        "evaluation": {"corruptions": {"names": ["fog"]}},
        "toy_fits": {"functions": ["sphere", "booth"]},
    },
    "files": {
        **ONE_SEED,
        "study": "files",
        # Of two networks there are ensembles.
        "seeds": [0, 1],
        "datasets": {
            "folder": {"source": "image_folder", "path": "pictures", "networks": ["resnet"]},
            "archive": {"source": "image_folder", "path": "pictures.zip", "networks": ["resnet"]},
            "cifar": {"source": "cifar10", "networks": ["resnet"]},
            "noisy": {"source": "cifar10", "corrupted": "cifar10_c", "networks": ["pretrained"]},
        },
        "networks": {
            "resnet": {"architecture": "resnet18"},
            "pretrained": {"architecture": "pretrained_resnet18"},
        },
        "conditions": {"baseline": {}},
        "sharpness": {"forward": None, "hessian": {}, "landscape": {"direction_seeds": [1]}},
        "evaluation": {"corruptions": {"names": ["fog"]}},
    },
    "sounds": {
        **ONE_SEED,
        "study": "sounds",
        "datasets": {
            "table": {"source": "audio_folder", "table": "sounds.csv", "path": "sounds.zip"},
            "scenes": {"source": "synthetic_scenes"},
        },
        "networks": {"cnn10": {"architecture": "pretrained_cnn10", "weights": "cnn10.pth"}},
        "conditions": {"plain": {}, "masked": {"augment": {"band_masks": 1}}},
        "sweeps": {"grid": {"axes": {"training.label_noise": [0.1]}, "conditions": ["plain"]}},
        "sharpness": {"perturbation": None},
        "toy_functions": False,
    },
    "points": {
        **ONE_SEED,
        "study": "points",
        "datasets": {"circles": {"source": "circles"}},
        "networks": {"mlp": {"architecture": "mlp"}},
        "conditions": {"sgd": {}, **{name: _optimizer(name) for name in ("adam", "adamw")}},
        "sharpness": {"hessian": {}, "landscape": {}},
    },
}
# Raw data of these studies, and others to change to.
FILES = (
    *("pictures.zip", "sounds.csv", "sounds.zip", "cnn10.pth", "other.csv", "other.pth"),
    *(file.name for name in ("cifar10", "cifar100", "cifar10_c") for file in OFFICIAL[name]),
)
FOLDERS = ("data", "elsewhere")


# The path of a key in a study, and another value of it.
CHANGES: dict[str, dict[str, Any]] = {
    "images": {
        "study": "other",
        "protocol": "published",
        "published": {"training": {"epochs": 9}},
        "seeds": [0, 1],
        "datasets.digits.augment_test": True,
        "datasets.digits.sharpness.hessian.eigenvalues": 1,
        "datasets.digits.printed": "cifar10",
        "datasets.digits.train_samples": 100,
        "datasets.digits.test_samples": 100,
        "datasets.digits.training.epochs": 3,
        "datasets.digits.conditions.sgd.epochs": 3,
        "datasets.digits.normalize.mean": [0.3],
        "datasets.digits.normalize.std": [0.3],
        "datasets.digits.train_size": 400,
        "datasets.digits.split_seed": 1,
        "datasets.digits.image_size": 16,
        "networks.vit.architecture": "resnet18",
        "networks.vit.width": 0.2,
        "networks.vit.patch_size": 2,
        "training.epochs": 3,
        "training.batch_size": 20,
        "conditions.adam.optimizer.name": "adamw",
        "training.optimizer.lr": 0.01,
        "training.optimizer.weight_decay": 0.001,
        "training.optimizer.momentum": 0.8,
        "training.optimizer.nesterov": True,
        "conditions.adam.optimizer.betas": [0.8, 0.99],
        "conditions.rmsprop.optimizer.alpha": 0.9,
        "conditions.adam.optimizer.eps": 1.0e-6,
        "conditions.kfac.optimizer.damping": 0.01,
        "conditions.kfac.optimizer.factor_decay": 0.9,
        "conditions.kfac.optimizer.factor_every": 5,
        "conditions.kfac.optimizer.inverse_every": 50,
        "conditions.kfac.optimizer.kl_clip": 0.01,
        "conditions.gdtuo.optimizer.hyper_lr": 1.0e-4,
        "conditions.sgd.schedule.name": "cosine",
        "training.schedule.per": "batch",
        "training.schedule.period": 1,
        "training.sam": {"rho": 0.1},
        "conditions.augmented.sam.rho": 0.1,
        "training.averaging": {"name": "swa"},
        "conditions.swa.averaging.name": "ema",
        "conditions.swa.averaging.start": 0.5,
        "conditions.ema.averaging.decay": 0.9,
        "training.augment": {"horizontal_flip": 0.5},
        "conditions.augmented.augment.crop_padding": 2,
        "conditions.augmented.augment.crop_fill": 9,
        "conditions.augmented.augment.horizontal_flip": 0.5,
        "conditions.augmented.augment.resized_crop": 0.5,
        "training.label_noise": 0.2,
        "training.label_smoothing": 0.1,
        "training.dropout": 0.1,
        "training.precision": "bf16",
        "training.compile": True,
        "training.deterministic": True,
        "training.test_every": 2,
        "sharpness.view": ["clean", "augmented"],
        "sharpness.forward.published": False,
        "sharpness.forward.published_share": 0.5,
        "sharpness.perturbation.radius": 0.01,
        "sharpness.perturbation.samples": 9,
        "sharpness.perturbation.dtype": "float64",
        "sharpness.perturbation.published": False,
        "sharpness.perturbation.published_share": 0.5,
        "sharpness.perturbation.adaptive": None,
        "sharpness.perturbation.adaptive.average_radius": 0.1,
        "sharpness.perturbation.adaptive.samples": 10,
        "sharpness.perturbation.adaptive.worst_radius": 0.1,
        "sharpness.perturbation.adaptive.norm": "l2",
        "sharpness.perturbation.adaptive.steps": 2,
        "sharpness.perturbation.adaptive.normalise_logits": True,
        "sharpness.perturbation.adaptive.group_size": 5,
        "sharpness.hessian.eigenvalues": 1,
        "sharpness.hessian.smallest_eigenvalues": 1,
        "sharpness.hessian.tolerance": 0.1,
        "sharpness.hessian.max_iterations": 9,
        "sharpness.hessian.trace_products": 9,
        "sharpness.hessian.density_probes": 1,
        "sharpness.hessian.density_steps": 9,
        "sharpness.hessian.parameters": "weights",
        "sharpness.hessian.l2": True,
        "sharpness.hessian.dtype": "float64",
        "sharpness.hessian.batch_size": 9,
        "sharpness.landscape.radius": 0.5,
        "sharpness.landscape.points": 5,
        "sharpness.landscape.line_points": 5,
        "sharpness.landscape.direction_seeds": [1, 2],
        "sharpness.landscape.normalisation": "layer",
        "sharpness.landscape.ignore": "none",
        "sharpness.landscape.dtype": "float64",
        "sharpness.interpolation.lines": [["initial", "sgd"]],
        "sharpness.interpolation.planes": [["sgd", "adam", "kfac"]],
        "sharpness.interpolation.points": 5,
        "sharpness.interpolation.margin": 0.5,
        "evaluation.corruptions": None,
        "evaluation.corruptions.names": ["fog", "snow"],
        "evaluation.corruptions.severities": [1],
        "evaluation.corruptions.samples": 9,
        "analysis.baseline": "sgd",
        "analysis.minimum_train_accuracy": 0.5,
        "analysis.stability_threshold": 0.1,
        "toy_fits.functions": ["beale", "booth", "sphere"],
        "toy_fits.points": 10,
        "toy_fits.test_points": 10,
        "toy_fits.width": 4,
        "toy_fits.lr": 0.01,
        "toy_fits.epochs": [9],
        "toy_fits.losses": [1],
        "toy_fits.radii": [0.1],
        "toy_fits.perturbations": 9,
        "toy_fits.dtype": "float64",
        "toy_fits.together": True,
        "toy_fits.at_once": 2,
    },
    "files": {
        "data_dir": "elsewhere",
        "datasets.cifar.source": "cifar100",
        "datasets.cifar.networks": None,
        "datasets.noisy.corrupted": "generated",
        "datasets.folder.path": "others",
        "datasets.archive.path": "others.zip",
        "datasets.archive.image_size": 16,
        "sharpness.on": ["final", "initial"],
        "sharpness.forward": {},
        "evaluation.ece_bins": 9,
    },
    "sounds": {
        "study": "other",
        "data_dir": "elsewhere",
        "datasets.table.table": "others.csv",
        "datasets.table.path": "others.zip",
        "datasets.table.domain_column": "device",
        "datasets.table.train_samples": 100,
        "datasets.table.test_samples": 100,
        "datasets.table.features.sample_rate": 22050,
        "datasets.table.features.mels": 32,
        "datasets.table.features.n_fft": 1024,
        "datasets.table.features.hop_length": 200,
        "datasets.table.features.f_min": 20,
        "datasets.table.features.f_max": 7000,
        "datasets.table.features.seconds": 1.5,
        "datasets.table.features.mixed_rates": True,
        "datasets.scenes.clips": 18,
        "datasets.scenes.seconds": 2,
        "datasets.scenes.seed": 1,
        "networks.cnn10.weights": "others.pth",
        "conditions.masked.augment.band_masks": 2,
        "conditions.masked.augment.band_mask_size": 4,
        "conditions.masked.augment.time_masks": 2,
        "conditions.masked.augment.time_mask_size": 4,
        "training.sampling": "domain_balanced",
        "conditions.another": {},
        "sweeps.grid.axes": {"training.label_noise": [0.1, 0.2]},
        "sweeps.grid.conditions": ["masked", "plain"],
        "sharpness.perturbation": {},
        "sharpness.hessian": {},
        "sharpness.landscape": {},
        "sharpness.interpolation": {"lines": [["initial", "masked"]]},
        "toy_functions": True,
        "toy_fits": {},
    },
    "points": {
        "datasets.circles.factor": 0.7,
        "datasets.circles.noise": 0.2,
        "datasets.circles.train_points": 50,
        "datasets.circles.test_points": 50,
        "datasets.circles.seed": 1,
        "networks.mlp.hidden_layers": 3,
    },
}
# Raw data of these studies, and others to change to.
FOLDERS = ("data", "elsewhere")
FILES = (
    *(f"{name}.{kind}" for name in ("pictures", "sounds", "others") for kind in ("zip", "csv")),
    *("cnn10.pth", "others.pth"),
    *(file.name for name in ("cifar10", "cifar100", "cifar10_c") for file in OFFICIAL[name]),
)


def without_names(path: str) -> str:
    """Return a path in a study as the configuration's reference writes it."""
    named = re.sub(r"^(datasets|networks|conditions|sweeps)\.\w+", r"\1.<name>", path)
    return re.sub(r"^(datasets\.<name>\.conditions)\.\w+", r"\1.<name>", named)


def key_of(path: str) -> str:
    """Return the key that a path in a study leads to; of a section like another that one's."""
    key = without_names(path)
    for section, other in SAME_AS.items():
        if f"{key}.".startswith(f"{section}."):
            return other + key.removeprefix(section)
    return key


def finish_on_paper(study: Path, folder: Path) -> None:
    """Make every output of a study an empty file, and record it as Snakemake does after its job."""
    for name in FOLDERS:
        (folder / name).mkdir(exist_ok=True)
        for file in FILES:
            (folder / name / file).touch()
    with planned_workflow(study, folder) as workflow:
        dag = workflow.dag
        jobs = [job for level in dag.toposorted() for job in level if job not in dag.targetjobs]
        for job in jobs:
            for output in map(Path, job.output):
                output.parent.mkdir(parents=True, exist_ok=True)
                if output.name == "scenes":
                    output.mkdir()
                else:
                    output.touch()
            asyncio.run(workflow.persistence.finished(job))
