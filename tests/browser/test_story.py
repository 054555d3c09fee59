"""The walkthrough says at once what would make it wait in vain."""

import pytest

from core.api.authentication import access_token
from tests.browser.conftest import Office
from tms.story.api import Api
from tms.story.errors import StoryFailed
from tms.story.money import require_outflows
from treasury.services import freezing


def test_no_story_is_told_while_outflows_are_stopped(office: Office, address: str) -> None:
    with office.acting(office.maker):
        token = access_token(office.maker)
    api = Api(base_url=address, person="Maker", token=token)
    require_outflows(api)
    with office.acting(office.checker):
        freezing.stop_outflows(actor=office.checker, reason="A strange payment")
    with pytest.raises(StoryFailed, match=r"stopped since .*A strange payment.*/freeze"):
        require_outflows(api)
