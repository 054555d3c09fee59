"""What can be wrong with a profile."""

from core.errors import Invalid


class ProfileInvalid(Invalid):
    """A profile says something that is not understood; `context['field']` names the key."""

    code = "profile_invalid"
