"""How one bank wants its orders written, where the standards and the rails leave it open."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from integrations.dialects.errors import ProfileInvalid
from integrations.dialects.keys import Keys, text_value

ALL_RAILS: Final = "*"
NAME_CHARS_MAX: Final = 140
RULES_MAX: Final = 10
LINES_MAX: Final = 10
# What a line takes in one file where its bank says nothing else, and how long orders wait.
PAYMENTS_PER_FILE_MAX: Final = 1_000
GATHER_SECONDS: Final = 10
GATHER_SECONDS_MAX: Final = 3_600
_BIC: Final = re.compile(r"[A-Z]{6}[A-Z0-9]{2}([A-Z0-9]{3})?", re.ASCII)
_COUNTRY: Final = re.compile(r"[A-Z]{2}", re.ASCII)
_CODE: Final = re.compile(r"[A-Z0-9]{1,35}", re.ASCII)
_PLACE: Final = re.compile(r"\{([^}]*)\}?")
# What the words of a profile may take over from the order.
PLACES: Final = ("reference", "purpose", "debtor", "creditor")
_CODE_CHARS_MAX: Final = 10
_TYPE_CHARS_MAX: Final = 35


class Format(StrEnum):
    """Which message carries an order."""

    PAIN_001_09 = "pain.001.001.09"
    PAIN_001_03 = "pain.001.001.03"
    PACS_008_08 = "pacs.008.001.08"
    PACS_009_08 = "pacs.009.001.08"
    PACS_009_09 = "pacs.009.001.09"

    @property
    def is_interbank(self) -> bool:
        """Return whether banks exchange it among themselves."""
        return self.startswith("pacs.")


class Charset(StrEnum):
    """Which characters a bank's line can carry; the file itself is UTF-8 always."""

    UTF_8 = "utf-8"
    LATIN_1 = "latin-1"
    ASCII = "ascii"
    SWIFT_X = "swift-x"


class AddressForm(StrEnum):
    """How addresses are written.

    Hybrid keeps town and country apart and allows two free lines; unstructured writes lines only,
    which most rails refuse since November 2026.
    """

    STRUCTURED = "structured"
    HYBRID = "hybrid"
    UNSTRUCTURED = "unstructured"


class AccountForm(StrEnum):
    """By what the receiver's account is known on a rail."""

    ANY = "any"
    IBAN = "iban"
    UAE_IBAN = "uae_iban"
    ABA = "aba"
    SORT_CODE = "sort_code"
    IFSC = "ifsc"


class ExecutionDate(StrEnum):
    """Whether the execution date is a plain date or the first moment of that day."""

    DATE = "date"
    TIME = "time"


class PurposePlace(StrEnum):
    """Where the purpose of a payment is written."""

    PURPOSE = "purpose"
    REGULATORY = "regulatory"
    BOTH = "both"


class PurposeForm(StrEnum):
    """Whose list of purposes a code comes from, told by its form."""

    ANY = "any"
    ISO = "iso"
    UAE = "uae"
    RBI = "rbi"


PURPOSE_FORMS: Final = {
    PurposeForm.ISO: re.compile(r"[A-Z]{4}", re.ASCII),
    PurposeForm.UAE: re.compile(r"[A-Z]{3}", re.ASCII),
    PurposeForm.RBI: re.compile(r"[PS][0-9]{4}", re.ASCII),
}


def purpose_form(code: str) -> PurposeForm | None:
    """Return whose purpose code this can be; None when it is nobody's."""
    for form, pattern in PURPOSE_FORMS.items():
        if pattern.fullmatch(code):
            return form
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegulatoryRule:
    """One report to an authority that orders carry; no `rails` means all of them.

    `code` empty takes the payment's purpose. In `information`, {reference}, {purpose}, {debtor}
    and {creditor} stand for what the order says.
    """

    rails: tuple[str, ...] = ()
    purpose_form: PurposeForm = PurposeForm.ANY
    indicator: str = "DEBT"
    authority_name: str = ""
    authority_country: str = ""
    type: str = ""
    code: str = ""
    country: str = ""
    information: tuple[str, ...] = ()

    def applies(self, *, rail: str, purpose: str) -> bool:
        """Return whether an order over `rail` with this purpose carries the report."""
        on_rail = not self.rails or rail in self.rails
        return on_rail and self.purpose_form in (PurposeForm.ANY, purpose_form(purpose))


