"""Payments over all rails, currencies, formats and charsets; the seed fixes all of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Final
from uuid import UUID

import schwifty

from core.money import minor_units
from integrations.codecs.instructions import Agent, Party, PaymentInstruction, PostalAddress
from integrations.codecs.rails import RAILS
from integrations.dialects.writing import Writing, parse_writing

SEED: Final = 20_261_122
FORMATS: Final = (
    {"format": "pain.001.001.09"},
    {"format": "pain.001.001.03"},
    {"format": "pain.001.001.09", "execution_date": "time", "batch_booking": True},
    {"format": "pacs.008.001.08", "sender_bic": "EXRMGB2LXXX"},
    {"format": "pacs.009.001.09", "sender_bic": "EXRMGB2LXXX"},
)
CHARSETS: Final = ("utf-8", "latin-1", "ascii", "swift-x")
NAMES: Final = (
    "Müller & Söhne GmbH", "Société Générale d'Équipement", "Łódzkie Zakłady S.A.",
    "Ærø Færge A/S", "Ğürsoy İnşaat A.Ş.", "Νίκος Παπαδόπουλος", "Ромашка ЛЛЦ",
    "株式会社山田商店", "شركة الخليج للتجارة", "मुंबई ट्रेडर्स", "O'Brien, Kelly (Cork) Ltd",
    "Example Remit Ltd", "A+B Partners: Zürich", "Añejo & Cía. S.L.", "J@zz_Works [EU] {Ltd}",
)  # fmt: skip
STREETS: Final = ("Hauptstraße", "Rue de l'Église", "Queen Street", "Aleja Łazienkowska", "Strand")
TOWNS: Final = {
    "US": ("New York", "10001"), "GB": ("London", "EC2V 7HN"), "DE": ("München", "80331"),
    "FR": ("Besançon", "25000"), "NL": ("Den Haag", "2511 CS"), "AE": ("Dubai", ""),
    "IN": ("Mumbai", "400001"), "CH": ("Zürich", "8001"), "JP": ("Tokyo", "100-0005"),
    "KW": ("Kuwait", "13001"), "BH": ("Manama", "317"), "SG": ("Singapore", "048616"),
}  # fmt: skip
BICS: Final = {
    "US": "CHASUS33XXX", "GB": "BARCGB22XXX", "DE": "DEUTDEFFXXX", "FR": "SOGEFRPPXXX",
    "NL": "ABNANL2AXXX", "AE": "EBILAEADXXX", "IN": "HDFCINBBXXX", "CH": "UBSWCHZHXXX",
    "JP": "BOTKJPJTXXX", "KW": "NBOKKWKWXXX", "BH": "NBOBBHBMXXX", "SG": "DBSSSGSGXXX",
}  # fmt: skip
ABAS: Final = ("021000021", "026009593", "011401533")
IBAN_COUNTRIES: Final = frozenset({"GB", "DE", "FR", "NL", "AE", "CH"})
# Rail: currencies, and where its payees are.
REACH: Final = {
    "BOOK": (("USD", "EUR", "GBP", "JPY", "KWD"), ("US", "DE", "GB")),
    "FEDWIRE": (("USD",), ("US",)),
    "CHAPS": (("GBP",), ("GB",)),
    "T2": (("EUR",), ("DE", "FR", "NL")),
    "SEPA_SCT": (("EUR",), ("DE", "FR", "NL", "CH", "GB")),
    "SEPA_INST": (("EUR",), ("DE", "FR", "NL")),
    "SWIFT_GPI": (("JPY", "KWD", "BHD", "CHF", "SGD", "USD"), ("JP", "KW", "BH", "CH", "SG")),
    "UAEFTS": (("AED",), ("AE",)),
    "RTGS_IN": (("INR",), ("IN",)),
    "NEFT": (("INR",), ("IN",)),
    "INR_DESK": (("INR",), ("IN",)),
}
DAY: Final = date(2026, 11, 23)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One payment with its rail and its bank's way of writing."""

    number: int
    rail: str
    writing: Writing
    instruction: PaymentInstruction


def corpus(count: int) -> Iterator[Case]:
    """Yield `count` payments; every rail meets every format and charset."""
    rng = Random(SEED)
    rails = sorted(RAILS)
    for number in range(count):
        rail = rails[number % len(rails)]
        writing = _writing(rng, rail, number)
        yield Case(
            number=number,
            rail=rail,
            writing=writing,
            instruction=_instruction(rng, rail, number, writing),
        )


