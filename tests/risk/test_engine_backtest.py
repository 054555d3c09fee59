"""Backtests against published figures: MATLAB's documentation, the Basel table, Kupiec's regions.

The MATLAB figures are those of the pages on `varbacktest`, `tbf` and `tuff` (Risk Management
Toolbox); the Basel figures are of table 2 in the Committee's paper of January 1996; the regions of
Kupiec's table are recomputed from his formula.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liquidity.engine.boundary import BoolArray
from risk.engine.backtest import (
    Transitions,
    Zone,
    christoffersen,
    conditional_coverage,
    cumulative,
    first_failure,
    forecasts,
    judge,
    kupiec,
    plus_factor,
    transitions_of,
    zone_of,
)
from risk.engine.tails import tail
from risk.errors import NotEnoughData

IN_250_DAYS = [
    5.0252, 1.1765, 0.1084, 0.0949, 0.7691, 1.9568, 3.5554, 5.4970, 7.7336, 10.2290, 12.9555,
]  # fmt: skip
CUMULATIVE_PERCENT = [
    8.11, 28.58, 54.32, 75.81, 89.22, 95.88, 98.63, 99.60, 99.89, 99.97, 99.99,
]  # fmt: skip
# Numbers of exceedances that a test at 95 % does not reject, both ends included.
NOT_REJECTED = [
    (255, 0.05, 7, 20),
    (510, 0.01, 2, 10),
    (510, 0.05, 17, 35),
    (1000, 0.01, 5, 16),
    (1000, 0.05, 38, 64),
]
CHI_SQUARED_95 = 3.841458820694124


def hits(*days: int, of: int = 250) -> BoolArray:
    found = np.zeros(of, dtype=np.bool_)
    found[list(days)] = True
    return found


def test_the_proportion_of_failures_in_the_documentation_of_matlab() -> None:
    found = kupiec(days=1043, exceedances=57, probability=0.05)
    assert found.statistic == pytest.approx(0.46147, abs=5e-6)
    assert found.p_value == pytest.approx(0.49694, abs=5e-6)


def test_the_time_until_the_first_failure_in_the_documentation_of_matlab() -> None:
    found = first_failure(day=58, probability=0.05)
    assert found.statistic == pytest.approx(1.7354, abs=5e-5)
    assert found.p_value == pytest.approx(0.18773, abs=5e-6)


@pytest.mark.parametrize("exceedances", range(11))
def test_the_proportion_of_failures_in_250_days(exceedances: int) -> None:
    found = kupiec(days=250, exceedances=exceedances, probability=0.01)
    assert found.statistic == pytest.approx(IN_250_DAYS[exceedances], abs=5e-5)


@pytest.mark.parametrize(("days", "probability", "fewest", "most"), NOT_REJECTED)
def test_the_regions_in_which_kupiec_does_not_reject(
    days: int, probability: float, fewest: int, most: int
) -> None:
    kept = [
        count
        for count in range(days // 2)
        if kupiec(days=days, exceedances=count, probability=probability).statistic < CHI_SQUARED_95
    ]
    assert (kept[0], kept[-1]) == (fewest, most)


@pytest.mark.parametrize("exceedances", range(11))
def test_the_table_of_the_basel_committee(exceedances: int) -> None:
    share = cumulative(days=250, exceedances=exceedances, probability=0.01)
    assert round(100 * share, 2) == CUMULATIVE_PERCENT[exceedances]
    zone = zone_of(days=250, exceedances=exceedances)
    expected = Zone.GREEN if exceedances < 5 else Zone.YELLOW if exceedances < 10 else Zone.RED
    assert zone is expected
    plus = {5: 0.40, 6: 0.50, 7: 0.65, 8: 0.75, 9: 0.85, 10: 1.0}
    assert plus_factor(zone=zone, exceedances=exceedances) == plus.get(exceedances, 0.0)


def test_twenty_years_of_the_currency_book() -> None:
    """ECB reference rates 2005 to 2024, third worst of 250: 62 exceeded, two of them in a row."""
    proportion = kupiec(days=4871, exceedances=62, probability=0.01)
    assert proportion.statistic == pytest.approx(3.3716649123120987)
    assert proportion.p_value == pytest.approx(0.06632669492425286)
    independence = christoffersen(Transitions(n00=4748, n01=60, n10=60, n11=2))
    assert independence.statistic == pytest.approx(1.3460745909636707, rel=1e-6)
    assert independence.p_value == pytest.approx(0.24596553613428296, rel=1e-6)
    both = conditional_coverage(proportion, independence)
    assert both.statistic == pytest.approx(4.717739503275769, rel=1e-6)
    assert both.p_value == pytest.approx(0.09452700183074172, rel=1e-6)


def test_exceedances_far_apart_are_independent() -> None:
    report = judge(hits(20, 70, 120, 170, 220), probability=0.01)
    assert report.transitions == Transitions(n00=239, n01=5, n10=5, n11=0)
    assert report.independence is not None
    assert report.conditional is not None
    assert report.independence.statistic == pytest.approx(0.20493237652149787)
    assert report.independence.p_value == pytest.approx(0.6507686878924301)
    assert report.conditional.statistic == pytest.approx(2.1617421647521198)
    assert (report.first, report.zone, report.plus) == (21, Zone.YELLOW, 0.40)


def test_the_same_number_in_a_row_is_not() -> None:
    """Kupiec sees five of 250 either way; only the order tells them apart."""
    report = judge(hits(100, 101, 102, 103, 104), probability=0.01)
    assert report.transitions == Transitions(n00=243, n01=1, n10=1, n11=4)
    assert report.independence is not None
    assert report.conditional is not None
    assert report.proportion.statistic == pytest.approx(1.956809788230622)
    assert report.independence.statistic == pytest.approx(30.98481265704308)
    assert report.independence.p_value == pytest.approx(2.600554120177156e-08)
    assert report.conditional.statistic == pytest.approx(32.9416224452737)


def test_days_without_an_exceedance_have_no_first_one() -> None:
    report = judge(hits(), probability=0.01)
    assert (report.exceedances, report.first, report.tuff) == (0, None, None)
    assert report.zone is Zone.GREEN
    with pytest.raises(NotEnoughData):
        judge(hits(of=0), probability=0.01)


def test_a_single_day_says_nothing_about_order() -> None:
    report = judge(hits(0, of=1), probability=0.01)
    assert report.independence is None
    assert report.conditional is None
    assert report.first == 1


@given(st.lists(st.booleans(), min_size=2, max_size=300))
def test_likelihood_ratios_are_never_negative_and_counts_add_up(exceeded: list[bool]) -> None:
    report = judge(np.array(exceeded), probability=0.01)
    counts = report.transitions
    assert counts.n00 + counts.n01 + counts.n10 + counts.n11 == len(exceeded) - 1
    for ratio in (report.proportion, report.tuff, report.independence, report.conditional):
        if ratio is not None:
            assert ratio.statistic >= 0.0
            assert 0.0 <= ratio.p_value <= 1.0
    assert transitions_of(np.array(exceeded)) == counts


def test_a_forecast_knows_only_the_days_before_it() -> None:
    flows = np.random.default_rng(2).standard_t(4, size=320) * 1_000
    found = forecasts(flows, window=250, observations_min=100)
    assert len(found) == 220
    for day in (100, 101, 249, 250, 251, 319):
        alone = tail(flows[max(0, day - 250) : day]).var
        assert found[day - 100] == pytest.approx(alone, rel=1e-12)


def test_what_comes_later_changes_no_forecast() -> None:
    flows = np.random.default_rng(2).standard_t(4, size=320) * 1_000
    before = forecasts(flows, window=250, observations_min=100)
    flows[280] = -1e9
    after = forecasts(flows, window=250, observations_min=100)
    assert (before[: 281 - 100] == after[: 281 - 100]).all()
    assert (before[281 - 100 :] != after[281 - 100 :]).all()


def test_shifted_by_one_day_a_forecast_would_know_its_own_day() -> None:
    """The negative control: the series moved by one day answers to the day it is to forecast."""
    flows = np.random.default_rng(4).standard_t(4, size=320) * 1_000

    def at_day_280() -> tuple[float, float]:
        found = forecasts(np.append(flows, 0.0), window=250, observations_min=100)
        return float(found[280 - 100]), float(found[281 - 100])

    honest, shifted = at_day_280()
    flows[280] = -1e9
    assert at_day_280()[0] == honest
    assert at_day_280()[1] != shifted


def test_too_short_a_past_has_no_forecast() -> None:
    assert len(forecasts(np.ones(100), window=250, observations_min=100)) == 0
    assert len(forecasts(np.ones(101), window=250, observations_min=100)) == 1
