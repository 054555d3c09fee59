"""The admin's page on which an administrator adds a person."""

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_http_methods
from unfold.admin import ModelAdmin
from unfold.decorators import action
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from core.api.actor import actor
from core.audit.refusals import refuse
from core.changes import selectors as changes
from core.errors import DomainError
from core.identity.joining import (
    NUMBER_CHARS_MAX,
    WORDS_CHARS_MAX,
    Joined,
    PersonIn,
    add_person,
)
from core.identity.roles import ALL, TENANT_ADMIN


class PersonForm(forms.Form):
    """Who joins, and with which roles."""

    name = forms.CharField(
        label="Sign-in name", max_length=60, widget=UnfoldAdminTextInputWidget(),
        help_text="What stands before the @.",
    )  # fmt: skip
    display_name = forms.CharField(
        label="Shown as", max_length=WORDS_CHARS_MAX, widget=UnfoldAdminTextInputWidget()
    )
    person_number = forms.CharField(
        label="Person number", max_length=NUMBER_CHARS_MAX, widget=UnfoldAdminTextInputWidget(),
        help_text="One for each human being, whatever number of accounts they have.",
    )  # fmt: skip
    roles = forms.MultipleChoiceField(
        choices=[(role, role.replace("_", " ").capitalize()) for role in ALL],
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget(),
    )
    is_service = forms.BooleanField(
        label="A machine, not a person", required=False, widget=UnfoldBooleanWidget()
    )
    reason = forms.CharField(
        label="Why", max_length=WORDS_CHARS_MAX, widget=UnfoldAdminTextInputWidget()
    )


class JoiningPage(ModelAdmin):
    """A button above the list of people, and its page."""

    actions_list = ("add_person",)

    def has_join_permission(self, request: HttpRequest) -> bool:
        """Return whether the caller administers people."""
        return actor(request).has_role(TENANT_ADMIN)

    @action(description="Add a person", url_path="add-person", permissions=["join"])
    @method_decorator(require_http_methods(["GET", "HEAD", "POST"]))
    def add_person(self, request: HttpRequest) -> HttpResponse:
        """Ask who joins; add the account, give or propose the roles."""
        form = PersonForm(request.POST or None)
        joined = _joined(request, form) if request.method == "POST" else None
        if joined is not None:
            messages.success(request, _what_is_missing(joined))
            return redirect("admin:core_user_change", joined.user.pk)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Add a person",
            "form": form,
            "is_opened": changes.opened(),
        }
        return render(request, "admin/core/add_person.html", context)


def _joined(request: HttpRequest, form: PersonForm) -> Joined | None:
    """Add the person of a form; what is refused shows at its field, and nothing is lost."""
    if not form.is_valid():
        return None
    given = dict(form.cleaned_data)
    reason = given.pop("reason")
    person = PersonIn(**{**given, "roles": tuple(given["roles"])})
    try:
        return add_person(person=person, actor=actor(request), reason=reason)
    except DomainError as refusal:
        field = str(refusal.context.get("field", ""))
        form.add_error(field if field in form.fields else None, refusal.message)
        refuse(request, refusal)
        return None


def _what_is_missing(joined: Joined) -> str:
    waiting = " The roles wait for another person." if joined.change is not None else ""
    return f"{joined.user.display_name} is there.{waiting} An operator sets the first password."
