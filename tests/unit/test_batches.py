"""Large inputs are computed in smaller batches, with the same result."""

import pytest
import torch
from torch import nn

from minimascope import batches
from minimascope.batches import inputs_at_once
from minimascope.data.prepared import Split
from minimascope.evaluation.predict import predict
from minimascope.sharpness.objective import Objective


@pytest.mark.parametrize(
    ("shape", "on_gpu", "on_cpu"),
    [
        ((5, 1, 8, 8), 1024, 1024),
        ((5, 3, 32, 32), 1024, 256),
        ((5, 3, 64, 64), 1024, 64),
        ((5, 1, 64, 1001), 65, 4),
        ((5, 3, 5000, 5000), 1, 1),
        ((5, 7), 1024, 1024),
    ],
)
def test_a_large_input_takes_the_place_of_several(shape, on_gpu, on_cpu, monkeypatch):
    inputs = torch.empty(1).expand(shape)
    assert inputs_at_once(inputs, 1024) == on_cpu
    monkeypatch.setattr(batches, "LARGEST_AREA", {"cpu": batches.LARGEST_AREA["cuda"]})
    assert inputs_at_once(inputs, 1024) == on_gpu


def test_the_batch_size_is_never_exceeded():
    assert inputs_at_once(torch.empty(9, 1, 8, 8), 4) == 4


def test_results_do_not_depend_on_how_many_are_computed_at_once(monkeypatch):
    draws = torch.Generator().manual_seed(0)
    inputs = torch.randn(50, 1, 6, 7, generator=draws, dtype=torch.float64)
    labels = torch.arange(50) % 3
    model = nn.Sequential(nn.Flatten(), nn.Linear(42, 3)).double().eval()
    whole = predict(model, inputs), Objective(Split(inputs, labels)).mean(model)
    seen = []
    model.register_forward_pre_hook(lambda _module, arguments: seen.append(len(arguments[0])))
    monkeypatch.setattr(batches, "LARGEST_AREA", {"cpu": 8 * 42})
    parts = predict(model, inputs), Objective(Split(inputs, labels)).mean(model)
    assert max(seen) == 8
    for one, other in zip(whole, parts, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-13, atol=0)
