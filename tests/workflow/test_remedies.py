"""What is refused with "delete it and run again" is made anew when its user does so."""

import re

import pytest
from outputs import differing, outputs
from small_study import Project, study_with

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

STUDY = study_with(
    {
        "seeds": [0],
        "conditions": {"baseline": {}},
        "training.epochs": 1,
        "sharpness": {"forward": {}, "perturbation": {}, "landscape": {"points": 3}},
        "evaluation.corruptions": None,
        "toy_functions": False,
    }
)
MEASURES = "measures/digits/resnet18/baseline/seed0"
MODEL = "models/digits/resnet18/baseline/seed0/model.safetensors"


def damage(project: Project, name: str) -> None:
    path = project.results(name)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_deleting_what_was_named_and_running_again_gives_the_same_results(project: Project):
    project.finish(STUDY)
    before = outputs(project.results(""))
    for damaged in [f"{MEASURES}/forward.json", f"{MEASURES}/landscape.npz"], [MODEL]:
        for name in damaged:
            damage(project, name)
        result = project.run(STUDY)
        assert result.returncode == 1
        refused = set(re.findall(r"error: (\S+): .*delete it and run again", result.stdout))
        assert refused == {f"results/small/{name}" for name in damaged}
        for name in refused:
            (project.folder / name).unlink()
        project.finish(STUDY)
        assert differing(outputs(project.results("")), before) == []
