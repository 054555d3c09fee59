"""VaR and ES: published rates, worked figures, properties; every definition by its own rule.

The figures of the currency book rest on the euro foreign exchange reference rates of the European
Central Bank: 1,000,000 EUR worth of dollars, 500,000 of pounds and -300,000 of francs, revalued
over the 250 days from 10 January to 31 December 2024.
"""

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liquidity.engine.boundary import FloatArray
from risk.engine.backtest import forecasts, judge
from risk.engine.moments import (
    Moments,
    cornish_fisher_var,
    moments_of,
    normal_es,
    normal_var,
)
from risk.engine.tails import Quantile, rank_from_worst, tail, tails
from risk.errors import FlowsNotFinite, NotEnoughData

RATES = Path(__file__).resolve().parents[3] / "shared/data/fx/ecb_reference_rates_2004_2025.csv"
BOOK_EUR = {"USD": 1_000_000.0, "GBP": 500_000.0, "CHF": -300_000.0}
# The five worst days of the currency book in 2024; all other days lost less.
WORST_FIVE = [21217.41917715081, 9279.752162321563, 8776.999612458138, 7792.965285553533]
WORST_FIVE += [7509.485395015226]
DEFINITIONS = {
    Quantile.HF6: 9023.348361891221,
    Quantile.HF7: 8294.822792274872,
    Quantile.HF1: 8776.999612458138,
    Quantile.THIRD_WORST: 8776.999612458138,
    Quantile.SECOND_WORST: 9279.752162321563,
}
# 2005 to 2024, each day forecast from the 250 days before it: 4,871 days, 48.7 expected.
EXCEEDED = {
    Quantile.HF6: (48, 0.918),
    Quantile.HF8: (57, 0.245),
    Quantile.SECOND_WORST: (37, 0.078),
    Quantile.HF1: (62, 0.06632669492425286),
    Quantile.HF7: (72, 0.0017401539557367791),
}
flows_of_days = st.lists(
    st.floats(min_value=-1e9, max_value=1e9, allow_nan=False), min_size=1, max_size=300
)


def year_of_2024() -> FloatArray:
    """Return 250 flows whose worst five are those of the currency book, in no order."""
    flows = np.concatenate([-np.array(WORST_FIVE), np.linspace(-7000.0, 9000.0, 245)])
    return np.random.default_rng(5).permutation(flows)


@pytest.mark.parametrize("quantile", DEFINITIONS)
def test_each_definition_gives_its_own_figure_of_the_same_days(quantile: Quantile) -> None:
    assert tail(year_of_2024(), quantile=quantile).var == pytest.approx(DEFINITIONS[quantile])


def test_the_shortfall_counts_the_third_day_by_half() -> None:
    # 1 % of 250 days are two and a half of them.
    by_hand = (WORST_FIVE[0] + WORST_FIVE[1] + 0.5 * WORST_FIVE[2]) / 2.5
    found = tail(year_of_2024()).es
    assert found == pytest.approx(by_hand)
    assert found == pytest.approx(13954.268458280576)


@pytest.mark.parametrize(
    ("quantile", "rank"),
    [
        ("hf1", 3.0),
        ("hf5", 3.0),
        ("hf6", 2.51),
        ("hf7", 3.49),
        ("hf8", 2.8366666666666664),
        ("second_worst", 2.0),
        ("third_worst", 3.0),
    ],
)
def test_the_rank_in_250_days(quantile: str, rank: float) -> None:
    found = rank_from_worst(Quantile(quantile), observations=250, confidence=0.99)
    assert float(found) == pytest.approx(rank)


