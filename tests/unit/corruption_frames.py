"""Made-up tables of corruptions, for their figures."""

import io
from base64 import b64encode

import numpy as np
import pandas as pd
from figure_cases import CONDITIONS, SCENES, SEEDS, of_models, plain_conditions, read_again
from PIL import Image

from minimascope.analysis.corruptions import corruption_table
from minimascope.data.corruptions.kinds import KINDS_OF


def corruptions_frame(conditions=CONDITIONS, seeds=SEEDS, kind="images"):
    """The table of a network under all corruptions, each stronger on every further condition."""
    random = np.random.default_rng(7)
    names = [name for made in KINDS_OF[kind].values() for name in made]
    accuracies = of_models(
        conditions,
        seeds,
        lambda i, _seed: pd.DataFrame(
            {
                "corruption": name,
                "severity": severity,
                "accuracy": 0.9 - 0.003 * severity * (i + 1) * (j % 4) + 0.004 * random.random(),
                "n": 200,
                "origin": "generated",
            }
            for j, name in enumerate(names)
            for severity in range(1, 6)
        ),
    )
    baselines = plain_conditions(conditions).assign(baseline=conditions[0])
    baselines.loc[0, "baseline"] = np.nan
    trained = accuracies.assign(trained=True)
    return read_again(corruption_table(accuracies, trained, baselines, smallest_differences={}))


def corrupted_samples_frame(kind="images", side=8):
    """Pictures that say by their level which corruption (tens) and severity (ones) they show."""
    names = [name for made in KINDS_OF[kind].values() for name in made]
    cells = [("none", 0, 0)]
    cells += [(name, s, 10 * i + s) for i, name in enumerate(names, 1) for s in (1, 3, 5)]
    rows = []
    for name, severity, level in cells:
        stream = io.BytesIO()
        Image.new("L", (side, side), level).save(stream, "PNG")
        picture = b64encode(stream.getvalue()).decode()
        rows.append({"corruption": name, "severity": severity, "picture": picture})
    return pd.DataFrame(rows).assign(dataset=SCENES, of=kind, label="7")
