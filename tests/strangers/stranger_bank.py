"""A bank that knows nothing of this system: standard library only, its own book, its own habits.

    python stranger_bank.py HOME

It takes payment files from HOME/in/payments and drops reports into HOME/out/reports. Its habits:
namespace prefixes, pain.002.001.03, camt.054.001.02, camt.053.001.04, closing balance before the
opening one, its own account names, file names without kind or ending. It is told what happens by
JSON lines on its input and answers each with one line: {"do": "take"}, {"do": "settle"} ...
"""

import json
import os
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

Wish = dict[str, Any]
Answer = tuple[str, str, str, str]  # reference, batch, status, reason
CURRENCY = "INR"


def child_text(node: Any, *path: str) -> str:
    """Return the text below a path of local names, empty when there is none."""
    for name in path:
        node = next((one for one in (node if node is not None else ()) if local(one) == name), None)
    return (node.text or "").strip() if node is not None else ""


def local(node: Any) -> str:
    return str(node.tag).rpartition("}")[2]


def every(node: Any, name: str) -> list[Any]:
    return [one for one in node.iter() if local(one) == name]


class StrangerBank:
    """Accounts by our number; amounts are decimals of two places."""

    def __init__(self, home: str, accounts: dict[str, str]) -> None:
        self.home = Path(home)
        self.inbox, self.outbox = self.home / "in" / "payments", self.home / "out" / "reports"
        self.read = self.home / "in" / "read"
        for folder in (self.inbox, self.outbox, self.read):
            folder.mkdir(parents=True, exist_ok=True)
        self.balances = {number: Decimal(opening) for number, opening in accounts.items()}
        self.opened_with = dict(self.balances)
        self.lines: dict[str, list[dict[str, Any]]] = {number: [] for number in accounts}
        self.payments: dict[str, dict[str, Any]] = {}
        self.sequence = dict.fromkeys(accounts, 100)
        self.counter = 0
        self.day = ""

    # What it is told

    def do_day(self, wish: Wish) -> Wish:
        self.day = wish["date"]
        return {"day": self.day}

    def do_take(self, wish: Wish) -> Wish:
        """Take what lies in the tray; refuse orders that the script names by their amount."""
        refused = wish.get("refuse", {})
        taken = []
        for path in sorted(self.inbox.iterdir()):
            if path.name.startswith(".") or not path.is_file():
                continue
            root = ET.fromstring(path.read_bytes())
            answers = [self._take(order, refused) for order in self._orders(root)]
            self._status(child_text(root[0], "GrpHdr", "MsgId"), answers)
            path.rename(self.read / path.name)
            taken += [reference for reference, *_ in answers]
        return {"taken": taken}

    def _orders(self, root: Any) -> Iterator[Wish]:
        for block in every(root, "PmtInf"):
            debtor = child_text(block, "DbtrAcct", "Id", "Othr", "Id")
            for order in every(block, "CdtTrfTxInf"):
                amount = every(order, "InstdAmt")[0]
                yield {
                    "reference": child_text(order, "PmtId", "EndToEndId"),
                    "debtor": debtor,
                    "creditor": child_text(order, "CdtrAcct", "Id", "Othr", "Id"),
                    "creditor_name": child_text(order, "Cdtr", "Nm"),
                    "amount": Decimal(amount.text),
                    "currency": amount.get("Ccy"),
                    "batch": child_text(block, "PmtInfId"),
                }

    def _take(self, order: Wish, refused: dict[str, str]) -> Answer:
        reason = refused.get(str(order["amount"]), "")
        if order["debtor"] not in self.balances or order["currency"] != CURRENCY:
            reason = "AC01"
        elif not reason and self.balances[order["debtor"]] < order["amount"]:
            reason = "AM04"
        if order["reference"] in self.payments:
            reason = "AM05"
        else:
            self.payments[order["reference"]] = {**order, "state": "refused" if reason else "taken"}
        return order["reference"], order["batch"], "RJCT" if reason else "ACCP", reason

    def do_settle(self, wish: Wish) -> Wish:
        """Book what was taken, and tell both sides."""
        del wish
        done = []
        for reference, payment in self.payments.items():
            if payment["state"] != "taken":
                continue
            payment["state"] = "booked"
            self._book(payment["debtor"], -payment["amount"], reference, payment["creditor_name"])
            if payment["creditor"] in self.balances:
                self._book(payment["creditor"], payment["amount"], reference, "Ordering party")
            self._status("", [(reference, payment["batch"], "ACSC", "")])
            done.append(reference)
        return {"settled": done}

    def do_return(self, wish: Wish) -> Wish:
        payment = self.payments[wish["reference"]]
        payment["state"] = "returned"
        self._book(
            payment["debtor"], payment["amount"], wish["reference"], payment["creditor_name"],
            returned=wish["reason"],
        )  # fmt: skip
        return {"returned": wish["reference"]}

    def do_book(self, wish: Wish) -> Wish:
        self._book(
            wish["account"], Decimal(wish["amount"]), "", wish["text"],
            reversal=wish.get("reversal", False), charge=wish.get("charge", False),
        )  # fmt: skip
        return {"booked": wish["amount"]}

    def do_close(self, wish: Wish) -> Wish:
        """Close the day: one statement for each account, closing balance first."""
        del wish
        for number in self.balances:
            self.sequence[number] += 1
            self._statement(number)
            self.opened_with[number] = self.balances[number]
            self.lines[number] = []
        return {"closed": self.day}

    def do_show(self, wish: Wish) -> Wish:
        del wish
        return {
            "balances": {number: str(balance) for number, balance in self.balances.items()},
            "payments": {one: payment["state"] for one, payment in self.payments.items()},
        }

    # What it writes

    def _book(
        self, number: str, amount: Decimal, reference: str, text: str, *,
        returned: str = "", reversal: bool = False, charge: bool = False,
    ) -> None:  # fmt: skip
        self.counter += 1
        line = {
            "ref": f"SB{self.counter:06d}", "amount": amount, "reference": reference, "text": text,
            "returned": returned, "reversal": reversal, "charge": charge,
        }  # fmt: skip
        self.balances[number] += amount
        self.lines[number].append(line)
        body = self._document(
            "camt.054.001.02", "BkToCstmrDbtCdtNtfctn", "Ntfctn",
            self._account(number) + self._entry(line),
        )  # fmt: skip
        self._drop(body)

    def _status(self, message: str, answers: list[Answer]) -> None:
        parts = []
        for reference, batch, status, reason in answers:
            why = (
                f"<s:StsRsnInf><s:Rsn><s:Cd>{reason}</s:Cd></s:Rsn></s:StsRsnInf>" if reason else ""
            )
            parts.append(
                f"<s:OrgnlPmtInfAndSts><s:OrgnlPmtInfId>{batch}</s:OrgnlPmtInfId><s:TxInfAndSts>"
                f"<s:OrgnlEndToEndId>{reference}</s:OrgnlEndToEndId><s:TxSts>{status}</s:TxSts>{why}"
                "</s:TxInfAndSts></s:OrgnlPmtInfAndSts>"
            )
        self.counter += 1
        body = (
            '<s:Document xmlns:s="urn:iso:std:iso:20022:tech:xsd:pain.002.001.03">'
            f"<s:CstmrPmtStsRpt><s:GrpHdr><s:MsgId>ST{self.counter}</s:MsgId>"
            f"<s:CreDtTm>{self.day}T12:00:00</s:CreDtTm></s:GrpHdr><s:OrgnlGrpInfAndSts>"
            f"<s:OrgnlMsgId>{message or 'NOTPROVIDED'}</s:OrgnlMsgId>"
            "<s:OrgnlMsgNmId>pain.001.001.09</s:OrgnlMsgNmId></s:OrgnlGrpInfAndSts>"
            f"{''.join(parts)}</s:CstmrPmtStsRpt></s:Document>"
        )
        self._drop(body)

    def _statement(self, number: str) -> None:
        balances = self._balance("CLBD", self.balances[number]) + self._balance(
            "OPBD", self.opened_with[number]
        )
        entries = "".join(self._entry(line) for line in reversed(self.lines[number]))
        body = self._document(
            "camt.053.001.04", "BkToCstmrStmt", "Stmt",
            f"<b:ElctrncSeqNb>{self.sequence[number]}</b:ElctrncSeqNb>"
            + self._account(number) + balances + entries,
        )  # fmt: skip
        self._drop(body)

    def _document(self, kind: str, body: str, report: str, content: str) -> str:
        self.counter += 1
        return (
            f'<b:Document xmlns:b="urn:iso:std:iso:20022:tech:xsd:{kind}"><b:{body}><b:GrpHdr>'
            f"<b:MsgId>SB{self.counter}</b:MsgId><b:CreDtTm>{self.day}T18:00:00</b:CreDtTm>"
            f"</b:GrpHdr><b:{report}><b:Id>R{self.counter}</b:Id>{content}</b:{report}></b:{body}>"
            "</b:Document>"
        )

    def _account(self, number: str) -> str:
        """The account under the name that this bank has for it."""
        return (
            f"<b:Acct><b:Id><b:Othr><b:Id>STRG-{number}</b:Id></b:Othr></b:Id>"
            f"<b:Ccy>{CURRENCY}</b:Ccy></b:Acct>"
        )

    def _balance(self, code: str, amount: Decimal) -> str:
        side = "DBIT" if amount < 0 else "CRDT"
        return (
            f"<b:Bal><b:Tp><b:CdOrPrtry><b:Cd>{code}</b:Cd></b:CdOrPrtry></b:Tp>"
            f'<b:Amt Ccy="{CURRENCY}">{abs(amount)}</b:Amt><b:CdtDbtInd>{side}</b:CdtDbtInd>'
            f"<b:Dt><b:Dt>{self.day}</b:Dt></b:Dt></b:Bal>"
        )

    def _entry(self, line: dict[str, Any]) -> str:
        side = "DBIT" if line["amount"] < 0 else "CRDT"
        reversal = "<b:RvslInd>true</b:RvslInd>" if line["reversal"] else ""
        back = (
            f"<b:RtrInf><b:Rsn><b:Cd>{line['returned']}</b:Cd></b:Rsn></b:RtrInf>"
            if line["returned"]
            else ""
        )
        family = (
            "<b:Cd>MDOP</b:Cd></b:Fmly><b:SubFmlyCd>CHRG"
            if line["charge"]
            else (
                "<b:Cd>RCDT</b:Cd></b:Fmly><b:SubFmlyCd>RRTN"
                if back
                else "<b:Cd>ICDT</b:Cd></b:Fmly><b:SubFmlyCd>DMCT"
            )
        )
        code = family.replace("</b:Fmly><b:SubFmlyCd>", "@")
        first, second = code.split("@")
        domain = "ACMT" if line["charge"] else "PMNT"
        reference = line["reference"] or "NOTPROVIDED"
        return (
            f'<b:Ntry><b:Amt Ccy="{CURRENCY}">{abs(line["amount"])}</b:Amt>'
            f"<b:CdtDbtInd>{side}</b:CdtDbtInd>{reversal}<b:Sts>BOOK</b:Sts>"
            f"<b:BookgDt><b:Dt>{self.day}</b:Dt></b:BookgDt>"
            f"<b:ValDt><b:Dt>{self.day}</b:Dt></b:ValDt><b:AcctSvcrRef>{line['ref']}</b:AcctSvcrRef>"
            f"<b:BkTxCd><b:Domn><b:Cd>{domain}</b:Cd><b:Fmly>{first}"
            f"<b:SubFmlyCd>{second}</b:SubFmlyCd></b:Fmly></b:Domn></b:BkTxCd>"
            f"<b:NtryDtls><b:TxDtls><b:Refs><b:EndToEndId>{reference}</b:EndToEndId></b:Refs>"
            f"{back}</b:TxDtls></b:NtryDtls>"
            f"<b:AddtlNtryInf>{line['text']}</b:AddtlNtryInf></b:Ntry>"
        )

    def _drop(self, body: str) -> None:
        self.counter += 1
        draft = self.home / f"draft{self.counter}"
        draft.write_text(body, "utf-8")
        os.replace(draft, self.outbox / f"{self.day.replace('-', '')}.{self.counter:06d}")


def main() -> None:
    bank = StrangerBank(sys.argv[1], json.loads(sys.argv[2]))
    for line in sys.stdin:
        wish = json.loads(line)
        answer = getattr(bank, f"do_{wish.pop('do')}")(wish)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
