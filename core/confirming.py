"""Buttons of the admin ask first: a link shows what would happen, only a sent form does it.

The theme gives every button an address that a link reaches. Under `@confirmed` such an address
answers a read with a page that names the object and the consequence; the form there carries the
token of this browser, so that no page of another site presses the button.
"""

from collections.abc import Callable
from functools import wraps
from http import HTTPMethod
from typing import Any, Final

from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.template.response import TemplateResponse
from django.urls import reverse

Button = Callable[..., HttpResponse]
_READ: Final = (HTTPMethod.GET, HTTPMethod.HEAD)
_METHODS: Final = (*_READ, HTTPMethod.POST)


def confirmed(consequence: str) -> Callable[[Button], Button]:
    """Let a button act on POST only; a read shows its object and the `consequence`.

    It stands under the theme's `@action`, which has looked at the button's own rights by then.
    """

    def decorate(act: Button) -> Button:
        @wraps(act)
        def asking(page: ModelAdmin[Any], request: HttpRequest, **names: str) -> HttpResponse:
            if request.method not in _METHODS:
                return HttpResponseNotAllowed(_METHODS)
            found = _object(page, request, names.get("object_id"))
            if request.method == HTTPMethod.POST:
                return act(page, request, **names)
            title = getattr(page, act.__name__).short_description
            return _ask(page, request, found, {"title": title, "consequence": consequence})

        return asking

    return decorate


def _object(page: ModelAdmin[Any], request: HttpRequest, object_id: str | None) -> Model | None:
    """Return what the button is about; None for a button of the whole list."""
    found = page.get_object(request, object_id) if object_id else None
    if object_id and found is None:
        raise Http404
    if not page.has_view_permission(request, found):
        raise PermissionDenied
    return found


def _ask(
    page: ModelAdmin[Any], request: HttpRequest, found: Model | None, words: dict[str, str]
) -> HttpResponse:
    opts = page.opts
    name = f"{page.admin_site.name}:{opts.app_label}_{opts.model_name}"
    back = reverse(f"{name}_change", args=[found.pk]) if found else reverse(f"{name}_changelist")
    context = {
        **page.admin_site.each_context(request),
        **words,
        "opts": opts,
        "object": found,
        "back": back,
    }
    return TemplateResponse(request, "admin/core/confirm.html", context)