@pytest.mark.parametrize(
    ("quantile", "name"),
    [
        (Quantile.HF1, "inverted_cdf"),
        (Quantile.HF5, "hazen"),
        (Quantile.HF6, "weibull"),
        (Quantile.HF7, "linear"),
        (Quantile.HF8, "median_unbiased"),
    ],
)
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.975, 0.99])
@pytest.mark.parametrize("days", [100, 101, 249, 250, 251, 500])
def test_numpy_reads_hyndman_and_fan_alike(
    quantile: Quantile, name: str, confidence: float, days: int
) -> None:
    flows = np.random.default_rng(days).standard_t(4, size=days) * 1_000
    expected = np.quantile(-flows, confidence, method=name)  # type: ignore[call-overload]
    found = tail(flows, confidence=confidence, quantile=quantile).var
    assert found == pytest.approx(float(expected), rel=1e-12)


def test_many_portfolios_at_once_are_each_as_alone() -> None:
    flows = np.random.default_rng(3).standard_t(4, size=(700, 250)) * 1e6
    for quantile in Quantile:
        together = tails(flows, quantile=quantile)
        for row in (0, 255, 256, 699):
            alone = tail(flows[row], quantile=quantile)
            assert (together.var[row], together.es[row]) == (alone.var, alone.es)


def test_nothing_given_is_changed() -> None:
    flows = np.random.default_rng(3).normal(size=(3, 250))
    before = flows.copy()
    tails(flows)
    assert (flows == before).all()


@given(flows=flows_of_days, confidence=st.sampled_from([0.9, 0.95, 0.99]))
@settings(max_examples=200)
def test_the_shortfall_is_never_below_the_order_statistic(
    flows: list[float], confidence: float
) -> None:
    found = tail(np.array(flows), confidence=confidence, quantile=Quantile.HF1)
    assert found.es >= found.var - 1e-6 * max(1.0, abs(found.var))
    assert -max(flows) <= found.var <= -min(flows)


@given(flows=flows_of_days, shift=st.floats(-1e6, 1e6), scale=st.floats(0.1, 100))
@settings(max_examples=200)
def test_more_cash_lowers_the_risk_by_as_much_and_scale_scales(
    flows: list[float], shift: float, scale: float
) -> None:
    base, moved = tail(np.array(flows)), tail(np.array(flows) * scale + shift)
    room = 1e-9 * (max(map(abs, flows)) * scale + abs(shift) + 1)
    assert moved.var == pytest.approx(base.var * scale - shift, abs=room)
    assert moved.es == pytest.approx(base.es * scale - shift, abs=room)


def test_the_mean_of_the_tail_is_subadditive_where_the_quantile_is_not() -> None:
    """Two loans that each fail on three other days of 250: together the quantile sees more."""
    one, other = np.ones(250), np.ones(250)
    one[[3, 90]] = other[[40, 200]] = -100.0
    apart = tail(one, quantile=Quantile.THIRD_WORST), tail(other, quantile=Quantile.THIRD_WORST)
    both = tail(one + other, quantile=Quantile.THIRD_WORST)
    assert both.var > apart[0].var + apart[1].var
    assert both.es <= apart[0].es + apart[1].es


def test_uniform_days_are_exceeded_as_often_as_said() -> None:
    """HF6 is exact for uniform data: 1 % of new days fall beyond it, 1.4 % beyond HF7."""
    rng = np.random.default_rng(11)
    flows, new = rng.random((20_000, 250)), rng.random(20_000)
    shares = {
        quantile: float((-new > tails(flows, quantile=quantile).var).mean())
        for quantile in (Quantile.HF6, Quantile.HF7)
    }
    assert shares[Quantile.HF6] == pytest.approx(0.01, abs=0.0025)
    assert shares[Quantile.HF7] == pytest.approx(3.49 / 251, abs=0.0025)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused(bad: float) -> None:
    flows = np.zeros((300, 250))
    tails(flows)
    flows[299, 117] = bad
    with pytest.raises(FlowsNotFinite):
        tails(flows)
    with pytest.raises(FlowsNotFinite):
        moments_of(flows[299])


