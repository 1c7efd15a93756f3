"""Ensembles over networks against loops, and what a study and a report say of them."""

from itertools import chain, product

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from study_cases import refusal, study
from table_frames import read_again
from torch import nn

from minimascope.analysis.network_ensembles import COLUMNS, advantages, gathered, text
from minimascope.analysis.render import html, markdown
from minimascope.data.corruptions.copies import CorruptedCopies
from minimascope.errors import InputError
from minimascope.evaluation.metrics import expected_calibration_error
from minimascope.evaluation.network_ensembles import Design, network_ensembles
from minimascope.evaluation.predictions import Predictions
from minimascope.files import read_json, write_json
from minimascope.study import products

BINS, CPU = 10, torch.device("cpu")
NAMES = ("deep", "wide")


def predictions(seeds: int, names: tuple[str, ...] = NAMES, n: int = 80) -> list[Predictions]:
    """Return those of each network's seeds, networks of one kind alike to some extent."""
    labels = np.arange(n) % 3
    random = np.random.default_rng(0)
    found = []
    for number, name in enumerate(names):
        alike = random.normal(size=(n, 3)) * 1.5
        for seed in range(seeds):
            logits = alike + random.normal(size=(n, 3))
            logits[np.arange(n), labels] += 1 + 0.5 * number
            run = {"dataset": "d", "network": name, "condition": "c", "seed": str(seed)}
            found.append(Predictions(run, logits, labels))
    return found


def measured(models: list[Predictions], names: tuple[str, ...] = NAMES) -> dict[str, dict]:
    document = network_ensembles(names, models, [], [], BINS, CPU)
    return {row["measure"]: row for row in document["rows"]}


def together(models: list[Predictions]) -> np.ndarray:
    """Return the mean of the models' probabilities."""
    return np.mean([torch.tensor(m.logits).softmax(1).numpy() for m in models], axis=0)


# Functions of probabilities and labels, and whether more is better.
SCORES = {
    "test_accuracy": (lambda p, y: (p.argmax(1) == y).mean(), True),
    "test_nll": (lambda p, y: -np.log(p[np.arange(len(y)), y]).mean(), False),
    "test_ece": (lambda p, y: expected_calibration_error(np.log(p), y, BINS), False),
}


