"""docs/any-network.md: its programs run, its commands work, and its refusals are those told."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DataLoader, TensorDataset

from minimascope import measure
from minimascope.errors import InputError
from minimascope.files import read_json

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "any-network.md").read_text(encoding="utf-8")
# What stands before a study begins.
OWN = PAGE.partition("## A checkpoint as a condition")[0]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "scripts")}


def test_the_page_leads_from_installation_to_a_figure(tmp_path: Path):
    start, _, rest = OWN.partition("## The command")
    blocks = re.findall(r"`(\w+\.py)`[^`]*\n\n```python\n(.*?)```", start, re.DOTALL)
    assert [name for name, _ in blocks] == ["my_network.py", "train.py"]
    for name, code in blocks:
        (tmp_path / name).write_text(code, encoding="utf-8")
    prose = re.sub(r"```.*?```", "", start, flags=re.DOTALL)
    install, *commands = re.findall(r"^ {4}(\S.*)$", prose, re.MULTILINE)
    assert install == "pip install ."  # tests/unit/test_package.py
    for command in commands:
        program, *words = shlex.split(command)
        run = {"python": [], "minimascope": ["-m", "minimascope"]}[program]
        printed = subprocess.run(
            [sys.executable, *run, *words],
            cwd=tmp_path,
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
        )
        assert printed.returncode == 0, printed.stderr
    # The output is shown with its words; its numbers depend on the processor.
    (shown,) = re.findall(r"```text\n(.*?)```", start, re.DOTALL)
    assert words_of(printed.stdout) == words_of(shown)
    assert (tmp_path / "landscape.png").read_bytes().startswith(b"\x89PNG")
    for word in re.findall(r"`(\w+)`", rest.partition("**The document**")[2].partition("\n\n")[0]):
        assert word in str(read_json(tmp_path / "measures.json"))
    _run_the_rest(rest, tmp_path)


def words_of(text: str) -> list[str]:
    return re.findall(r"[a-z_]{3,}", re.sub(r"cpu .*", "", text))


def _run_the_rest(text: str, folder: Path) -> None:
    """Run the page's other programs one after the other, in one notebook."""
    codes = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(codes) == 5
    code = "\n".join(codes)
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert re.search(
        r"hessian_trace = [\d.]+ 1 \(1000 samples, standard error [\d.]+\)", result.stdout
    )
    assert re.search(r"hessian_top_eigenvalue = [\d.]+ \(24 texts\)", result.stdout)


class Drops(nn.Linear):
    def forward(self, inputs):
        return F.dropout(super().forward(inputs))


class Centres(nn.Linear):
    def forward(self, inputs):
        outputs = super().forward(inputs)
        return outputs - outputs.mean(0)


class Outside(torch.autograd.Function):
    """Keeps what its backward pass needs where torch does not see it."""

    @staticmethod
    def forward(context, inputs):
        context.kept = inputs.detach()
        return inputs.square()

    @staticmethod
    def backward(context, slopes):
        return 2 * context.kept * slopes


class Applies(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.first, self.last, self.function = nn.Linear(4, 6), nn.Linear(6, 10), function

    def forward(self, inputs):
        return self.last(self.function(self.first(inputs)))


class Two(nn.Linear):
    def forward(self, inputs):
        outputs = super().forward(inputs)
        return {"one": outputs, "two": outputs}


def data() -> tuple[torch.Tensor, torch.Tensor]:
    draws = torch.Generator().manual_seed(0)
    return torch.randn(40, 4, generator=draws), torch.arange(40) % 10


def frozen() -> nn.Module:
    return nn.Linear(4, 10).requires_grad_(False)


def diverged() -> nn.Module:
    model = nn.Linear(4, 10)
    nn.init.constant_(model.weight, torch.nan)
    return model


def of(model: nn.Module, name: str = "train_loss", **given):
    inputs, labels = data()
    return lambda: measure(model, **{"inputs": inputs, "labels": labels, "measures": name} | given)


def streamed(source: Callable) -> Callable:
    def refused():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("minimascope.sharpness.samples.LARGEST_IN_MEMORY", 0)
            measure(nn.Linear(4, 10), source(), measures="train_loss")

    return refused


def shuffled() -> DataLoader:
    return DataLoader(TensorDataset(*data()), batch_size=10, shuffle=True)


TRIGGERS = {
    "two passes of the same inputs give different outputs": of(Drops(4, 10)),
    "it changes its inputs in place": of(nn.Sequential(nn.ReLU(inplace=True), nn.Linear(4, 10))),
    "does not run on these, which are": of(nn.Linear(4, 10), inputs=data()[0].byte()),
    "an input's outputs depend on the other inputs of its batch": of(Centres(4, 10)),
    "without running statistics takes those of each batch": of(
        nn.Sequential(nn.BatchNorm1d(4, track_running_stats=False), nn.Linear(4, 10))
    ),
    "by torch are not the changes of its first ones": of(Applies(Outside.apply), "hessian_trace"),
    "by torch are not the changes of its loss": of(Applies(torch.detach), "hessian_trace"),
    "with respect to its inputs are not the changes of its outputs": of(
        Applies(lambda z: z + z.detach()), "jacobian_norm"
    ),
    "with respect to its inputs cannot be formed": of(
        Applies(lambda z: checkpoint(torch.tanh, z, use_reentrant=True)), "jacobian_norm"
    ),
    "have no gradient with respect to its inputs": of(Applies(torch.round), "jacobian_norm"),
    "depends on the others of its batch": of(
        nn.Linear(4, 1), loss=lambda outputs, labels: (outputs - labels).square()
    ),
    "the data are other ones in a second pass": streamed(shuffled),
    "can be gone through only once": streamed(lambda: iter([data()])),
    "the network has a single logit": of(nn.Linear(4, 1), labels=torch.arange(40) % 2),
    "but the network has 10 logits": of(nn.Linear(4, 10), labels=torch.arange(40) % 11),
    "are not the output of a linear layer": of(
        nn.Sequential(nn.Linear(4, 10), nn.ReLU()), "relative_flatness"
    ),
    "without logits; say with outputs=": of(Two(4, 10)),
    "has no parameter that requires a gradient": of(frozen()),
    "holds NaN or infinite values": of(diverged()),
}
ROWS = re.findall(
    r"^\| (?!message|-)(.*?) \|", OWN.partition("## What is refused")[2], re.MULTILINE
)


def test_every_refusal_of_the_page_is_tried():
    assert list(TRIGGERS) == ROWS


@pytest.mark.parametrize("message", ROWS)
def test_a_refusal_is_told_as_the_page_says(message):
    with pytest.raises(InputError) as caught:
        TRIGGERS[message]()
    assert message in str(caught.value)
