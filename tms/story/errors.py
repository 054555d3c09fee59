"""Why a story cannot go on."""

from core.errors import DomainError


class StoryFailed(DomainError):
    """Something that must happen did not happen, or something happened that must not."""

    code = "story_failed"
