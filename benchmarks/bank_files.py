"""Bank files of any size for the benchmarks: camt.053 and MT940, equal for equal seeds."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

CURRENCY = "EUR"
_WORDS = ("Invoice", "Payout", "Salary", "Refund", "Commission", "Settlement", "Batch", "Corridor")
_NAMES = ("Alpine Trading", "Harbour Foods", "Lakeside Media", "Granite Tools", "Orchard Travel")


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """One booked movement; a positive amount is a credit."""

    number: int
    amount: Decimal
    day: date
    name: str
    account: str
    text: str
    uetr: str

    @property
    def reference(self) -> str:
        return f"BK{self.day:%y%m%d}{self.number:09d}"

    @property
    def end_to_end_id(self) -> str:
        return f"E2E-{self.number:010d}"


def movements(count: int, *, seed: int, last_day: date, days: int = 1) -> list[Movement]:
    """Return `count` movements, spread evenly over the `days` that end with `last_day`."""
    rng = random.Random(seed)
    made = []
    for number in range(count):
        cents = rng.randint(100, 9_000_000)
        back = days - 1 - number * days // count
        made.append(
            Movement(
                number=number,
                amount=Decimal(cents if rng.random() < 0.6 else -cents) / 100,
                day=last_day - timedelta(days=back),
                name=f"{rng.choice(_NAMES)} {rng.randint(1, 400)}",
                account=f"DE{rng.randint(10, 99)}{rng.randint(10**17, 10**18 - 1)}",
                text=f"{rng.choice(_WORDS)} {rng.randint(1, 10**7)} of {rng.randint(1, 28)}.11.",
                uetr=str(UUID(int=rng.getrandbits(128), version=4)),
            )
        )
    return made


def iban(number: int) -> str:
    """Return a German account number with the right check digits."""
    inner = f"37040044{number:010d}"
    return f"DE{98 - int(f'{inner}131400') % 97:02d}{inner}"


def _sign(amount: Decimal) -> str:
    return "DBIT" if amount < 0 else "CRDT"


ACCOUNT = iban(532013000)
OPENING = Decimal(1_000_000)


def _entry(one: Movement) -> str:
    role = "Cdtr" if one.amount < 0 else "Dbtr"
    size = f'<Amt Ccy="{CURRENCY}">{abs(one.amount):.2f}</Amt>'
    size += f"<CdtDbtInd>{_sign(one.amount)}</CdtDbtInd>"
    return (
        f"<Ntry><NtryRef>{one.number}</NtryRef>{size}<Sts><Cd>BOOK</Cd></Sts>"
        f"<BookgDt><Dt>{one.day}</Dt></BookgDt><ValDt><Dt>{one.day}</Dt></ValDt>"
        f"<AcctSvcrRef>{one.reference}</AcctSvcrRef>"
        "<BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>RCDT</Cd><SubFmlyCd>ESCT</SubFmlyCd></Fmly></Domn>"
        f"</BkTxCd><NtryDtls><TxDtls><Refs><AcctSvcrRef>{one.reference}</AcctSvcrRef>"
        f"<EndToEndId>{one.end_to_end_id}</EndToEndId><UETR>{one.uetr}</UETR></Refs>{size}"
        f"<RltdPties><{role}><Pty><Nm>{one.name}</Nm></Pty></{role}>"
        f"<{role}Acct><Id><IBAN>{one.account}</IBAN></Id></{role}Acct></RltdPties>"
        f"<RltdAgts><{role}Agt><FinInstnId><BICFI>COBADEFFXXX</BICFI></FinInstnId></{role}Agt>"
        f"</RltdAgts><RmtInf><Ustrd>{one.text}</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>\n"
    )


def _balance(code: str, amount: Decimal, day: date) -> str:
    return (
        f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp>"
        f'<Amt Ccy="{CURRENCY}">{abs(amount):.2f}</Amt><CdtDbtInd>{_sign(amount)}</CdtDbtInd>'
        f"<Dt><Dt>{day}</Dt></Dt></Bal>"
    )


def camt053(
    listed: Sequence[Movement],
    *,
    opening: Decimal = OPENING,
    sequence: int = 1,
    message: str = "M1",
) -> bytes:
    """Return a camt.053.001.08 of one statement that adds up, one entry a line."""
    first, last = listed[0].day, listed[-1].day
    closing = opening + sum((one.amount for one in listed), Decimal(0))
    head = f"<GrpHdr><MsgId>{message}</MsgId><CreDtTm>{last}T22:00:00Z</CreDtTm></GrpHdr>"
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt>'
        f"{head}<Stmt><Id>ST{last:%y%m%d}</Id><ElctrncSeqNb>{sequence}</ElctrncSeqNb>"
        f"<CreDtTm>{last}T22:00:00Z</CreDtTm><FrToDt><FrDtTm>{first}T00:00:00</FrDtTm>"
        f"<ToDtTm>{last}T23:59:59</ToDtTm></FrToDt><Acct><Id><IBAN>{ACCOUNT}</IBAN></Id>"
        f"<Ccy>{CURRENCY}</Ccy></Acct>\n{_balance('OPBD', opening, first)}"
        f"{_balance('CLBD', closing, last)}\n{''.join(map(_entry, listed))}"
        "</Stmt></BkToCstmrStmt></Document>\n"
    ).encode()


def mt940(listed: Sequence[Movement], *, opening: Decimal = OPENING) -> bytes:
    """Return an MT940 of one statement that adds up, with subfields in field 86."""
    closing = opening + sum((one.amount for one in listed), Decimal(0))
    lines = [":20:STARTUMS", f":25:{ACCOUNT}", ":28C:1/1"]
    lines.append(f":60F:{_mt_balance(opening, listed[0].day)}")
    for one in listed:
        size = f"{abs(one.amount):.2f}".replace(".", ",")
        mark = "D" if one.amount < 0 else "C"
        lines.append(
            f":61:{one.day:%y%m%d%m%d}{mark}{size}NTRFNONREF//{one.reference}\r\n"
            f":86:166?00TRANSFER?20EREF+{one.end_to_end_id}?21SVWZ+{one.text}"
            f"?30COBADEFFXXX?31{one.account}?32{one.name}"
        )
    lines.append(f":62F:{_mt_balance(closing, listed[-1].day)}")
    return ("\r\n".join(lines) + "\r\n-\r\n").encode()


def _mt_balance(amount: Decimal, day: date) -> str:
    size = f"{abs(amount):.2f}".replace(".", ",")
    return f"{'D' if amount < 0 else 'C'}{day:%y%m%d}{CURRENCY}{size}"
