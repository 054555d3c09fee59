"""Check bytes against the published schemas that come with our packages."""

import itertools
from functools import lru_cache
from importlib import resources
from threading import Lock
from typing import Final

from lxml import etree

from integrations.codecs.constants import FINDINGS_MAX
from integrations.codecs.elements import Element, as_utf8
from integrations.codecs.errors import UnreadableMessage
from integrations.codecs.order_parts import NAMESPACE_PREFIX
from integrations.codecs.records import Finding, Severity

_SCHEMA_LOCK: Final = Lock()
_PACKAGED: Final = ("pain.001.001.03", "pain.001.001.09")


def validate_schema(data: bytes) -> tuple[Finding, ...]:
    """Return what the published schema of the message objects to; empty if nothing.

    Only the schemas of pain.001 come with our packages; other messages are looked at for being
    well-formed.
    """
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
    )
    try:
        document = etree.fromstring(as_utf8(data), parser)
    except UnreadableMessage as error:
        return (_objection(error.message, error.locator),)
    except etree.XMLSyntaxError as error:
        return (_objection(f"Not well-formed: {error.msg}", f"line {error.lineno or 1}"),)
    name = str(etree.QName(document).namespace or "").removeprefix(NAMESPACE_PREFIX)
    if name not in _PACKAGED:
        if name.startswith(("pacs.", "camt.")) or etree.QName(document).localname == "Envelope":
            return ()
        name = _PACKAGED[-1]
    return _objections(document, name)


def _objections(document: Element, name: str) -> tuple[Finding, ...]:
    # The compiled schema keeps its list of errors: one check at a time.
    with _SCHEMA_LOCK:
        schema = _schema(name)
        if schema.validate(document):
            return ()
        errors = itertools.islice(schema.error_log, FINDINGS_MAX)
        return tuple(
            _objection(
                error.message.replace(f"{{{NAMESPACE_PREFIX}{name}}}", ""), f"line {error.line}"
            )
            for error in errors
        )


@lru_cache(maxsize=len(_PACKAGED))
def _schema(name: str) -> etree.XMLSchema:
    source = resources.files("sepaxml").joinpath("schemas", f"{name}.xsd")
    with source.open("rb") as stream:
        return etree.XMLSchema(etree.parse(stream, etree.XMLParser(no_network=True)))


def _objection(message: str, locator: str) -> Finding:
    return Finding(code="SCHEMA", message=message, locator=locator, severity=Severity.ERROR)
