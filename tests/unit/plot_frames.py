"""Synthetic tables in the shape of a study's, for the tests of the figures."""

from itertools import combinations, product

import numpy as np
import pandas as pd

CONDITIONS = (
    "baseline",
    "baseline_sam",
    "augmentation",
    "augmentation_sam",
    "weight_decay",
    "weight_decay_sam",
)
SEEDS = (0, 1, 2)
# mean at the baseline, factor from condition to condition, spread over seeds, unit, family
MEASURES = {
    "fisher_rao_norm": (0.032, 2.6, 0.05, "1", "forward"),
    "relative_flatness": (0.4, 1.9, 0.1, "1", "forward"),
    "squared_weight_norm": (250.0, 1.05, 0.01, "1", "forward"),
    "train_loss": (0.002, 2.0, 0.1, "nats", "forward"),
    "train_accuracy": (0.99, 0.999, 0.001, "fraction", "forward"),
    "sam_sharpness": (0.003, 1.6, 0.08, "1", "perturbation"),
    "sam_sharpness_signed": (0.0004, -1.3, 0.8, "1", "perturbation"),
    "test_accuracy": (0.72, 1.05, 0.005, "fraction", "evaluation"),
    "generalisation_gap": (28.0, 0.9, 0.01, "percentage points", "evaluation"),
    "test_ece": (0.186, 0.7, 0.03, "fraction", "evaluation"),
    "test_ece_published": (0.188, 0.7, 0.03, "fraction", "evaluation"),
    "test_nll": (1.4, 0.85, 0.02, "nats", "evaluation"),
    "test_brier": (0.43, 0.85, 0.02, "1", "evaluation"),
    "corruption_accuracy": (58.6, 1.04, 0.01, "percent", "evaluation"),
}
RUN = {"dataset": "cifar10", "network": "resnet18"}
OTHER = {"dataset": "cifar10", "network": "vit"}


def measures_frame(conditions=CONDITIONS, seeds=SEEDS, run=RUN):
    random = np.random.default_rng(1)
    return pd.DataFrame(
        {
            **run,
            "condition": condition,
            "seed": seed,
            "view": "clean",
            "family": family,
            "measure": measure,
            "value": start * factor**i * (1 + spread * random.standard_normal()),
            "unit": unit,
            "protocol": "published" if "published" in measure else "corrected",
            "n": 10_000,
            "standard_error": np.nan,
            "noise_floor": np.nan,
            "converged": True,
            "seconds": 1.0,
        }
        for (i, condition), seed in product(enumerate(conditions), seeds)
        for measure, (start, factor, spread, unit, family) in MEASURES.items()
    )


def disagreement_frame(conditions=CONDITIONS, seeds=SEEDS, run=RUN):
    random = np.random.default_rng(2)
    columns = ["condition_a", "seed_a", "condition_b", "seed_b"]
    pairs = combinations(product(conditions, seeds), 2)
    frame = pd.DataFrame([(*a, *b) for a, b in pairs], columns=columns)
    same = frame["condition_a"] == frame["condition_b"]
    frame["prediction_disagreement"] = np.where(same, 0.12, 0.2) + 0.02 * random.random(len(frame))
    frame["jensen_shannon_divergence"] = frame["prediction_disagreement"] / 3
    frame["l2_distance"] = frame["prediction_disagreement"] * 2
    return frame.assign(**run, view="clean", n=10_000)


def history_frame(conditions=CONDITIONS, seeds=SEEDS, run=RUN, epochs=40):
    random = np.random.default_rng(3)
    epoch = np.arange(1, epochs + 1)
    parts = []
    for (i, condition), seed in product(enumerate(conditions), seeds):
        noise = np.exp(0.05 * random.standard_normal(epochs) + 0.3 * random.standard_normal())
        loss = 2.3 * np.exp(-epoch / (4 + 2 * i)) * noise + 0.002 * (i + 1)
        evaluated = (epoch % 2 == 0) | (epoch == epochs)
        parts.append(
            pd.DataFrame(
                {
                    **run,
                    "condition": condition,
                    "seed": seed,
                    "epoch": epoch,
                    "learning_rate": 0.01,
                    "train_loss": loss,
                    "train_accuracy": 1 - loss / 2.6,
                    "test_loss": np.where(evaluated, loss + 0.6 - 0.05 * i, np.nan),
                    "test_accuracy": np.where(evaluated, 0.8 - loss / 4 + 0.01 * i, np.nan),
                    "seconds": 1.0,
                    "samples_per_second": 1e4,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def reliability_frame(conditions=CONDITIONS, seeds=SEEDS, run=RUN, bins=15):
    edges = np.linspace(0, 1, bins + 1)
    middle = (edges[1:] + edges[:-1]) / 2
    parts = []
    for (i, condition), seed in product(enumerate(conditions), seeds):
        count = np.round(2000 * middle**3 + seed * 10).astype(int)
        count[0] = 0
        filled = count > 0
        parts.append(
            pd.DataFrame(
                {
                    **run,
                    "condition": condition,
                    "seed": seed,
                    "bin_lower": edges[:-1],
                    "bin_upper": edges[1:],
                    "count": count,
                    "confidence": np.where(filled, middle + 0.004 * seed, np.nan),
                    "accuracy": np.where(filled, middle ** (1.6 - 0.1 * i), np.nan),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def few_measures_frame(*args, **kwargs):
    frame = measures_frame(*args, **kwargs)
    return frame[frame["measure"].isin(["sam_sharpness", "test_nll", "corruption_accuracy"])]
