"""Claims as readers see them: verdicts, sentences and what they rest on."""

from html import unescape

import numpy as np
import pandas as pd
import pytest
from claim_cases import made_up, named, row, values_and_conditions
from table_frames import read_again

from minimascope.analysis.claims import CLAIMS, claims, finding
from minimascope.analysis.claims_text import text
from minimascope.analysis.comparable import measured
from minimascope.analysis.render import html, markdown
from minimascope.components import IMAGES


@pytest.fixture(scope="module")
def found() -> pd.DataFrame:
    return claims(measured(*values_and_conditions(np.random.default_rng(0), effect=20.0), {}))


def test_every_sentence_is_there_once_with_its_verdict(found):
    shown, page = markdown(text(found)), unescape(html(text(found)))
    assert found["sentence"].str.contains(r"\d").sum() >= 4
    for said in found.itertuples():
        verdict, rest = said.verdict.capitalize(), said.sentence[len(said.verdict) + 1 :]
        name = said.verdict.replace(" ", "-")
        assert shown.count(f"**{verdict}** {rest}") == 1
        assert page.count(f'<b class="label {name}">{verdict}</b> {rest}') == 1


def test_a_verdict_has_the_p_value_that_it_rests_on(found):
    shown = markdown(text(found))
    for said in found.itertuples():
        p = {"supported": said.p_for, "contradicted": said.p_against}.get(said.verdict)
        end = f"{said.sentence.split(': ', 1)[1]} ("
        if said.verdict != "not applicable":
            assert (end + "5 seeds)" if p is None else end + "p = ") in shown
    assert "p for" not in shown


def test_few_seeds_are_said_to_be_few(found):
    page = html(text(found))
    assert "5 seeds are few" in page
    assert "so few cannot show whether they are" in page


def test_each_claim_has_a_verdict_for_each_network(found):
    repeated = pd.concat([found, found.assign(network="another")])
    matrix, *_ = text(repeated)
    assert list(matrix.index) == [
        f"{number}. {claim.statement}" for number, claim in CLAIMS.items() if claim.data == IMAGES
    ]
    assert matrix["another"].to_list() == found["verdict"].to_list()


def test_sentences_are_folded_below_the_verdicts(found):
    page = html(text(found))
    # Below them is one about how verdicts are found.
    assert page.count("<details") == found["claim"].nunique() + 1
    assert "<details open" not in page


def test_a_baseline_of_another_name_is_named(found):
    assert "baseline" not in html(text(found[:1])).partition("seeds")[2].partition("</li>")[0]
    assert "seeds; baseline sgd)" in html(text(found.assign(baseline="sgd")))


def test_claims_that_are_read_from_a_file_say_the_same(found):
    stored = read_again(found)
    assert stored["source"].isna().all()
    assert markdown(text(stored)) == markdown(text(found))


# Sentences


def test_conditions_that_are_best_alike_are_all_named():
    rows = {"baseline": row(1.0), "sam": row(2.0), "noise": row(3.0, 0.4)}
    best, sharpest = finding(CLAIMS[2], made_up(rows)), finding(CLAIMS[4], made_up(rows))
    assert "Best mean by Test accuracy: baseline and sam (0.500 ± 0.100)." in best.numbers
    assert "Best mean by Test ECE: baseline, sam and noise (0.100 ± 0.100)" in best.numbers
    assert "not the best one in 2 of 4 pairs" in sharpest.numbers
    many = {f"c{i}": row(1.0) for i in range(5)}
    best = finding(CLAIMS[2], made_up(many, baseline="c0"))
    assert "5 conditions alike (0.500 ± 0.100)" in best.numbers


def test_an_open_claim_says_which_parts_keep_it_open():
    rows = {"baseline": row(1.0), "sam": row((2.0, 1.05)), "noise": row((1.02, 3.0))}
    found = finding(CLAIMS[1], made_up(rows))
    assert found.unsure == (
        "Not sure in 2 of 4 comparisons. The least sure one: Fisher–Rao norm of noise is"
        " 1.02 ± 0.10, of baseline 1.00 ± 0.10; the difference, 0.020 ± 0.100, is not surely beyond"
        " or within ± 0.00"
    )
    best = finding(CLAIMS[2], named([row(1.0), row(2.0, 0.51, 0.01)], 0.02))
    assert best.unsure.startswith(
        "Not sure in 2 of 4 pairs of an evaluation and a measure (Test accuracy with Fisher–Rao"
        " norm; Test accuracy with SAM-sharpness). The least sure one: baseline may be among the"
        " best. Test accuracy of sam is 0.510 ± 0.020"
    )
    some = finding(CLAIMS[3], made_up({"baseline": row(1.0), "baseline_sam": row((1.1, 0.2))}))
    assert some.unsure.startswith(
        "Sure in none of 2 comparisons; 1 is still possible. The one nearest to sure: Fisher–Rao"
    )


def test_lower_calibration_errors_are_better():
    rows = {"baseline": row(1.0, 0.5, 0.3), "sam": row(2.0, 0.9, 0.1)}
    assert finding(CLAIMS[2], made_up(rows, 0.02)).numbers == (
        "Best mean by Test accuracy: sam (0.900 ± 0.020), surely sharper than the baseline by 2 of"
        " 2 measures. Best mean by Test ECE: sam (0.100 ± 0.020), surely sharper than the baseline"
        " by 2 of 2 measures"
    )
