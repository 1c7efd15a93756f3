"""Published cells, runs and summaries for tests of the comparison with published numbers."""

import io
import math
from pathlib import Path

import pandas as pd

from minimascope.analysis.agreement import compare
from minimascope.analysis.published import published_values
from minimascope.analysis.summary import SUMMARY_COLUMNS

PUBLISHED = Path(__file__).parents[2] / "resources" / "published"
HEADER = (
    "source,table,dataset,architecture,pretrained,published_condition,metric,mean,sem,unit,n_seeds,uncertain,"
    "note"
)
NEW, OLD = "function_centric_2026", "geometric_reappraisal_2025"
CONDITION_NAMES = [
    f"{name}{sam}" for name in ("baseline", "augmentation", "weight_decay") for sam in ("", "_sam")
]


def read_published(source):
    """Published values of a file, read as the workflow does."""
    return published_values(pd.read_csv(source, dtype=str, keep_default_na=False))


def published_rows(*rows):
    """Published rows of (name, metric, mean, sem), with a source and uncertain if given."""
    lines = [HEADER]
    for name, metric, mean, sem, *rest in rows:
        source, uncertain = (*rest, *(NEW, "false")[len(rest) :])
        lines.append(
            f"{source},3,cifar10,resnet18,false,{name},{metric},{mean},{sem},none,10,{uncertain},"
        )
    return read_published(io.StringIO("\n".join(lines)))


def run_rows(names=CONDITION_NAMES, **changes):
    """Our conditions, called other than the published conditions."""
    row = {
        "dataset": "our_cifar",
        "network": "our_resnet",
        "published_dataset": "cifar10",
        "architecture": "resnet18",
        "pretrained": False,
    }
    rows = [
        {
            "condition": f"our_{name}",
            "published_condition": name,
            "rho": 0.05 if name.endswith("_sam") else math.nan,
            "augmented": name.startswith("augmentation"),
        }
        for name in names
    ]
    return pd.DataFrame(rows).assign(**row | changes)


def summary_rows(*rows):
    """Summary of (name, measure, mean, sem, seeds), with a view if given."""
    columns = ["condition", "measure", "mean", "sem", "n_seeds", "view"]
    table = pd.DataFrame(
        [(f"our_{name}", *rest, "clean")[: len(columns)] for name, *rest in rows],
        columns=columns,
    )
    own = {"dataset": "our_cifar", "network": "our_resnet"}
    return table.assign(**own).reindex(columns=SUMMARY_COLUMNS)


def one_cell(published, ours):
    [cell] = compare(summary_rows(*ours), run_rows(), published).to_dict("records")
    return cell


def published_as_ours(published):
    """Conditions and a summary that hold the published means themselves, with the sweep."""
    rho = published["rho"].fillna(
        published["published_condition"].str.endswith("_sam").map({True: 0.05, False: math.nan})
    )
    rows = published.assign(
        rho=rho, condition=published["published_condition"] + rho.map("{:g}".format)
    )
    rows["network"] = rows["architecture"]
    rows["augmented"] = False
    runs = rows.rename(columns={"dataset": "published_dataset"}).assign(dataset=rows["dataset"])
    names = {
        "test_ece": "test_ece_published",
        "sam_sharpness": "sam_sharpness_published",
        "relative_flatness": "relative_flatness_published",
    }
    older = rows["source"] == OLD
    measure = rows["metric"].replace(names)
    rows["measure"] = measure.mask(older & (measure == "fisher_rao_norm"), "fisher_rao_norm_l5")
    runs = runs.drop(columns=[c for c in runs if c in ("metric", "mean", "sem", "source", "note")])
    keys = [
        "dataset",
        "network",
        "published_dataset",
        "architecture",
        "pretrained",
        "published_condition",
        "rho",
    ]
    return runs.drop_duplicates(keys), rows.assign(view="clean", n_seeds=3)


def ordered_cells(published_means, our_means, **changes):
    of_published = zip(CONDITION_NAMES, published_means, strict=False)
    published = published_rows(
        *[(name, "test_accuracy", mean, "0.001") for name, mean in of_published]
    )
    own = zip(CONDITION_NAMES, our_means, strict=False)
    ours = [(name, "test_accuracy", mean, 0.001, 3) for name, mean in own]
    return compare(summary_rows(*ours), run_rows(), published.assign(**changes))
