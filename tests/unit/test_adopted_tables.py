import pytest

from minimascope.analysis.adopted import adopted_table
from minimascope.errors import InputError


def document(seed: int, content: str) -> dict:
    run = {"dataset": "digits", "network": "mlp", "condition": "theirs", "seed": str(seed)}
    read = {"key": "", "prefix": "", "classes": None, "own_normalisation": False}
    fit = {"matched": False, "train_accuracy": 0.9, "n": 100, "guessing": 0.1, "doubt": ""}
    return {"run": run, "checkpoint": f"runs/{seed}.pt", "sha256": content, **read, **fit}


def test_files_of_the_same_content_are_no_two_networks():
    alike = {f"seed{seed}.json": document(seed, "same") for seed in (0, 1)}
    with pytest.raises(InputError, match=r"runs/0\.pt and runs/1\.pt have the same content"):
        adopted_table(alike)
    different = {f"seed{seed}.json": document(seed, str(seed)) for seed in (0, 1)}
    assert list(adopted_table(different)["checkpoint"]) == ["runs/0.pt", "runs/1.pt"]