@dataclass(frozen=True, slots=True, kw_only=True)
class RailTerms:
    """What an order says on a rail; the own_ fields are for money between our own accounts."""

    service_level: str = ""
    local_instrument: str = ""
    charge_bearer: str = "DEBT"
    own_category: str = "CASH"
    own_purpose: str = "INTC"
    account: AccountForm = AccountForm.ANY
    address: AddressForm = AddressForm.HYBRID
    name_chars_max: int = NAME_CHARS_MAX
    purpose_required: bool = False
    purpose_place: PurposePlace = PurposePlace.PURPOSE
    purpose_codes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def _sepa(local_instrument: str) -> RailTerms:
    return RailTerms(
        service_level="SEPA",
        charge_bearer="SLEV",
        local_instrument=local_instrument,
        name_chars_max=70,
    )


# What a rail is used to; a bank's profile overrides it.
RAIL_TERMS: Final[Mapping[str, RailTerms]] = MappingProxyType({
    "BOOK": RailTerms(service_level="SDVA", charge_bearer="SHAR"),
    "FEDWIRE": RailTerms(service_level="URGP"),
    "CHAPS": RailTerms(service_level="URGP"),
    "T2": RailTerms(service_level="URGP"),
    "SEPA_SCT": _sepa(""),
    "SEPA_INST": _sepa("INST"),
    "SWIFT_GPI": RailTerms(service_level="G001"),
    # OAT is the UAE's own code for a transfer between accounts of one customer.
    "UAEFTS": RailTerms(
        service_level="URGP",
        own_purpose="OAT",
        account=AccountForm.UAE_IBAN,
        purpose_required=True,
    ),
    "RTGS_IN": RailTerms(service_level="URGP", account=AccountForm.IFSC),
    "NEFT": RailTerms(service_level="NURG", account=AccountForm.IFSC),
    "INR_DESK": RailTerms(service_level="URGP", account=AccountForm.IFSC),
})  # fmt: skip
# Purposes of the Reserve Bank of India are reported to it, whatever the bank.
REGULATORY: Final = (
    RegulatoryRule(
        rails=("RTGS_IN", "NEFT", "INR_DESK", "SWIFT_GPI"),
        purpose_form=PurposeForm.RBI,
        authority_name="Reserve Bank of India",
        authority_country="IN",
        type="FEMA",
        country="IN",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """How orders are written for one bank; the defaults follow the standards."""

    format: Format = Format.PAIN_001_09
    charset: Charset = Charset.UTF_8
    replacements: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    batch_booking: bool = False
    execution_date: ExecutionDate = ExecutionDate.DATE
    lei: bool = True
    business_header: bool = False
    sender_bic: str = ""
    note_to_bank: str = ""
    report_requests: bool = False
    max_payments_per_file: int = 1
    gather_seconds: int = GATHER_SECONDS
    rails: Mapping[str, RailTerms] = field(default_factory=lambda: RAIL_TERMS)
    regulatory: tuple[RegulatoryRule, ...] = REGULATORY

    def terms(self, rail: str) -> RailTerms:
        """Return what an order over `rail` says; plain terms for a rail nobody described."""
        return self.rails.get(rail, RailTerms())


STANDARD: Final = Writing()
# What the admin shows beside the JSON: key, what it takes, what it means.
HELP: Final = (
    ("format", ", ".join(Format), "The message that carries orders."),
    ("charset", ", ".join(Charset), "Letters outside it are rewritten, and pre-flight says so."),
    ("replacements", '{"ä": "ae"}', "What stands in for a letter, instead of the usual choice."),
    ("batch_booking", "true or false", "Whether the bank books all orders of a file as one."),
    ("execution_date", "date or time", "A plain date, or the first moment of the rail's day."),
    ("lei", "true or false", "Whether identifiers of our companies are written."),
    ("business_header", "true or false", "Whether a head.001 stands before an interbank message."),
    ("sender_bic", "BIC", "The BIC we send interbank messages under."),
    (
        "report_requests",
        "true or false",
        "Whether the bank takes camt.060: asked for a report when a payment's outcome is unknown.",
    ),
    (
        "max_payments_per_file",
        f"1 to {PAYMENTS_PER_FILE_MAX}",
        "Orders of one account, day and rail that share a file at most; 1 sends each alone.",
    ),
    (
        "gather_seconds",
        f"0 to {GATHER_SECONDS_MAX}",
        "How long an order waits for others that may share its file.",
    ),
    ("note_to_bank", "text", "Written for our own bank in every order; see information."),
    (
        "rails",
        '{"CHAPS": {"charge_bearer": "SHAR"}}',
        f"Per rail, * for all: {', '.join(RailTerms.__dataclass_fields__)}.",
    ),
    (
        "regulatory",
        '[{"rails": ["UAEFTS"], "authority_country": "AE", "information": ["{purpose}"]}]',
        f"Reports to authorities: {', '.join(RegulatoryRule.__dataclass_fields__)}.",
    ),
)


def parse_writing(raw: Mapping[str, Any]) -> Writing:
    """Return the way of writing that a profile's JSON describes.

    Raises:
        ProfileInvalid: with the key that is unknown or cannot be right.
    """
    keys = Keys(raw)
    writing = Writing(
        format=keys.choice("format", _words(Format), default=Format.PAIN_001_09),
        charset=keys.choice("charset", _words(Charset), default=Charset.UTF_8),
        replacements=MappingProxyType(_letters(keys.table("replacements", text_value))),
        batch_booking=keys.flag("batch_booking", default=False),
        execution_date=keys.choice("execution_date", _words(ExecutionDate), default="date"),
        lei=keys.flag("lei", default=True),
        business_header=keys.flag("business_header", default=False),
        sender_bic=_formed(keys, "sender_bic", _BIC, "is a BIC"),
        note_to_bank=_note(keys),
        report_requests=keys.flag("report_requests", default=False),
        max_payments_per_file=keys.count(
            "max_payments_per_file", default=1, least=1, most=PAYMENTS_PER_FILE_MAX
        ),
        gather_seconds=keys.count(
            "gather_seconds", default=GATHER_SECONDS, least=0, most=GATHER_SECONDS_MAX
        ),
        rails=_rails(keys),
        regulatory=_rules(keys),
    )
    keys.nothing_left()
    if writing.max_payments_per_file > 1 and writing.format.is_interbank:
        raise ProfileInvalid(
            f"{writing.format} carries one payment: banks settle them one by one.",
            field="max_payments_per_file",
        )
    if writing.format.is_interbank and not writing.sender_bic:
        raise ProfileInvalid(
            f"{writing.format} needs sender_bic: banks know each other by it.", field="sender_bic"
        )
    return writing


def _note(keys: Keys) -> str:
    note = keys.word("note_to_bank", chars_max=NAME_CHARS_MAX)
    _check_places(keys, "note_to_bank", note)
    return note


def _words(kind: type[Any]) -> dict[str, Any]:
    return {str(one.value): one for one in kind}


def _letters(found: dict[str, str]) -> dict[str, str]:
    for letter in found:
        if len(letter) != 1:
            raise ProfileInvalid(
                f"replacements.{letter} names one letter.", field=f"replacements.{letter}"
            )
    return found


def _formed(keys: Keys, key: str, pattern: re.Pattern[str], words: str, default: str = "") -> str:
    given = keys.word(key, default=default)
    if given and not pattern.fullmatch(given):
        raise keys.wrong(key, words)
    return given


def _rails(keys: Keys) -> Mapping[str, RailTerms]:
    given: dict[str, Keys] = keys.table("rails", _inner)
    for rail in given:
        if rail not in RAIL_TERMS and rail != ALL_RAILS:
            known = ", ".join(RAIL_TERMS)
            raise ProfileInvalid(f"rails.{rail} is none of {known}.", field=f"rails.{rail}")
    changes = {rail: _changes(inner) for rail, inner in given.items()}
    for_all = changes.get(ALL_RAILS, {})
    return MappingProxyType({
        rail: replace(usual, **{**for_all, **changes.get(rail, {})})
        for rail, usual in RAIL_TERMS.items()
    })  # fmt: skip


def _inner(path: str, value: Any) -> Keys:
    return Keys(value, path=path)


def _changes(keys: Keys) -> dict[str, Any]:
    """Return what a profile says about a rail; what it leaves out stays as the rail has it."""
    readers: dict[str, Callable[[Keys, str], Any]] = {
        "service_level": _code,
        "local_instrument": _code,
        "charge_bearer": lambda keys, key: keys.choice(key, _BEARERS, default="DEBT"),
        "own_category": _code,
        "own_purpose": _code,
        "account": lambda keys, key: keys.choice(key, _words(AccountForm), default="any"),
        "address": lambda keys, key: keys.choice(key, _words(AddressForm), default="hybrid"),
        "name_chars_max": lambda keys, key: keys.count(
            key, default=NAME_CHARS_MAX, least=10, most=NAME_CHARS_MAX
        ),
        "purpose_required": lambda keys, key: keys.flag(key, default=False),
        "purpose_place": lambda keys, key: keys.choice(key, _words(PurposePlace), default="both"),
        "purpose_codes": lambda keys, key: MappingProxyType(keys.table(key, text_value)),
    }
    found = {key: read(keys, key) for key, read in readers.items() if keys.has(key)}
    keys.nothing_left()
    return found


_BEARERS: Final = {one: one for one in ("DEBT", "SHAR", "SLEV")}


def _code(keys: Keys, key: str) -> str:
    return _formed(keys, key, _CODE, "is a code of up to 35 capitals and digits")


def _rules(keys: Keys) -> tuple[RegulatoryRule, ...]:
    if not keys.has("regulatory"):
        return REGULATORY
    given = keys.take("regulatory")
    if not isinstance(given, list) or len(given) > RULES_MAX:
        raise keys.wrong("regulatory", f"is a list of up to {RULES_MAX} rules")
    return tuple(_rule(Keys(one, path=f"regulatory[{at}]")) for at, one in enumerate(given))


def _rule(keys: Keys) -> RegulatoryRule:
    indicators = {one: one for one in ("DEBT", "CRED", "BOTH")}
    rule = RegulatoryRule(
        rails=_texts(keys, "rails"),
        purpose_form=keys.choice("purpose_form", _words(PurposeForm), default="any"),
        indicator=keys.choice("indicator", indicators, default="DEBT"),
        authority_name=keys.word("authority_name", chars_max=NAME_CHARS_MAX),
        authority_country=_formed(keys, "authority_country", _COUNTRY, "is a country like AE"),
        type=keys.word("type", chars_max=_TYPE_CHARS_MAX),
        code=keys.word("code", chars_max=_CODE_CHARS_MAX),
        country=_formed(keys, "country", _COUNTRY, "is a country like AE"),
        information=_texts(keys, "information"),
    )
    keys.nothing_left()
    for name in ("rails", "information"):
        _check_words(keys, name, getattr(rule, name))
    return rule


def _check_words(keys: Keys, name: str, texts: tuple[str, ...]) -> None:
    for text in texts:
        if name == "rails" and text not in RAIL_TERMS:
            raise keys.wrong(name, f"names {text}, which is no rail")
        if name == "information":
            _check_places(keys, name, text)


def _check_places(keys: Keys, name: str, text: str) -> None:
    if not set(_PLACE.findall(text)) <= set(PLACES):
        known = ", ".join(f"{{{place}}}" for place in PLACES)
        raise keys.wrong(name, f"may use {known} only")


def _texts(keys: Keys, key: str) -> tuple[str, ...]:
    given = keys.take(key)
    if given is None:
        return ()
    if not isinstance(given, list) or len(given) > LINES_MAX:
        raise keys.wrong(key, f"is a list of up to {LINES_MAX} texts")
    return tuple(text_value(f"{keys.path(key)}[{at}]", one) for at, one in enumerate(given))