def test_without_days_there_is_no_figure() -> None:
    with pytest.raises(NotEnoughData):
        tail(np.array([]))
    assert tail(np.array([-5.0])) == tail(np.array([-5.0, -5.0]))


def test_the_normal_figures_are_the_published_ones() -> None:
    unit = Moments(mean=0.0, sd=1.0)
    assert normal_var(unit) == pytest.approx(2.3263478740408408, rel=1e-12)
    assert normal_es(unit) == pytest.approx(2.665214220345808, rel=1e-12)
    assert normal_es(unit, confidence=0.975) == pytest.approx(2.337802792201415, rel=1e-12)


BOOK_2024 = Moments(
    mean=297.95697462282203,
    sd=4210.369070921227,
    skew=0.43723168850711164,
    excess=5.341750909540867,
)


def test_the_shape_of_the_currency_book_costs_more_than_a_normal_one() -> None:
    assert normal_var(BOOK_2024) == pytest.approx(9496.826162442083)
    assert cornish_fisher_var(BOOK_2024) == pytest.approx(13098.3228111707)


def test_an_expansion_that_folds_back_is_no_quantile() -> None:
    assert cornish_fisher_var(Moments(mean=0.0, sd=1.0, skew=4.0, excess=1.0)) is None
    assert cornish_fisher_var(Moments(mean=0.0, sd=1.0)) == pytest.approx(2.3263478740408408)


def test_moments_by_hand() -> None:
    # 1, 2, 3, 10: mean 4; squares 9 4 1 36; cubes -27 -8 -1 216; fourth powers 81 16 1 1296.
    found = moments_of(np.array([1.0, 2.0, 3.0, 10.0]))
    assert found.mean == 4.0
    assert found.sd == pytest.approx((50 / 3) ** 0.5)
    assert found.skew == pytest.approx(45 / 12.5**1.5)
    assert found.excess == pytest.approx(348.5 / 12.5**2 - 3)
    with pytest.raises(NotEnoughData):
        moments_of(np.full(50, 7.0))


def book_flows(until: str) -> tuple[list[str], FloatArray]:
    """Return days and flows of the currency book: what was worth x units is worth y now."""
    if not RATES.exists():
        pytest.skip("the reference rates of the ECB are not here")
    with RATES.open() as file:
        rows = [row for row in csv.DictReader(file) if row["Date"] <= until and row["USD"] != "N/A"]
    rates = np.array([[float(row[name]) for name in BOOK_EUR] for row in rows])
    flows = (rates[:-1] / rates[1:] - 1) @ np.array(list(BOOK_EUR.values()))
    return [row["Date"] for row in rows[1:]], flows


def test_the_published_rates_give_these_figures() -> None:
    days, flows = book_flows("2024-12-31")
    assert (days[-250], days[-1]) == ("2024-01-10", "2024-12-31")
    year = flows[-250:]
    for quantile, expected in DEFINITIONS.items():
        assert tail(year, quantile=quantile).var == pytest.approx(expected, rel=1e-9)
    moments = moments_of(year)
    assert moments.mean == pytest.approx(BOOK_2024.mean)
    assert moments.sd == pytest.approx(BOOK_2024.sd)
    assert cornish_fisher_var(moments) == pytest.approx(13098.3228111707)


@pytest.mark.parametrize("quantile", EXCEEDED)
def test_twenty_years_tell_the_definitions_apart(quantile: Quantile) -> None:
    """Only HF6 is exceeded as often as it says; what spreadsheets take is rejected."""
    days, flows = book_flows("2024-12-31")
    flows = flows[[day >= "2005-01-01" for day in days]]
    forecast = forecasts(flows, window=250, observations_min=250, quantile=quantile)
    exceeded = -flows[250:] > forecast
    assert len(exceeded) == 4_871
    count, p_value = EXCEEDED[quantile]
    report = judge(exceeded, probability=0.01)
    assert report.exceedances == count
    assert report.proportion.p_value == pytest.approx(p_value, abs=0.001)
