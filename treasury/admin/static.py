"""Static data in the admin: entered through services, numbers never shown, nothing deleted."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from simple_history.admin import SimpleHistoryAdmin
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextInputWidget

from core.admin import ReadOnlyAdmin
from core.api.actor import actor
from core.changes.admin import GovernedAdmin
from core.errors import DomainError
from core.identity.roles import STATIC_DATA, TENANT_ADMIN
from treasury.models import Bank, BankAccount, LegalEntity, UsdRate
from treasury.services import rates, static

STATIC_DATA_ROLES = (STATIC_DATA, TENANT_ADMIN)


class ServiceAdmin(ReadOnlyAdmin):
    """Rows enter through a service; its refusal becomes a message beside the filled-in form."""

    def has_add_permission(self, request: HttpRequest, *_args: Any) -> bool:
        """Let those who keep static data enter rows."""
        return actor(request).has_role(*STATIC_DATA_ROLES)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show the form; a refusal by the service becomes a message."""
        try:
            shown: HttpResponse = super().changeform_view(
                request, object_id, form_url, extra_context
            )
        except DomainError as refusal:
            self.message_user(request, refusal.message, messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())
        return shown


@admin.register(LegalEntity)
class LegalEntityAdmin(GovernedAdmin, SimpleHistoryAdmin, ServiceAdmin):
    """Our companies."""

    list_display = ("name", "lei", "town", "country")
    search_fields = ("name", "lei")
    fields = (
        "name",
        "lei",
        "street",
        "building_number",
        "post_code",
        "town",
        "country",
        "closed_until",
    )

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let those who keep static data correct a company."""
        return self.has_add_permission(request)

    def save_model(self, request: HttpRequest, obj: LegalEntity, *_args: Any) -> None:
        """Enter it through the service."""
        if not obj._state.adding:  # noqa: SLF001 - Django's own flag
            static.correct_entity(entity=obj)
            return
        wish = static.EntityIn(
            name=obj.name,
            lei=obj.lei,
            street=obj.street,
            building_number=obj.building_number,
            post_code=obj.post_code,
            town=obj.town,
            country=obj.country,
            closed_until=obj.closed_until,
        )
        obj.pk = static.create_entity(entity=wish).pk


@admin.register(Bank)
class BankAdmin(GovernedAdmin, SimpleHistoryAdmin, ServiceAdmin):
    """Banks and the line that payments leave by."""

    list_display = ("name", "bic", "country", "connection")
    search_fields = ("name", "bic")
    list_filter = ("country",)
    fields = ("bic", "name", "country", "connection")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let those who keep static data correct a bank."""
        return self.has_add_permission(request)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Keep the BIC of a bank: messages name it."""
        return ("bic",) if obj else ()

    def save_model(self, request: HttpRequest, obj: Bank, *_args: Any) -> None:
        """Enter it through the service."""
        if not obj._state.adding:  # noqa: SLF001 - Django's own flag
            static.correct_bank(bank=obj)
            return
        made = static.create_bank(
            bic=obj.bic, name=obj.name, country=obj.country, connection=obj.connection
        )
        obj.pk = made.pk


class AccountForm(forms.ModelForm[BankAccount]):
    """A new account, with its number; or the terms of an open one, without it."""

    number = forms.CharField(
        max_length=42,
        widget=UnfoldAdminTextInputWidget(),
        help_text="IBAN, or local number with its clearing code.",
    )

    class Meta:
        model = BankAccount
        fields = (
            "entity", "bank", "label", "currency", "kind", "number", "clearing_code", "timezone",
            "rda_procedure", "min_balance", "required_collateral", "overdraft_limit",
            "intraday_mode", "statement_hours_expected", "is_active", "closed_until",
        )  # fmt: skip


@admin.register(BankAccount)
class BankAccountAdmin(GovernedAdmin, SimpleHistoryAdmin, ServiceAdmin):
    """Accounts: opened with a number that is never shown again; terms change, numbers do not."""

    form = AccountForm
    list_display = (
        "label", "shown_number", "currency", "kind", "bank", "entity", "min_balance",
        "overdraft_limit", "is_active",
    )  # fmt: skip
    list_filter = ("currency", "kind", "bank", "entity", "is_active")
    search_fields = ("label", "number_hint")
    list_select_related = ("bank", "entity")
    fixed = ("entity", "bank", "shown_number", "currency", "kind", "clearing_code", "timezone")
    terms = (
        "label", "min_balance", "required_collateral", "overdraft_limit", "intraday_mode",
        "statement_hours_expected", "is_active", "closed_until",
    )  # fmt: skip

    @display(description="number")
    def shown_number(self, account: BankAccount) -> str:
        """Show the last digits only."""
        return f"…{account.number_hint}"

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let those who keep static data change terms."""
        return actor(request).has_role(*STATIC_DATA_ROLES)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Offer the number for a new account only."""
        if obj is None:
            return [name for name in AccountForm.Meta.fields if name != "is_active"]
        return [*self.terms, *self.fixed]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Keep what an account is as it was opened."""
        return () if obj is None else self.fixed

    def save_model(
        self, request: HttpRequest, obj: BankAccount, form: forms.ModelForm[BankAccount], *_a: Any
    ) -> None:
        """Open the account, or change its terms, through the service."""
        if obj._state.adding:  # noqa: SLF001 - Django's own flag
            facts = {
                name: form.cleaned_data[name]
                for name in AccountForm.Meta.fields
                if name in form.cleaned_data and name != "is_active"
            }
            obj.pk = static.open_account(account=static.AccountIn(**facts)).pk
            return
        facts = {name: form.cleaned_data[name] for name in self.terms}
        static.change_terms(account_id=obj.pk, terms=static.AccountTerms(**facts))


@admin.register(UsdRate)
class UsdRateAdmin(ServiceAdmin):
    """What currencies are worth in dollars, and since when."""

    list_display = ("currency", "usd_per_unit", "as_of", "source")
    list_filter = ("currency", "source")
    date_hierarchy = "as_of"
    fields = ("currency", "usd_per_unit", "as_of", "source")

    def save_model(self, request: HttpRequest, obj: UsdRate, *_args: Any) -> None:
        """Record it through the service."""
        stored = rates.record_usd_rate(
            currency=obj.currency,
            usd_per_unit=obj.usd_per_unit,
            as_of=obj.as_of,
            source=obj.source,
        )
        obj.pk = stored.pk
