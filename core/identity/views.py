"""Sign in with name, password and authenticator code; sign out.

The password step only remembers who is on the way in. Nobody is signed in, and no tenant is
bound to the session, before the code fits. A person without an authenticator sets one up first.
"""

from dataclasses import asdict, dataclass
from typing import Any, Final
from urllib.parse import urlencode

from axes.handlers.proxy import AxesProxyHandler
from axes.helpers import get_lockout_response
from django import forms
from django.conf import settings
from django.contrib.auth import authenticate, login, logout
from django.contrib.auth.signals import user_login_failed
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from core import clock
from core.errors import DomainError
from core.identity import passkeys, recovery, step_up
from core.identity.middleware import SECOND_FACTOR_SESSION_KEY
from core.identity.models import User
from core.identity.proofs import StepUp
from core.identity.seeds import seed_picture
from core.middleware import TENANT_SESSION_KEY
from core.tenancy import bound

PENDING_SESSION_KEY: Final = "tms_sign_in"
PENDING_SECONDS_MAX: Final = 600
BACKEND: Final = "core.identity.backend.TenantBackend"
# Not the cookies: the session is gone on the server, and the form token is needed to come back.
CLEARED_AT_SIGN_OUT: Final = '"cache", "storage"'
REFUSED: Final = "Name, password or code do not fit. Please try again."


class PasswordForm(forms.Form):
    """The first step."""

    username = forms.CharField(max_length=120)
    password = forms.CharField(max_length=256, strip=False)


