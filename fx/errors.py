"""What the fx room refuses, with stable codes."""

from core.errors import DomainError, Forbidden, Invalid, NotFound


class PairUnknown(Invalid):
    """Not two different currencies."""

    code = "fx_pair_unknown"


class TenorUnknown(Invalid):
    """Not a tenor that anybody deals in."""

    code = "fx_tenor_unknown"


class TenorEmpty(DomainError):
    """The period has no length on this day: it begins and ends on the same date."""

    code = "fx_tenor_empty"


class ValueDateRefused(Invalid):
    """Nothing can settle on that date."""

    code = "fx_value_date_refused"


class QuoteRefused(Invalid):
    """The quote cannot be right."""

    code = "fx_quote_refused"


class RateMissing(NotFound):
    """No source has a rate for the pair that is fresh enough; nothing is assumed instead."""

    code = "fx_rate_missing"
    status = 409


class SourceUnknown(NotFound):
    """There is no such source of rates."""

    code = "fx_source_unknown"


class RatesRefused(Invalid):
    """Rates that came in cannot be right; `findings` names each row and what is wrong with it."""

    code = "fx_rates_refused"


class DealUnknown(NotFound):
    """There is no such deal."""

    code = "fx_deal_unknown"


class CounterpartyUnknown(NotFound):
    """There is no such counterparty."""

    code = "fx_counterparty_unknown"


class DealRefused(Invalid):
    """The deal breaks at least one rule; `findings` names each."""

    code = "fx_deal_refused"


class DealStateRefused(DomainError):
    """The deal is not in a state that allows the step."""

    code = "fx_deal_state_refused"


class DealExpired(DomainError):
    """The day of the deal is over."""

    code = "fx_deal_expired"


class NotTheDealer(Forbidden):
    """Somebody else's deal."""

    code = "fx_not_the_dealer"


class LegAlreadySent(DomainError):
    """The payment of a leg has left, or may have: it is not replaced any more."""

    code = "fx_leg_already_sent"


class DifferenceRefused(DomainError):
    """What came is no difference of the leg that may be taken as it came."""

    code = "fx_difference_refused"


class CorrectionRefused(DomainError):
    """A fixing is not corrected as things stand."""

    code = "fx_correction_refused"


class NotNettable(DomainError):
    """Nothing was signed for that day, or there are no two legs that can be one payment."""

    code = "fx_not_nettable"


class SuggestionUnknown(NotFound):
    """There is no such suggestion."""

    code = "fx_suggestion_unknown"


class SuggestionClosed(DomainError):
    """The suggestion was taken, dismissed, superseded, or its day is over."""

    code = "fx_suggestion_closed"


class SuggestionNotDealable(DomainError):
    """No counterparty or account is known that the deal could be made with."""

    code = "fx_suggestion_not_dealable"


class ReforecastTooSoon(DomainError):
    """The currency was forecast anew a moment ago; says when it may be again."""

    code = "fx_reforecast_too_soon"


class DealsRefused(Invalid):
    """A file of deals has rows that cannot be right; `findings` names row and column of each."""

    code = "fx_deals_refused"


class CurveMissing(NotFound):
    """No points or interest lead to the date; nothing is assumed instead."""

    code = "fx_curve_missing"
    status = 409


class CurveEnds(NotFound):
    """The date lies beyond the last pillar; nothing is extrapolated."""

    code = "fx_curve_ends"
    status = 409


class PointsRefused(Invalid):
    """Points or interest that came in cannot be right; `findings` names each row."""

    code = "fx_points_refused"


class RevaluationClosed(DomainError):
    """A later day has been valued: this one stays as it was booked."""

    code = "fx_revaluation_closed"


class NothingToValue(NotFound):
    """No day has been valued yet."""

    code = "fx_not_valued"


class InterestMissing(CurveMissing):
    """No interest of the currency is known: nothing can be discounted with it."""

    code = "fx_interest_missing"


class FixingMissing(NotFound):
    """The day of the fixing is over, and nobody said what it was."""

    code = "fx_fixing_missing"
    status = 409