def _writing(rng: Random, rail: str, number: int) -> Writing:
    profile: dict[str, object] = dict(FORMATS[number // len(RAILS) % len(FORMATS)])
    if str(profile["format"]).startswith("pacs.") and rail.startswith("SEPA"):
        profile = dict(FORMATS[0])
    profile["charset"] = CHARSETS[number // (len(RAILS) * len(FORMATS)) % len(CHARSETS)]
    profile["lei"] = rng.random() < 0.8
    terms: dict[str, object] = {"address": rng.choice(["structured", "hybrid"])}
    if rail in ("UAEFTS", "RTGS_IN"):
        terms["purpose_place"] = rng.choice(["purpose", "regulatory", "both"])
    if rail == "CHAPS":
        terms["account"] = rng.choice(["any", "sort_code"])
    profile["rails"] = {rail: terms}
    if rng.random() < 0.3:
        profile["note_to_bank"] = "Ref {reference}"
        profile["regulatory"] = [
            {"authority_country": "GB", "type": "AML", "information": ["{purpose} {creditor}"]}
        ]
    return parse_writing(profile)


def _instruction(rng: Random, rail: str, number: int, writing: Writing) -> PaymentInstruction:
    currencies, countries = REACH[rail]
    currency, country = rng.choice(currencies), rng.choice(countries)
    terms = writing.terms(rail)
    reference = f"CRP-{number:06d}"
    created = datetime(2026, 11, 23, 8, 0, tzinfo=UTC) + timedelta(seconds=number)
    hybrid = terms.address == "hybrid"
    creditor, agent = _payee(rng, country, hybrid=hybrid)
    remittance, creditor_reference = _remittance(rng, rail)
    debtor = Party(
        name="Example Rémit Limited",
        address=_address(rng, "GB", hybrid=hybrid),
        iban=str(schwifty.IBAN.random(country_code="DE", random=rng)),
        account_currency=currency,
        lei="5493001KJTIIGC8Y1R12",
    )
    return PaymentInstruction(
        message_id=f"{reference}-1",
        payment_information_id=f"{reference}-1",
        instruction_id=f"{reference}-1",
        end_to_end_id=reference,
        uetr=str(UUID(int=rng.getrandbits(128), version=4)),
        amount=_amount(rng, currency, rail),
        currency=currency,
        execution_date=DAY + timedelta(days=rng.randrange(3)),
        created_at=created,
        initiating_party_name="Example Rémit Limited",
        initiating_party_lei="5493001KJTIIGC8Y1R12",
        debtor=debtor,
        debtor_agent=Agent(bic=BICS["DE"]),
        creditor=creditor,
        creditor_agent=agent,
        charge_bearer=terms.charge_bearer,
        service_level=terms.service_level,
        local_instrument=terms.local_instrument or None,
        category_purpose=rng.choice(["CASH", "SUPP", None]),
        purpose=_purpose(rng, currency),
        remittance=remittance,
        creditor_reference=creditor_reference,
    )


def _payee(rng: Random, country: str, *, hybrid: bool) -> tuple[Party, Agent]:
    name, address = rng.choice(NAMES), _address(rng, country, hybrid=hybrid)
    bic = BICS[country]
    if country in IBAN_COUNTRIES:
        iban = str(schwifty.IBAN.random(country_code=country, random=rng))
        return Party(name=name, address=address, iban=iban), Agent(bic=bic)
    number = f"{rng.randrange(10**9, 10**12)}"
    agent = Agent(bic=bic)
    if country == "US":
        agent = Agent(bic=bic, clearing_system="USABA", clearing_member=rng.choice(ABAS))
    if country == "IN":
        member = f"HDFC0{rng.randrange(10**6):06d}"
        agent = Agent(bic=bic, clearing_system="INFSC", clearing_member=member)
    return Party(name=name, address=address, number=number), agent


def _address(rng: Random, country: str, *, hybrid: bool) -> PostalAddress:
    town, post_code = TOWNS[country]
    street, building = rng.choice(STREETS), str(rng.randrange(1, 300))
    if hybrid and rng.random() < 0.5:
        lines = (f"{street} {building}", "Floor 3")[: rng.randrange(1, 3)]
        return PostalAddress(town=town, country=country, post_code=post_code, lines=lines)
    return PostalAddress(
        street=street, building_number=building, post_code=post_code, town=town, country=country
    )


def _amount(rng: Random, currency: str, rail: str) -> Decimal:
    decimals = minor_units(currency)
    least = 200_000 if rail == "RTGS_IN" else 1
    units = rng.randrange(least * 10**decimals, 400_000_000 * 10**decimals)
    return Decimal(units).scaleb(-decimals)


def _purpose(rng: Random, currency: str) -> str | None:
    if currency == "AED":
        return rng.choice(["FIS", "OAT", "SAL"])
    if currency == "INR":
        return rng.choice(["P1301", "S0306", "SUPP", None])
    return rng.choice(["SUPP", "INTC", "SALA", None])


def _remittance(rng: Random, rail: str) -> tuple[str | None, str | None]:
    reference = "RF18539007547034"
    text = f"Invoice {rng.randrange(10**6)} – {rng.choice(NAMES)}"
    if rail.startswith("SEPA"):
        return rng.choice([(None, reference), (text, None), (None, None)])
    return rng.choice([(text, reference), (text, None), (None, None)])
