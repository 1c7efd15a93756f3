import io
from html import unescape

import numpy as np
import pandas as pd
import pytest
from claim_cases import values_and_conditions

from minimascope.analysis.claims import CLAIMS, claims
from minimascope.analysis.claims_tables import text
from minimascope.analysis.comparable import measured
from minimascope.analysis.render import MOST_UNFOLDED, html, markdown


@pytest.fixture(scope="module")
def found() -> pd.DataFrame:
    values, conditions = values_and_conditions(np.random.default_rng(0), effect=20.0)
    return claims(measured(values, conditions))


def test_every_sentence_is_there_once_with_its_verdict(found):
    shown, page = markdown(text(found)), unescape(html(text(found)))
    assert found["sentence"].str.contains(r"\d").sum() >= 4
    for row in found.itertuples():
        verdict, rest = row.sentence.split(" ", 1)
        assert shown.count(f"**{verdict}** {rest}") == 1
        assert page.count(f'<b class="{row.verdict}">{verdict}</b> {rest}') == 1


def test_few_seeds_are_said_to_be_few(found):
    assert "5 seeds are few" in html(text(found))


def test_each_claim_says_how_often_it_has_which_verdict(found):
    repeated = pd.concat([found, found.assign(network="another")])
    counts, *_ = text(repeated)
    assert list(counts.index) == [f"{number}. {claim}" for number, claim in CLAIMS.items()]
    for number, row in zip(CLAIMS, counts.to_dict("records"), strict=True):
        verdicts = repeated.loc[repeated["claim"] == number, "verdict"].value_counts()
        assert {name: count for name, count in row.items() if count} == verdicts.to_dict()


@pytest.mark.parametrize(("rows", "unfolded"), [(MOST_UNFOLDED, 1), (MOST_UNFOLDED + 1, 0)])
def test_claims_about_many_networks_are_folded(found, rows, unfolded):
    page = html(text(pd.concat([found[found["claim"] == 1]] * rows)))
    assert page.count("<details") == 1
    assert page.count(" open>") == unfolded


def test_names_of_a_study_are_text(found):
    page = html(text(found.assign(source="<script>", sentence="Supported for <b>x</b>.")))
    assert "<script>" not in page
    assert "&lt;b&gt;x&lt;/b&gt;" in page


def test_a_baseline_of_another_name_is_named(found):
    assert "baseline" not in html(text(found[:1])).partition("seeds")[2].partition("</li>")[0]
    assert "seeds; baseline sgd)" in html(text(found.assign(baseline="sgd")))


def test_claims_that_are_read_from_a_file_say_the_same(found):
    stored = pd.read_csv(io.StringIO(found.to_csv(index=False)))
    assert stored["source"].isna().all()
    assert markdown(text(stored)) == markdown(text(found))
