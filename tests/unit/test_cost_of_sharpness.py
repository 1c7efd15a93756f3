"""What families of sharpness cost, by which their jobs are cut."""

import pytest
import torch
from sharpness_cases import images, network
from study_cases import study
from torch import nn

from minimascope.networks.normalised import NormalisedInput
from minimascope.registry import SHARPNESS
from minimascope.sharpness.objective import Objective
from minimascope.sharpness.subject import Subject

FEW = {
    "forward": {},
    "perturbation": {"samples": 12, "published_samples": 8, "more_radii": [0.01, 0.05]},
    "landscape": {"points": 5, "line_points": 7, "direction_seeds": [1, 2]},
    "input": {"draws": 20},
}


@pytest.mark.parametrize("family", FEW)
def test_a_family_takes_about_as_many_passes_over_the_data_as_it_says(family):
    settings = study(sharpness={family: FEW[family]}).sharpness["small"][family]
    split, seen = images("resnet18", 8), []

    def count(module: nn.Module, arguments: tuple) -> None:
        if isinstance(module, NormalisedInput):
            seen.append(len(arguments[0]))

    hook = nn.modules.module.register_module_forward_pre_hook(count)
    try:
        subject = Subject(network("resnet18").float(), Objective(split))
        seen.clear()
        SHARPNESS[family].load()(subject, torch.Generator().manual_seed(0), **settings)
    finally:
        hook.remove()
    assert sum(seen) / len(split) == pytest.approx(SHARPNESS[family].passes(settings), rel=0.5)


def test_families_with_few_passes_share_a_job_and_each_of_the_others_has_its_own():
    few = {"forward": {}, "perturbation": {"samples": 20}, "landscape": FEW["landscape"]}
    assert study(sharpness=few).sharpness_jobs == {"sharpness": list(few)}
    many = few | {"hessian": {}, "landscape": {}}
    assert study(sharpness=many).sharpness_jobs == {
        "sharpness": ["forward", "perturbation"],
        "hessian": ["hessian"],
        "landscape": ["landscape"],
    }
    with_eigenvectors = few | {"landscape": FEW["landscape"] | {"eigenvectors": True}}
    assert study(sharpness=with_eigenvectors).sharpness_jobs == {
        "sharpness": ["forward", "perturbation"],
        "landscape": ["landscape"],
    }
    dear = dict.fromkeys(few) | {"hessian": {}}
    assert study(sharpness=dear).sharpness_jobs == {"hessian": ["hessian"]}


def test_what_is_dear_on_one_data_set_has_a_job_of_its_own_on_all():
    large = {"source": "cifar10", "sharpness": {"perturbation": {"samples": 1000}}}
    few = {"forward": {}, "perturbation": {"samples": 20}}
    jobs = study(sharpness=few, datasets={"large": large}).sharpness_jobs
    assert jobs == {"sharpness": ["forward"], "perturbation": ["perturbation"]}
