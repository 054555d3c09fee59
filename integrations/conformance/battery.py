"""The battery itself: one check after the other against one line."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import asyncssh

from integrations.channels import (
    Channel,
    ChannelTrouble,
    LineSettings,
    NotSent,
    Outgoing,
    Refused,
    Unreachable,
    opened,
)
from integrations.codecs.proof import ProofStatus, prove
from integrations.codecs.records import MessageKind
from integrations.conformance import orders
from integrations.conformance.hearing import Heard
from integrations.conformance.records import Finding, Report, Terms, Verdict

PAUSE_SECONDS = 0.5
_FILES = ("FOLDER", "SFTP")
_OK, _NOT, _ABSENT, _SKIPPED = (
    Verdict.SUPPORTED, Verdict.DEVIATES, Verdict.ABSENT, Verdict.SKIPPED,
)  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Battery:
    """One run; `pause` waits between two looks at the line."""

    line: LineSettings
    terms: Terms
    heard: Heard
    cursor: str = ""
    pause: Callable[[float], None] = time.sleep
    sent: Outgoing | None = None

    def run(self) -> Report:
        """Ask everything, and leave the line as it was."""
        with opened(self.line) as channel:
            findings = list(self._asked(channel))
        return Report(connection=self.line.code, kind=self.line.kind, findings=findings)

    def _asked(self, channel: Channel) -> Iterator[Finding]:
        reached = self._reachable(channel)
        yield reached
        if reached.verdict is _NOT:
            return
        yield self._wrong_credentials()
        if self.terms.model is None:
            yield _skipped("order", "No accounts were named, so nothing was ordered.")
        else:
            yield from self._ordered(channel)
        self.heard.listen(channel, self.cursor)
        yield from self._reported()

    def _reachable(self, channel: Channel) -> Finding:
        try:
            return _found("reachable", _OK, channel.probe())
        except Unreachable as trouble:
            return _found("reachable", _NOT, str(trouble))

    def _wrong_credentials(self) -> Finding:
        if self.line.kind == "FOLDER":
            return _skipped("wrong_credentials", "A folder knows no credentials.")
        if self.line.access == "MTLS":
            wrong = replace(self.line, access="SIGNATURE")
        elif self.line.access == "KEY":
            stranger = asyncssh.generate_private_key("ssh-ed25519").export_private_key()
            wrong = replace(self.line, secret=stranger.decode())
        else:
            wrong = replace(self.line, secret=f"{self.line.secret}-wrong")
        try:
            with opened(wrong) as channel:
                next(channel.collect(self.cursor), None)
        except Unreachable as trouble:
            return _found("wrong_credentials", _OK, f"Refused: {trouble}")
        return _found("wrong_credentials", _NOT, "The bank let somebody with a wrong secret in.")

    def _ordered(self, channel: Channel) -> Iterator[Finding]:
        order = orders.fresh(self.terms)
        if order is None:
            return
        self.sent = sent = orders.outgoing(order)
        accepted = self._accepted(channel, sent)
        yield accepted
        if accepted.verdict is _NOT:
            return
        yield self._known(channel, sent)
        yield self._again(channel, sent)
        yield self._other_content(channel, sent)
        yield self._unknown(channel)
        yield self._answered(channel, sent)
        yield self._broken(channel)
        yield self._refused_order(channel)
        yield self._old_date(channel)
        yield self._once(channel, sent)

    def _accepted(self, channel: Channel, sent: Outgoing) -> Finding:
        try:
            receipt = channel.send(sent)
        except ChannelTrouble as trouble:
            return _found("order", _NOT, str(trouble))
        named = f" as {receipt.bank_reference}" if receipt.bank_reference else ""
        return _found("order", _OK, f"The bank took the order {sent.reference}{named}.")

    def _known(self, channel: Channel, sent: Outgoing) -> Finding:
        try:
            status = channel.status(sent)
        except Unreachable as trouble:
            return _found("enquiry", _NOT, str(trouble))
        if status is None:
            return _found("enquiry", _NOT, "The bank does not know an order that it took.")
        return _found("enquiry", _OK, f"Asked, the bank knows the order: {status.status}.")

    def _unknown(self, channel: Channel) -> Finding:
        order = orders.fresh(self.terms)
        if order is None:
            return _skipped("enquiry_unknown", "Nothing to ask about.")
        try:
            status = channel.status(orders.outgoing(order))
        except Unreachable as trouble:
            return _found("enquiry_unknown", _NOT, str(trouble))
        if status is None:
            return _found("enquiry_unknown", _OK, "An order that never was is not known.")
        return _found("enquiry_unknown", _NOT, "The bank claims to know an order that never was.")

    def _again(self, channel: Channel, sent: Outgoing) -> Finding:
        try:
            channel.send(sent)
        except Refused as refusal:
            return _found("duplicate", _OK, f"The same order again is refused: {refusal}")
        except ChannelTrouble as trouble:
            return _found("duplicate", _NOT, str(trouble))
        return _found("duplicate", _OK, "The same order again is answered as the first time.")

    def _other_content(self, channel: Channel, sent: Outgoing) -> Finding:
        if self.line.kind in _FILES:
            return _skipped("idempotency", "Files carry no key; names and MsgId must do.")
        order = orders.fresh(self.terms)
        if order is None:
            return _skipped("idempotency", "Nothing to order.")
        try:
            channel.send(orders.outgoing(order, key=sent.key))
        except NotSent as trouble:
            return _found("idempotency", _NOT, str(trouble))
        except ChannelTrouble as refusal:
            return _found("idempotency", _OK, f"A used key with other content: {refusal}")
        return _found("idempotency", _NOT, "The bank takes other content under a used key.")

    def _answered(self, channel: Channel, sent: Outgoing) -> Finding:
        heard = self._statuses(channel, sent)
        if not heard:
            seconds = self.terms.wait_seconds
            return _found("status", _ABSENT, f"No pain.002 within {seconds:.0f} s.")
        version = self.heard.reports()[-1].version
        return _found("status", _OK, f"pain.002 {version}: {' → '.join(heard)}.")

    def _broken(self, channel: Channel) -> Finding:
        order = orders.fresh(self.terms)
        if order is None:
            return _skipped("broken_file", "Nothing to send.")
        sent = orders.broken(order)
        try:
            channel.send(sent)
        except Refused as refusal:
            return _found("broken_file", _OK, str(refusal))
        except ChannelTrouble as trouble:
            return _found("broken_file", _NOT, f"No clear refusal: {trouble}")
        if self.line.kind not in _FILES:
            return _found("broken_file", _NOT, "The bank took half a file as an order.")
        return _found("broken_file", _ABSENT, "A folder answers a broken file with silence here.")

    def _refused_order(self, channel: Channel) -> Finding:
        order = orders.fresh(self.terms, is_wrong=True)
        if order is None:
            return _skipped("refusal", "Nothing to order.")
        return self._judged(
            channel,
            orders.outgoing(order),
            "refusal",
            wanted="RJCT",
            otherwise="An order to nobody was not refused",
        )

    def _old_date(self, channel: Channel) -> Finding:
        order = orders.fresh(self.terms, is_old=True)
        if order is None:
            return _skipped("cut_off", "Nothing to order.")
        return self._judged(
            channel,
            orders.outgoing(order),
            "cut_off",
            wanted="RJCT",
            otherwise="An order dated weeks ago is moved on, not refused",
        )

    def _judged(
        self, channel: Channel, sent: Outgoing, check: str, *, wanted: str, otherwise: str
    ) -> Finding:
        try:
            channel.send(sent)
        except Refused as refusal:
            return _found(check, _OK, str(refusal))
        except ChannelTrouble as trouble:
            return _found(check, _NOT, str(trouble))
        heard = self._statuses(channel, sent)
        said = " → ".join(heard)
        if not heard:
            return _found(check, _ABSENT, "The bank says nothing about it.")
        if any(status.startswith(wanted) for status in heard):
            return _found(check, _OK, f"Answered with {said}.")
        return _found(check, _NOT, f"{otherwise}: {said}.")

    def _once(self, channel: Channel, sent: Outgoing) -> Finding:
        self.heard.listen(channel, self.cursor)
        shown = {kind: self.heard.bookings(sent.reference, str(kind)) for kind in MessageKind}
        booked = {str(kind): count for kind, count in shown.items() if count}
        if not booked:
            return _found("once", _ABSENT, "No message shows the order as booked yet.")
        if booked.get(str(MessageKind.CAMT053), 0) > 1:
            return _found("once", _NOT, f"The order was booked more than once: {booked}.")
        return _found("once", _OK, "The order, offered twice, was booked once.")

    def _statuses(self, channel: Channel, sent: Outgoing) -> list[str]:
        """Return what the bank says about an order, waiting for it as long as the terms allow."""
        until = time.monotonic() + self.terms.wait_seconds
        while True:
            self.heard.listen(channel, self.cursor)
            heard = self.heard.statuses(
                message_id=sent.message_reference, end_to_end_id=sent.reference
            )
            if heard or time.monotonic() >= until:
                return heard
            self.pause(PAUSE_SECONDS)

    def _reported(self) -> Iterator[Finding]:
        statements = self.heard.statements()
        kinds = Counter(f"{one.kind} {one.version}".strip() for one in self.heard.messages)
        if kinds:
            words = ", ".join(f"{kind} × {count}" for kind, count in sorted(kinds.items()))
            yield _found("formats", _OK, f"Recognised: {words}.")
        else:
            yield _found("formats", _ABSENT, "The bank has sent nothing that could be looked at.")
        if self.heard.unreadable:
            shown = self.heard.unreadable[0]
            count = len(self.heard.unreadable)
            yield _found("readable", _NOT, f"{count} messages cannot be read, such as: {shown}")
        closing = [one for one in statements if str(one.kind) not in _WITHOUT_BALANCES]
        if not closing:
            yield _found("statements", _ABSENT, "No statement has come yet.")
            return
        yield _found("statements", _OK, f"{len(closing)} statements have come.")
        proofs = [prove(part) for one in closing for part in one.statements]
        wrong = [proof.words for proof in proofs if proof.status is ProofStatus.DIFFERS]
        if wrong:
            yield _found("proof", _NOT, f"{len(wrong)} do not add up, such as: {wrong[0]}")
        else:
            yield _found("proof", _OK, "Opening plus entries is closing, in all of them.")


_WITHOUT_BALANCES = frozenset(
    map(
        str,
        (MessageKind.CAMT052, MessageKind.CAMT054, MessageKind.MT942, MessageKind.BAI2_INTRADAY),
    )
)


def _found(check: str, verdict: Verdict, words: str) -> Finding:
    return Finding(check=check, verdict=verdict, words=words)


def _skipped(check: str, words: str) -> Finding:
    return _found(check, _SKIPPED, words)
