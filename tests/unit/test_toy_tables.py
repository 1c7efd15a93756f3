"""Tables and figures of toy fits, from rows made by hand."""

import math
from typing import Any

import pandas as pd
import pytest

from minimascope.analysis.render import markdown
from minimascope.analysis.toy_fits import COLUMNS, fits_table, summarise_fits, text
from minimascope.analysis.toy_mirror import mirror_tables
from minimascope.plots.style import save_svg
from minimascope.registry import TOY_FUNCTIONS
from minimascope.tables_and_figures import STUDY_FIGURES


def row(function: str, seed: int, at: str, value: float, **changes: Any) -> dict[str, Any]:
    estimates = ("sharpness", "standard_error", "sharpness_signed", "standard_error_signed")
    numbers = {"train_loss": 2.0 + seed, "test_loss": 4.0 + seed, "gap": 2.0, "noise_floor": 0.0}
    numbers |= dict.fromkeys(estimates, 1.0 + seed) | {"seconds": 0.1, "radius": 0.5}
    numbers |= {"hessian_top_eigenvalue": 5.0, "hessian_residual": 0.0, "hessian_trace": 9.0 + seed}
    counts = {"epoch": 1, "samples": 9, "points": 7}
    return (
        {"function": function, "seed": seed, "at": at, "value": value} | numbers | counts | changes
    )


def unreached(function: str, seed: int, value: float) -> dict[str, Any]:
    nothing = {"epoch": None, "train_loss": None, "test_loss": None, "gap": None}
    return {"function": function, "seed": seed, "at": "loss", "value": value} | nothing


def table(functions=("sphere", "booth"), seeds=(0, 1, 2), reached: bool = True) -> pd.DataFrame:
    rows = []
    for function in functions:
        for seed in seeds:
            rows += [
                row(function, seed, "epoch", epoch, epoch=epoch, radius=radius)
                for epoch in (1, 10)
                for radius in (0.005, 0.5)
            ]
            if reached and seed < 2:
                rows.append(row(function, seed, "loss", 100.0, epoch=3 + 2 * seed))
            else:
                rows.append(unreached(function, seed, 100.0))
    return fits_table({"a.json": {"rows": rows}})


def test_the_table_has_the_rows_of_all_documents():
    rows = row("sphere", 0, "epoch", 1), unreached("beale", 1, 9)
    frame = fits_table({f"{own['function']}.json": {"rows": [own]} for own in rows})
    assert list(frame.columns) == COLUMNS
    assert frame["function"].tolist() == ["sphere", "beale"]
    assert frame["epoch"].isna().tolist() == [False, True]
    assert frame.to_csv(index=False).splitlines()[1].startswith("sphere,0,epoch,1,1,2.0,4.0")


def test_the_summary_has_mean_and_standard_error_of_the_seeds_that_got_there():
    summary = summarise_fits(table())
    reached = summary[(summary["function"] == "booth") & (summary["at"] == "loss")]
    assert reached["seeds"].tolist() == [2]
    assert reached["epoch"].tolist() == [4]
    assert reached["epoch_sem"].item() == pytest.approx(math.sqrt(2) / math.sqrt(2))
    at_epoch = summary[(summary["function"] == "booth") & (summary["at"] == "epoch")]
    assert len(at_epoch) == 2 * 2
    assert at_epoch["sharpness"].tolist() == [2.0] * 4
    assert at_epoch["sharpness_sem"].tolist() == pytest.approx([1 / math.sqrt(3)] * 4)
    assert summarise_fits(table(seeds=[0]))["sharpness_sem"].isna().all()
    assert set(summarise_fits(table(reached=False))["at"]) == {"epoch"}


def test_readers_get_a_row_for_each_function_and_place():
    [readable] = text(summarise_fits(table()))
    assert list(readable.index) == [
        *("Sphere, epoch 1", "Sphere, epoch 10", "Sphere, loss ≤ 100"),
        *("Booth, epoch 1", "Booth, epoch 10", "Booth, loss ≤ 100"),
    ]
    assert readable.loc["Booth, loss ≤ 100", ["Seeds", "Epoch"]].tolist() == ["2", "4.00 ± 1.00"]
    assert readable.loc["Booth, epoch 10", ["Seeds", "Epoch"]].tolist() == ["3", "10"]
    assert "S, ρ = 0.005" in markdown([readable])
    assert "2–3 seeds" in readable.attrs["caption"]


@pytest.mark.parametrize("figure", STUDY_FIGURES)
@pytest.mark.parametrize(
    "extreme",
    [
        {"functions": TOY_FUNCTIONS},
        {"functions": ["beale"], "seeds": [5]},
        {"reached": False},
    ],
)
def test_figures_are_drawn_with_one_seed_or_function_and_where_nothing_was_reached(figure, extreme):
    draw, needs = STUDY_FIGURES[figure].load(), STUDY_FIGURES[figure].needs
    fits = table(**extreme)
    tables = {"toy_fits": fits, "toy_mirror_points": mirror_tables(fits)[-1]}
    first, again = (save_svg(draw(*(tables[name] for name in needs))) for _ in range(2))
    assert first == again
    assert b"nan" not in first.lower()


def test_figures_say_so_where_no_loss_was_reached():
    fits = table(reached=False)
    tables = {
        "toy_fits-equal_loss": (fits, "no network came to any of the losses"),
        "toy_mirror": (mirror_tables(fits)[-1], "no network reached any of the losses"),
    }
    for name, (drawn, told) in tables.items():
        svg = save_svg(STUDY_FIGURES[name].load()(drawn))
        assert told in svg.decode()


def test_networks_below_a_loss_after_their_first_epoch_are_not_drawn_there():
    fits = table(functions=("sphere", "booth", "beale"))
    at_loss = fits["at"] == "loss"
    fits.loc[at_loss & (fits["function"] == "sphere") & (fits["seed"] == 0), "epoch"] = 1
    fits.loc[at_loss & (fits["function"] == "booth") & (fits["seed"] < 2), "epoch"] = 1
    figure = STUDY_FIGURES["toy_fits-equal_loss"].load()(fits)
    [legend] = figure.legends
    assert [entry.get_text() for entry in legend.get_texts()] == ["Sphere", "Beale"]
    [axes] = figure.axes
    drawn = [line.get_ydata().tolist() for line in axes.lines if len(line.get_ydata())]
    # Seeds 0 and 1 have a sharpness of 1 and 2.
    assert sorted(values for values in drawn if len(values) == 1) == [[1.5], [2.0]]
    points = mirror_tables(fits)[-1]
    assert set(points.loc[points["at"] == "loss", "function"]) == {"sphere", "beale"}
