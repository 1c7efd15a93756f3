"""Printed cells, runs and summaries for tests of the comparison with print."""

import io
import math
from pathlib import Path

import pandas as pd

from minimascope.analysis.agreement import compare
from minimascope.analysis.printed import printed_values
from minimascope.analysis.summary import SUMMARY_COLUMNS

PUBLISHED = Path(__file__).parents[2] / "resources" / "print"
HEADER = (
    "source,table,dataset,architecture,pretrained,control,metric,mean,sem,unit,n_seeds,uncertain,"
    "note"
)
NEW, OLD = "function_centric_2026", "geometric_reappraisal_2025"
CONTROL_NAMES = [
    f"{name}{sam}" for name in ("baseline", "augmentation", "weight_decay") for sam in ("", "_sam")
]


def read_printed(source):
    """Printed values of a file, read as the workflow does."""
    return printed_values(pd.read_csv(source, dtype=str, keep_default_na=False))


def printed_rows(*rows):
    """Printed rows of (control, metric, mean, sem), with a source and uncertain if given."""
    lines = [HEADER]
    for control, metric, mean, sem, *rest in rows:
        source, uncertain = (*rest, *(NEW, "false")[len(rest) :])
        lines.append(
            f"{source},3,cifar10,resnet18,false,{control},{metric},{mean},{sem},none,10,"
            f"{uncertain},"
        )
    return read_printed(io.StringIO("\n".join(lines)))


def run_rows(controls=CONTROL_NAMES, **changes):
    """Our conditions, called other than the printed controls."""
    row = {
        "dataset": "our_cifar",
        "network": "our_resnet",
        "printed_dataset": "cifar10",
        "architecture": "resnet18",
        "pretrained": False,
    }
    rows = [
        {
            "condition": f"our_{control}",
            "control": control,
            "rho": 0.05 if control.endswith("_sam") else math.nan,
            "augmented": control.startswith("augmentation"),
        }
        for control in controls
    ]
    return pd.DataFrame(rows).assign(**row | changes)


def summary_rows(*rows):
    """Summary of (control, measure, mean, sem, seeds), with a view if given."""
    columns = ["condition", "measure", "mean", "sem", "n_seeds", "view"]
    table = pd.DataFrame(
        [(f"our_{control}", *rest, "clean")[: len(columns)] for control, *rest in rows],
        columns=columns,
    )
    own = {"dataset": "our_cifar", "network": "our_resnet"}
    return table.assign(**own).reindex(columns=SUMMARY_COLUMNS)


def one_cell(printed, ours):
    [cell] = compare(summary_rows(*ours), run_rows(), printed).to_dict("records")
    return cell


def printed_as_ours(printed):
    """Conditions and a summary that hold the printed means themselves, with the sweep."""
    rho = printed["rho"].fillna(
        printed["control"].str.endswith("_sam").map({True: 0.05, False: math.nan})
    )
    rows = printed.assign(rho=rho, condition=printed["control"] + rho.map("{:g}".format))
    rows["network"] = rows["architecture"]
    rows["augmented"] = False
    runs = rows.rename(columns={"dataset": "printed_dataset"}).assign(dataset=rows["dataset"])
    names = {
        "test_ece": "test_ece_published",
        "sam_sharpness": "sam_sharpness_published",
        "relative_flatness": "relative_flatness_published",
    }
    older = rows["source"] == OLD
    measure = rows["metric"].replace(names)
    rows["measure"] = measure.mask(older & (measure == "fisher_rao_norm"), "fisher_rao_norm_l5")
    runs = runs.drop(columns=[c for c in runs if c in ("metric", "mean", "sem", "source", "note")])
    keys = ["dataset", "network", "printed_dataset", "architecture", "pretrained", "control", "rho"]
    return runs.drop_duplicates(keys), rows.assign(view="clean", n_seeds=3)


def ordered_cells(printed_means, our_means, **changes):
    of_print = zip(CONTROL_NAMES, printed_means, strict=False)
    printed = printed_rows(*[(name, "test_accuracy", mean, "0.001") for name, mean in of_print])
    own = zip(CONTROL_NAMES, our_means, strict=False)
    ours = [(name, "test_accuracy", mean, 0.001, 3) for name, mean in own]
    return compare(summary_rows(*ours), run_rows(), printed.assign(**changes))
