"""A study with a job of every rule, and changes of it besides those of docs/reruns.md."""

import asyncio
from pathlib import Path

from small_study import ROOT

from minimascope.data.official import OFFICIAL
from minimascope.jobs.planning import planned_workflow

STUDY = {
    "study": "every_rule",
    "seeds": [0, 1],
    "datasets": {
        "digits": {"source": "digits", "published_as": "cifar10", "networks": ["vit", "plain"]},
        "cifar": {
            "source": "cifar10",
            "corrupted": "cifar10_c",
            "networks": ["pretrained"],
            "shifted": {"others": {"source": "cifar10", "classes": ["cat"]}},
            "unseen": {"far": {"source": "cifar100", "classes": ["bee"]}},
        },
        "folder": {"source": "image_folder", "path": "pictures", "networks": ["vit"]},
        "archive": {"source": "image_folder", "path": "pictures.zip", "networks": ["vit"]},
        "scenes": {
            "source": "synthetic_scenes",
            "networks": ["cnn10"],
            "corrupted": "generated",
        },
        "table": {"source": "audio_folder", "table": "sounds.csv", "networks": ["cnn10"]},
    },
    "networks": {
        "vit": {"architecture": "vit", "width": 0.1},
        "plain": {"architecture": "resnet", "blocks": [2, 2], "width": 0.1, "shortcuts": False},
        "pretrained": {"architecture": "pretrained_resnet18"},
        "cnn10": {"architecture": "pretrained_cnn10", "weights": "cnn10.pth"},
    },
    "training": {
        "epochs": 2,
        "batch_size": 30,
        "optimizer": {"name": "sgd", "lr": 0.02, "momentum": 0.9},
        "keep": [0, 2],
    },
    "conditions": {
        "baseline": {},
        "sam": {"sam": {"rho": 0.05}},
        "theirs": {"checkpoint": "theirs-{seed}.pt"},
    },
    "sharpness": {
        "forward": {},
        "edge_of_stability": {},
        "perturbation": {},
        "hessian": {},
        "landscape": {},
        "input": {"draws": 40},
        "norms": {},
        "interpolation": {"lines": [["baseline", "sam"]]},
        "own_parts:logit_curvature": {},
    },
    "evaluation": {
        "corruptions": {"names": ["fog", "gain"]},
        "network_ensembles": ["vit", "plain"],
        "adversarial": {"radii": {"linf": ["8/255"]}},
        "own_parts:worst_class": {},
    },
    "parts": str(ROOT / "studies" / "own_parts.py"),
    "toy_fits": {"functions": ["sphere", "booth"]},
}
# The jobs of sharpness, all of which may need the weight decay.
MEASURING = {
    *("sharpness", "perturbation", "hessian", "landscape", "input", "norms"),
    "measure_own",
}
# The jobs of figures of a network.
PLOTS = {
    *("plot_digits-vit", "plot_digits-plain", "plot_cifar-pretrained"),
    *("plot_folder-vit", "plot_archive-vit", "plot_scenes-cnn10", "plot_table-cnn10"),
}
# The path of a key in the study, another value of it, and the rules that run first.
CHANGES = {
    "datasets.table.path": ("sounds.zip", {"recordings"}),
    "datasets.table.domain_column": ("device", {"recordings"}),
    "datasets.scenes.clips": (18, {"synthesise"}),
    "datasets.scenes.features.sample_rate": (22050, {"features", "corrupt_recordings"}),
    "datasets.scenes.train_samples": (90, {"features"}),
    "datasets.scenes.test_samples": (90, {"features", "corrupt_recordings"}),
    "datasets.scenes.sharpness.forward.by_domain": (True, {"sharpness", "gather"}),
    "datasets.archive.path": ("others.zip", {"prepare"}),
    "datasets.cifar.train_samples": (100, {"prepare"}),
    "datasets.cifar.shifted.others.test_samples": (10, {"other_set"}),
    "datasets.digits.augment_test": (True, {"report"}),
    "datasets.digits.normalize.std": ([0.3], {"initialise"}),
    "datasets.digits.published_as": (None, {"tables"}),
    "datasets.digits.sharpness.hessian.eigenvalues": (1, {"hessian"}),
    "datasets.cifar.corrupted": ("generated", {"corrupt"}),
    "networks.cnn10.weights": ("others.pth", {"initialise"}),
    "networks.vit.weights": ("others.pth", {"initialise"}),
    "networks.vit.architecture": ("mlp", {"initialise"}),
    "networks.plain.shortcuts": (True, {"initialise"}),
    "networks.plain.blocks": ([1, 1], {"initialise"}),
    "training.schedule": ({"name": "constant", "warmup": 1}, {"train"}),
    "evaluation.network_ensembles": (None, {"tables"}),
    "evaluation.adversarial.steps": (9, {"attack"}),
    "evaluation.adversarial": (None, {"collect"}),
    "conditions.sam.adversarial": ({"radius": "8/255"}, {"train"}),
    "conditions.sam.weights": ("others.pth", {"train"}),
    "datasets.digits.classes": ([0, 1], {"prepare"}),
    "training.test_every": (2, {"train"}),
    "conditions.theirs.checkpoint": ("others-{seed}.pt", {"adopt"}),
    "conditions.theirs.classes": ([*"abcde"], {"adopt"}),
    "conditions.theirs.optimizer": ({"weight_decay": 0.1}, MEASURING),
    "datasets.digits.conditions.theirs.key": ("ema", {"adopt"}),
    "sharpness.view": (["augmented"], PLOTS),
    "sharpness.forward.published": (False, {"sharpness"}),
    "sharpness.landscape.points": (5, {"landscape"}),
    "sharpness.interpolation.points": (5, {"interpolate"}),
    "sharpness.interpolation.seeds": (["baseline"], {"interpolate"}),
    "sharpness.interpolation.batchnorm": ("interpolated", {"interpolate"}),
    "sharpness.interpolation.bezier": ({}, {"interpolate"}),
    "tables": ({"own_parts:spread": {}}, {"tables"}),
    "figures": ({"own_parts:ranges": {}}, PLOTS),
    "evaluation.corruptions.samples": (9, {"corrupt", "corrupt_recordings"}),
    "datasets.table.corrupted": ("generated", {"corrupt_recordings"}),
    "analysis.trained.train_loss": (None, {"collect"}),
    "toy_fits.radii": ([0.1], {"toy_sharpness"}),
    "published.training": ({"epochs": 9}, set()),
}
# Raw data of the study, and others to change to.
FOLDERS = ("data", "elsewhere")
FILES = (
    *(f"{name}.{kind}" for name in ("pictures", "sounds", "others") for kind in ("zip", "csv")),
    *("cnn10.pth", "others.pth"),
    *(f"{name}-{seed}.pt" for name in ("theirs", "others") for seed in STUDY["seeds"]),
    *(file.name for name in ("cifar10", "cifar10_c", "cifar100") for file in OFFICIAL[name]),
)


def finish_on_paper(study: Path, folder: Path) -> None:
    """Make what is missing of a study empty files, and record it as Snakemake does after a job."""
    for name in FOLDERS:
        (folder / name).mkdir(exist_ok=True)
        for file in FILES:
            (folder / name / file).touch()
    with planned_workflow(study, folder) as workflow:
        dag = workflow.dag
        jobs = [job for level in dag.toposorted() for job in level if dag.needrun(job)]
        jobs = [job for job in jobs if job not in dag.targetjobs]
        for job in jobs:
            for output in map(Path, job.output):
                output.parent.mkdir(parents=True, exist_ok=True)
                if output.name == "scenes":
                    output.mkdir()
                else:
                    output.touch()
            asyncio.run(workflow.persistence.finished(job))
