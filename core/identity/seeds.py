"""How a new authenticator's seed is shown: as a picture that apps scan, and as text."""

import base64
from urllib.parse import quote, urlencode

import qrcode
from django.conf import settings
from qrcode.image.svg import SvgPathImage


def seed_picture(*, username: str, seed: str) -> str:
    """Return a data address of the picture that authenticator apps scan."""
    issuer = settings.TMS_AUTHENTICATOR_ISSUER
    facts = {"secret": seed, "issuer": issuer, "algorithm": "SHA1", "digits": 6, "period": 30}
    address = f"otpauth://totp/{quote(f'{issuer}:{username}')}?{urlencode(facts)}"
    drawn: bytes = qrcode.make(address, image_factory=SvgPathImage, border=0).to_string()
    return "data:image/svg+xml;base64," + base64.b64encode(drawn).decode()
