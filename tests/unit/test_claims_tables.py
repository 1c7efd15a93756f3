import re
from html import unescape

import numpy as np
import pandas as pd
import pytest
from claim_cases import values_and_conditions

from minimascope.analysis.claims import CLAIMS, claims
from minimascope.analysis.claims_tables import MOST_UNFOLDED, to_html, to_markdown
from minimascope.analysis.comparable import measured


@pytest.fixture(scope="module")
def found() -> pd.DataFrame:
    values, conditions = values_and_conditions(np.random.default_rng(0), effect=20.0)
    return claims(measured(values, conditions))


def test_every_sentence_is_there_once_with_its_verdict(found):
    markdown, page = to_markdown(found), unescape(to_html(found))
    assert found["sentence"].str.contains(r"\d").sum() >= 4
    for row in found.itertuples():
        verdict, rest = row.sentence.split(" ", 1)
        assert markdown.count(f"**{verdict}** {rest}") == 1
        assert page.count(f'<b class="{row.verdict}">{verdict}</b> {rest}') == 1


def test_few_seeds_are_said_to_be_few(found):
    assert "5 seeds are few" in to_html(found)


def test_each_claim_says_how_often_it_has_which_verdict(found):
    repeated = pd.concat([found, found.assign(network="another")])
    summaries = re.findall(r"<summary>(\d)\. (.*?) <small>(.*?)</small>", to_html(repeated))
    assert {int(number): unescape(text) for number, text, _ in summaries} == CLAIMS
    for number, _, verdicts in summaries:
        counts = repeated.loc[repeated["claim"] == int(number), "verdict"].value_counts()
        said = dict(part.rsplit(" ", 1) for part in verdicts.split(" · "))
        assert said == counts.astype(str).to_dict()


@pytest.mark.parametrize(("rows", "unfolded"), [(MOST_UNFOLDED, 1), (MOST_UNFOLDED + 1, 0)])
def test_claims_about_many_networks_are_folded(found, rows, unfolded):
    page = to_html(pd.concat([found[found["claim"] == 1]] * rows))
    assert page.count("<details") == 1
    assert page.count(" open>") == unfolded


def test_names_of_a_study_are_text(found):
    page = to_html(found.assign(source="<script>", sentence="Supported for <b>x</b>."))
    assert "<script>" not in page
    assert "&lt;b&gt;x&lt;/b&gt;" in page


def test_a_baseline_of_another_name_is_named(found):
    assert "baseline" not in to_html(found[:1]).partition("seeds")[2].partition("</li>")[0]
    assert "seeds; baseline sgd)" in to_html(found.assign(baseline="sgd"))