@pytest.mark.parametrize(("networks", "seeds"), [(2, 2), (2, 3), (3, 3), (3, 7)])
def test_both_kinds_of_ensembles_are_made_of_the_same_models(networks, seeds):
    design = Design(networks, seeds)
    models = networks * seeds
    assert sorted(chain(*design.over_networks)) == [*range(models)]
    for group in design.over_networks:
        assert [model // seeds for model in group] == [*range(networks)]
        assert len({model % seeds for model in group}) == 1
    for group in design.of_one_network:
        assert len(set(group)) == networks
        assert len({model // seeds for model in group}) == 1
    counts = np.bincount([*chain(*design.of_one_network)], minlength=models)
    assert len(set(counts)) == 1
    assert len(design.of_one_network) == networks * (seeds if seeds > networks else 1)


@pytest.mark.parametrize("measure", SCORES)
def test_values_are_those_of_the_averaged_probabilities(measure):
    models = predictions(seeds=3)
    deep, wide = models[:3], models[3:]
    score, higher = SCORES[measure]
    labels = models[0].labels
    over = [score(together([deep[seed], wide[seed]]), labels) for seed in range(3)]
    one = [
        [score(together([kind[a], kind[b]]), labels) for a, b in ((0, 1), (1, 2), (2, 0))]
        for kind in (deep, wide)
    ]
    members = [[score(together([model]), labels) for model in kind] for kind in (deep, wide)]
    row, sign = measured(models)[measure], 1 if higher else -1
    best = np.argmax if higher else np.argmin
    expected = {
        "ensemble": np.mean(over),
        "ensemble_error": stats.sem(over),
        "members_mean": np.mean(members),
        "best_members": np.mean(members, 1)[best(np.mean(members, 1))],
        "gain": sign * (np.mean(over) - np.mean(members)),
        "one_network": np.mean(one),
        "best_ensembles": np.mean(one, 1)[best(np.mean(one, 1))],
        "advantage": sign * (np.mean(over) - np.mean(one)),
    }
    for name, value in expected.items():
        assert row[name] == pytest.approx(value, rel=1e-9), name
    assert row["best_members_network"] == NAMES[best(np.mean(members, 1))]
    assert row["best_ensembles_network"] == NAMES[best(np.mean(one, 1))]
    assert (row["networks"], row["members"], row["seeds"], row["n"]) == ("deep + wide", 2, 3, 80)


def test_the_error_of_an_advantage_is_that_of_paired_samples():
    models = predictions(seeds=2, n=600)
    labels = models[0].labels
    rows = np.arange(600)
    losses = {
        pair: -np.log(together([models[i] for i in pair])[rows, labels])
        for pair in ((0, 2), (1, 3), (0, 1), (2, 3))
    }
    differences = (losses[0, 2] + losses[1, 3] - losses[0, 1] - losses[2, 3]) / 2
    row = measured(models)["test_nll"]
    assert row["advantage"] == pytest.approx(-differences.mean())
    assert row["advantage_error"] == pytest.approx(stats.sem(differences), rel=0.1)


def test_networks_that_err_differently_have_an_advantage_and_equal_ones_have_none():
    row = measured(predictions(seeds=4, n=900))["test_nll"]
    assert row["advantage"] > 3 * row["advantage_error"] > 0
    one = predictions(seeds=1, names=("deep",))[0]
    same = [
        Predictions(one.run | {"network": name, "seed": str(seed)}, one.logits, one.labels)
        for name, seed in product(NAMES, range(2))
    ]
    for row in measured(same).values():
        assert row["advantage"] == pytest.approx(0, abs=1e-12)
        assert row["advantage_error"] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("seeds", [1, 2])
def test_with_fewer_seeds_than_networks_there_is_no_ensemble_of_one_network(seeds, tmp_path):
    names = ("deep", "wide", "other")
    document = network_ensembles(names, predictions(seeds, names), [], [], BINS, CPU)
    path = tmp_path / "ensembles.json"
    write_json(path, document)
    row = {row["measure"]: row for row in read_json(path)["rows"]}["test_accuracy"]
    assert np.isfinite(row["gain"])
    assert {row["one_network"], row["advantage"], row["advantage_error"]} == {None}
    assert row["best_ensembles_network"] == ""
    assert (row["ensemble_error"] is None) == (seeds == 1)
    found = read_again(gathered({str(path): document}))
    assert found["advantage"].isna().all()
    summary = pd.DataFrame(columns=["dataset", "network", "condition", "n_untrained"])
    shown = markdown(text(found, advantages(found, summary)))
    assert "fewer seeds than networks" in shown
    assert f"mean over {'1 seed' if seeds == 1 else '2 seeds'}. One network" in shown


def test_models_of_other_samples_are_refused():
    models = [*predictions(seeds=2)[:2], *predictions(seeds=2, n=81)[2:]]
    with pytest.raises(InputError, match="other samples"):
        measured(models)


# --- corrupted copies -----------------------------------------------------------------------------


class Linear(nn.Module):
    """Logits of an image from its pixels; uint8 as stored."""

    def __init__(self, seed: int):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.weight = nn.Parameter(torch.randn(3, 16, generator=generator) / 100)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1).float() @ self.weight.T


def copies(n: int = 80) -> list[CorruptedCopies]:
    draws = torch.Generator().manual_seed(1)
    labels = torch.arange(n) % 3
    return [
        CorruptedCopies(
            name,
            [1, 3],
            torch.randint(0, 256, (2, n, 1, 4, 4), generator=draws, dtype=torch.uint8),
            labels,
            "generated",
        )
        for name in ("fog", "contrast")
    ]


def test_corruption_accuracy_is_that_of_a_loop_over_copies():
    models = [Linear(seed).eval() for seed in range(4)]
    document = network_ensembles(NAMES, predictions(seeds=2), models, copies(), BINS, CPU)
    row = document["rows"][-1]

    def accuracy(*chosen: int) -> float:
        hits = []
        for corrupted in copies():
            for images in corrupted.inputs:
                p = sum(models[i](images).double().softmax(1) for i in chosen)
                hits.append((p.argmax(1) == corrupted.labels).double().mean().item())
        return 100 * float(np.mean(hits))

    over, one = np.mean([accuracy(0, 2), accuracy(1, 3)]), np.mean([accuracy(0, 1), accuracy(2, 3)])
    assert (row["measure"], row["unit"], row["view"]) == (
        *("corruption_accuracy_generated", "percent"),
        "clean",
    )
    assert row["ensemble"] == pytest.approx(over)
    assert row["one_network"] == pytest.approx(one)
    assert row["advantage"] == pytest.approx(over - one)
    assert row["members_mean"] == pytest.approx(np.mean([accuracy(i) for i in range(4)]))


# --- tables and studies ---------------------------------------------------------------------------


def summary(*untrained: str) -> pd.DataFrame:
    # The last network predicts with no other.
    names = [("wide", f"c{number}") for number in range(4)] + [("other", "c0")]
    table = pd.DataFrame(names, columns=["network", "condition"]).assign(dataset="d")
    lost = table["condition"].isin(untrained) | (table["network"] == "other")
    return table.assign(n_untrained=lost.astype(int))


def table(conditions: int = 4) -> pd.DataFrame:
    documents = {}
    for number in range(conditions):
        models = predictions(seeds=2, n=60 + number)
        models = [
            Predictions(m.run | {"condition": f"c{number}"}, m.logits, m.labels) for m in models
        ]
        documents[f"{number}.json"] = network_ensembles(NAMES, models, [], [], BINS, CPU)
    return gathered(documents)


def test_the_mean_advantage_has_students_interval_over_conditions():
    found = table()
    assert list(found) == COLUMNS
    rows = advantages(found, summary()).set_index("measure")
    for measure, row in rows.iterrows():
        values = found.loc[found["measure"] == measure, "advantage"].to_numpy()
        width = stats.t.ppf(0.975, 3) * values.std(ddof=1) / 2
        assert row["lower"] == pytest.approx(values.mean() - width)
        assert row["upper"] == pytest.approx(values.mean() + width)
        t = values.mean() / (values.std(ddof=1) / 2)
        assert row["p_value"] == pytest.approx(2 * stats.t.sf(abs(t), 3))
        assert row["conditions"] == 4


def test_one_condition_has_no_interval():
    rows = advantages(table(conditions=1), summary())
    assert rows[["lower", "upper", "p_value"]].isna().all(axis=None)
    assert "—" in markdown(text(table(conditions=1), rows))


def test_a_reader_sees_members_ensembles_of_one_network_and_those_over_networks():
    found = table()
    shown = markdown(text(found, advantages(found, summary())))
    assert "Left out" not in shown
    for word in ("deep + wide", "of ensembles of one network", "Advantage, accuracy (pp)", "c3"):
        assert word in shown
    assert "<table" in html(text(found, advantages(found, summary())))


def test_conditions_in_which_a_network_did_not_train_are_left_out_by_name():
    found = table()
    rows = advantages(found, summary("c1", "c3"))
    assert set(rows["left_out"]) == {"c1, c3"}
    assert set(rows["conditions"]) == {2}
    kept = found[found["condition"].isin(["c0", "c2"])]
    means = kept.groupby("measure")["advantage"].mean()
    assert rows.set_index("measure")["advantage"].to_dict() == pytest.approx(means.to_dict())
    assert "since a network did not train: c1, c3." in markdown(text(found, rows))


def test_a_document_that_lacks_a_value_is_named():
    with pytest.raises(InputError, match=r"a\.json: no document of ensembles over networks"):
        gathered({"a.json": {"rows": [{"dataset": "d"}]}})


def test_networks_that_predict_together_are_those_of_a_data_set_in_the_order_of_the_study():
    evaluation = {"network_ensembles": ["vgg", "resnet"]}
    loaded = study(evaluation=evaluation, datasets={"small": {"networks": ["vgg"]}})
    assert loaded.network_ensembles == {"large": ["resnet", "vgg"]}
    assert "network_ensemble_advantages" in products.tables(loaded)["network_ensembles"].gives
    assert "network_ensembles" not in products.tables(study())


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"evaluation": {"network_ensembles": ["vgg", "resnt"]}},
            "evaluation.network_ensembles: no network 'resnt'; did you mean 'resnet'?",
        ),
        (
            {
                "evaluation": {"network_ensembles": ["vgg", "resnet"]},
                "datasets": {
                    "small": {"networks": ["vgg"]},
                    "large": {"networks": ["resnet"]},
                },
            },
            "evaluation.network_ensembles: no data set trains vgg and another of these networks;"
            " add one to it, or leave vgg out",
        ),
        (
            {
                "networks": {"vit": {"architecture": "vit"}},
                "evaluation": {"network_ensembles": ["vgg", "resnet", "vit"]},
                "datasets": {
                    "small": {"networks": ["vgg", "resnet"]},
                    "large": {"networks": ["vit"]},
                },
            },
            "evaluation.network_ensembles: no data set trains vit and another of these networks;"
            " add one to it, or leave vit out",
        ),
    ],
)
def test_networks_that_cannot_predict_together_are_refused(changes, line):
    assert refusal(**changes) == line
