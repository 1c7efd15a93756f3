"""Heights of all paths between networks in one table, over seeds and as text."""

from io import StringIO

import pandas as pd
import pytest
from refusals import refused

from minimascope.analysis.barriers import barrier_table, by_path, text

PATH = "baseline – next seed"


def document(seed: int, **heights: float) -> dict:
    run = {"dataset": "digits", "network": "mlp", "seed": str(seed)}
    lines = [
        {"path": PATH, "kind": kind, "end_seed": seed + 1, "barrier": height, "instability": 3.0}
        for kind, height in heights.items()
    ]
    return {"run": run, "lines": lines, "unit": "nats", "n": 1500, "batchnorm": None}


DOCUMENTS = {
    "0.json": document(0, straight=1.0, matched=0.25),
    "1.json": document(1, straight=2.0, matched=0.25),
    "2.json": document(2),
}


def test_each_path_has_a_row_with_the_seeds_of_both_networks():
    table = barrier_table(DOCUMENTS)
    assert len(table) == 4
    row = table[(table.seed == 1) & (table.kind == "matched")].iloc[0]
    assert (row.end_seed, row.barrier, row.instability, row.unit, row.n) == (
        2,
        0.25,
        3,
        "nats",
        1500,
    )


def test_heights_are_averaged_over_the_lines_of_a_path():
    means = by_path(barrier_table(DOCUMENTS)).set_index("kind")
    assert means["n_lines"].tolist() == [2, 2]
    assert means["barrier_mean"].tolist() == [1.5, 0.25]
    assert means["barrier_sem"].tolist() == [0.5, 0]
    single = by_path(barrier_table({"0.json": DOCUMENTS["0.json"]}))
    assert single["barrier_sem"].isna().all()


def test_readers_see_the_paths_of_a_network_below_each_other():
    (table,) = text(by_path(barrier_table(DOCUMENTS)))
    assert table["Path"].tolist() == ["straight line", "straight line, units matched"]
    assert table["Barrier"].tolist() == ["1.50 ± 0.50", "0.250 ± 0.000"]
    assert table.index.tolist() == [PATH, PATH]
    assert table.attrs["caption"].startswith(
        "mlp on digits, 2 lines of each path, mean ± standard error"
    )
    assert "(1,500 samples)" in table.attrs["caption"]


def test_readers_are_told_what_batchnorm_normalises_by():
    captions = [text(by_path(barrier_table(DOCUMENTS)))[0].attrs["caption"]]
    for batchnorm in ("reestimated", "interpolated"):
        documents = {name: each | {"batchnorm": batchnorm} for name, each in DOCUMENTS.items()}
        means = by_path(barrier_table(documents))
        assert means["batchnorm"].eq(batchnorm).all()
        captions.append(text(means)[0].attrs["caption"])
    plain, reestimated, interpolated = captions
    assert "BatchNorm" not in plain
    told = " BatchNorm's statistics are estimated anew at each point, also of both networks."
    assert reestimated == plain + told
    assert interpolated.startswith(f"{plain} BatchNorm's statistics are mixed from those of both")


@pytest.mark.parametrize("missing", ["lines", "unit", "batchnorm"])
def test_another_document_is_refused(missing):
    damaged = {key: value for key, value in DOCUMENTS["0.json"].items() if key != missing}
    with refused("0.json: no document of lines between networks", f"'{missing}' is missing"):
        barrier_table({"0.json": damaged})


def test_a_table_read_from_its_file_gives_the_same_text():
    means = by_path(barrier_table(DOCUMENTS))
    read = pd.read_csv(StringIO(means.to_csv(index=False)))
    assert text(read)[0].equals(text(means)[0])