class CodeForm(forms.Form):
    """The second step: the authenticator's six digits, a recovery code, or a passkey's answer."""

    code = forms.CharField(max_length=40, required=False)
    passkey = forms.CharField(max_length=passkeys.ANSWER_CHARS_MAX, required=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """Somebody whose password fitted and whose code is awaited."""

    tenant: str
    user: str
    username: str
    next: str
    since: float

    @classmethod
    def of(cls, request: HttpRequest) -> "Pending | None":
        """Return who is on the way in, or None when nobody is or it took too long."""
        stored = request.session.get(PENDING_SESSION_KEY)
        pending = cls(**stored) if stored else None
        if pending and clock.now().timestamp() - pending.since <= PENDING_SECONDS_MAX:
            return pending
        return None

    def person(self) -> User | None:
        """Return the person while the account is active; inside `bound`."""
        return User.objects.filter(pk=self.user, is_active=True, is_service=False).first()


def safe_next(request: HttpRequest) -> str:
    """Return where to go after signing in; addresses of other sites are replaced by the desk."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if is_ours else settings.LOGIN_REDIRECT_URL


def _enter(request: HttpRequest, person: User, proof: StepUp, pending: Pending) -> None:
    """Open the session: fresh key, tenant, which second factor it was. Inside `bound`."""
    request.session.pop(PENDING_SESSION_KEY, None)
    login(request, person, backend=BACKEND)
    request.session[TENANT_SESSION_KEY] = pending.tenant
    request.session[SECOND_FACTOR_SESSION_KEY] = proof.method


@method_decorator([never_cache, csrf_protect, sensitive_post_parameters()], name="dispatch")
class _Step(View):
    """What both steps share."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Send those who are in already to where they wanted to go."""
        if request.user.is_authenticated:
            return redirect(safe_next(request))
        return super().dispatch(request, *args, **kwargs)


class SignInView(_Step):
    """Name and password."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the form."""
        return self._form(request)

    def post(self, request: HttpRequest) -> HttpResponse:
        """Check name and password, then ask for the code."""
        form = PasswordForm(request.POST)
        if not form.is_valid():
            return self._form(request, error=REFUSED)
        person = authenticate(request, **form.cleaned_data)
        if not isinstance(person, User) or person.is_service:
            return self._form(request, error=REFUSED)
        pending = Pending(
            tenant=str(person.tenant_id),
            user=str(person.pk),
            username=person.username,
            next=safe_next(request),
            since=clock.now().timestamp(),
        )
        request.session.cycle_key()
        request.session[PENDING_SESSION_KEY] = asdict(pending)
        with bound(pending.tenant, actor=pending.user, reason="sign-in"):
            has_authenticator = step_up.has_authenticator(user=person)
        return redirect("sign-in-code" if has_authenticator else "sign-in-enrol")

    def _form(self, request: HttpRequest, error: str = "") -> HttpResponse:
        context = {
            "next": safe_next(request),
            "error": error,
            "username": request.POST.get("username", ""),
        }
        return render(request, "desk/sign_in.html", context)


class _CodeStep(_Step):
    """A step that needs somebody on the way in."""

    def post(self, request: HttpRequest) -> HttpResponse:
        """Let the person in when the code fits; a wrong one counts as a failed sign-in."""
        pending = Pending.of(request)
        if pending is None:
            return redirect("sign-in")
        credentials = {"username": pending.username}
        if not AxesProxyHandler.is_allowed(request, credentials):
            locked: HttpResponse = get_lockout_response(request, credentials=credentials)
            return locked
        form = CodeForm(request.POST)
        with bound(pending.tenant, actor=pending.user, reason="sign-in"):
            person = pending.person()
            if person is not None and form.is_valid():
                proof = self._fitting(person, form.cleaned_data)
                if proof is not None:
                    _enter(request, person, proof, pending)
                    return redirect(pending.next)
        user_login_failed.send(sender=__name__, credentials=credentials, request=request)
        return self.get(request, error=REFUSED)

    def _fitting(self, person: User, given: dict[str, str]) -> StepUp | None:
        try:
            return self.proof(person, given)
        except step_up.StepUpFailed:
            return None

    def proof(self, person: User, given: dict[str, str]) -> StepUp:
        """Return the proof from a passkey, a recovery code or the authenticator's code.

        Raises:
            StepUpFailed: it does not fit.
        """
        if given["passkey"]:
            answer = passkeys.parse_answer(given["passkey"])
            return passkeys.prove_with_passkey(
                user=person, answer=answer, content_hash=step_up.SIGN_IN
            )
        code = given["code"]
        if recovery.RECOVERY_CODE.fullmatch(recovery.normal(code)):
            return recovery.prove_with_recovery_code(user=person, code=code)
        return step_up.prove_with_code(user=person, code=code, content_hash=step_up.SIGN_IN)

    def get(self, request: HttpRequest, error: str = "") -> HttpResponse:
        """Ask for the code."""
        pending = Pending.of(request)
        if pending is None:
            return redirect("sign-in")
        with bound(pending.tenant, actor=pending.user, reason="sign-in"):
            person = pending.person()
            has_passkeys = person is not None and passkeys.passkeys_of(user=person).exists()
        context = {"username": pending.username, "error": error, "has_passkeys": has_passkeys}
        return render(request, "desk/sign_in_code.html", context)


class CodeView(_CodeStep):
    """The authenticator's code."""


class EnrolView(_CodeStep):
    """Set up an authenticator: only for a person who has none yet."""

    def get(self, request: HttpRequest, error: str = "") -> HttpResponse:
        """Show the secret as a picture and as text."""
        pending = Pending.of(request)
        if pending is None:
            return redirect("sign-in")
        with bound(pending.tenant, actor=pending.user, reason="sign-in"):
            person = pending.person()
            if person is None or step_up.has_authenticator(user=person):
                return redirect("sign-in-code")
            shown = request.POST.get("secret", "")
            # After a wrong code the same seed is shown again: it is in the page, nowhere else.
            secret = (
                shown if error and step_up.SEED.fullmatch(shown) else step_up.enrol(user=person)
            )
        context = {
            "username": pending.username,
            "error": error,
            "picture": seed_picture(username=pending.username, seed=secret),
            "secret": secret,
        }
        return render(request, "desk/sign_in_enrol.html", context)

    def proof(self, person: User, given: dict[str, str]) -> StepUp:
        """Confirm the new authenticator when it shows the code.

        Raises:
            StepUpFailed: it does not fit.
        """
        return step_up.confirm(user=person, code=given["code"])


@never_cache
@csrf_protect
@require_POST
def begin_passkey(request: HttpRequest) -> HttpResponse:
    """Return what the browser needs for signing in with a passkey, after the password fitted."""
    pending = Pending.of(request)
    if pending is None:
        return JsonResponse({"code": "sign_in_first"}, status=403)
    with bound(pending.tenant, actor=pending.user, reason="sign-in"):
        person = pending.person()
        if person is None:
            return JsonResponse({"code": "sign_in_first"}, status=403)
        try:
            options = passkeys.begin_passkey(user=person, content_hash=step_up.SIGN_IN)
        except DomainError as refusal:
            return JsonResponse({"code": refusal.code}, status=refusal.status)
    return JsonResponse(options)


@method_decorator([never_cache, csrf_protect], name="dispatch")
class SignOutView(View):
    """End the session."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        """Forget the session on the server and go to the sign-in page."""
        logout(request)
        response = redirect("sign-in")
        response["Clear-Site-Data"] = CLEARED_AT_SIGN_OUT
        return response


def admin_sign_in(request: HttpRequest) -> HttpResponse:
    """Send the admin's own sign-in page to ours: there is one door, with a second factor."""
    if request.user.is_authenticated and not request.user.is_staff:
        return redirect(settings.LOGIN_REDIRECT_URL)
    return redirect(f"{reverse('sign-in')}?{urlencode({'next': safe_next(request)})}")
