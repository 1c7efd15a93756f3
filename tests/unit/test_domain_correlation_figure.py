"""The figure of sharpness against accuracy in each domain."""

import numpy as np
import pandas as pd
from figure_cases import SCENES, figure_of, names, panel, read_again
from table_frames import read_again as stored


def frame(measures=("asc_sharpness",), **changes):
    """Correlations in the domains A10, A2 (both unseen) and B, and in Lyon, of two networks."""
    places = [("domain", "A10", False), ("domain", "A2", False), ("domain", "B", True)]
    places.append(("city", "Lyon", np.nan))
    rows = [
        {"network": network, "sharpness": measure, "evaluation": evaluation}
        | {"kind": kind, "name": name, "seen": seen, "value": 0.1 * i - 0.2}
        | {"p_holm": 0.01 if name == "B" else 0.5}
        for measure in measures
        for evaluation in ("accuracy", "accuracy_above_others")
        for network in ("all", "cnn10", "cnn14")
        for i, (kind, name, seen) in enumerate(places)
    ]
    table = pd.DataFrame(rows).assign(dataset=SCENES, n=8)
    table = table.assign(lower=table["value"] - 0.3, upper=table["value"] + 0.4)
    return stored(table.assign(**changes))


def drawn(table):
    return figure_of("domain_correlations", {"domain_correlations": read_again(table)})


def test_domains_of_training_come_first_in_natural_order_and_then_cities():
    axes = drawn(frame()).axes[0]
    assert names(axes.get_yticklabels()) == ["B", "(A2)", "(A10)", "Lyon"]
    assert axes.yaxis_inverted()


def test_each_network_has_its_interval_at_its_domain_and_what_is_sure_is_filled():
    axes = panel(drawn(frame()), "ASC sharpness with accuracy")
    bars = axes.containers
    assert len(bars) == 3 * 4
    ends, filled = [], []
    for bar in bars:
        dot, _, (line,) = bar.lines
        [segment] = line.get_segments()
        ends.append((dot.get_xdata()[0], round(dot.get_ydata()[0]), *segment[:, 0]))
        filled.append(dot.get_markerfacecolor() != "white")
    by_place = {place: (value, low, high) for value, place, low, high in ends}
    # A10 has the first value, and is the third name from above.
    assert np.allclose(by_place[2], (-0.2, -0.5, 0.2))
    assert np.allclose(by_place[0], (0.0, -0.3, 0.4))
    assert sum(filled) == 3
    assert all(place == 0 for (_, place, _, _), sure in zip(ends, filled, strict=True) if sure)


def test_asc_sharpness_stands_alone_and_otherwise_the_measures_of_the_main_table_do():
    assert len(drawn(frame(("asc_sharpness", "sam_sharpness"))).axes) == 2
    others = drawn(frame(("sam_sharpness", "fisher_rao_norm", "hessian_trace")))
    assert len(others.axes) == 4
    titles = [axes.get_title() for axes in others.axes]
    assert titles[0] == "Fisher–Rao norm with accuracy"


def test_without_intervals_the_figure_says_so():
    nothing = drawn(frame(lower=np.nan, upper=np.nan))
    assert nothing.get_label() == "too few conditions for correlations in each domain"
