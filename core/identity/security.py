"""The page "My security": authenticator, passkeys, recovery codes, sessions, tokens, password."""

from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from core.api.actor import actor
from core.api.problems import problem
from core.audit.refusals import tell
from core.errors import DomainError, Invalid
from core.identity import passkeys, recovery, sessions, step_up
from core.identity.middleware import SECOND_FACTOR_SESSION_KEY
from core.identity.models import User
from core.identity.passwords import change_password
from core.identity.proofs import StepUpMethod
from core.identity.seeds import seed_picture
from core.identity.services import revoke_tokens

REPLACEMENT_PAGE: Final = "identity/authenticator.html"
View = Callable[..., HttpResponse]


def _refusals_as_notices(view: View) -> View:
    """Take the person back to the page with a notice when the command was refused."""

    def shown(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except DomainError as refusal:
            tell(request, refusal)
            return redirect("my-security")

    return shown


def _command(view: View) -> View:
    return login_required(require_POST(sensitive_post_parameters()(_refusals_as_notices(view))))


def proof_of(request: HttpRequest, *, content_hash: str) -> UUID:
    """Return the proof for `content_hash` from the form's `code` or `passkey`.

    Raises:
        StepUpFailed: neither fits.
    """
    user, given = actor(request), request.POST.get("passkey", "")
    if given:
        answer = passkeys.parse_answer(given)
        return passkeys.prove_with_passkey(user=user, answer=answer, content_hash=content_hash).pk
    code = request.POST.get("code", "")
    return step_up.prove_with_code(user=user, code=code, content_hash=content_hash).pk


@login_required
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Show what opens the person's account, and where it is open."""
    user = actor(request)
    context = {
        "passkeys": passkeys.passkeys_of(user=user),
        "place": passkeys.place_of(host=request.get_host()),
        "host": request.get_host(),
        "codes_left": recovery.codes_left(user=user),
        "has_authenticator": step_up.has_authenticator(user=user),
        "came_with_recovery": user.second_factor == StepUpMethod.RECOVERY,
        "sessions": sessions.sessions_of(user=user),
        "this_session": sessions.digest_of(request.session.session_key),
    }
    return render(request, "identity/security.html", context)


def _question(view: View) -> View:
    """Answer a script: options as JSON, or a refusal as JSON."""

    def asked(request: HttpRequest) -> HttpResponse:
        try:
            return view(request)
        except DomainError as refusal:
            body = problem(status=refusal.status, code=refusal.code, message=refusal.message)
            return JsonResponse(body, status=refusal.status)

    return login_required(require_POST(asked))


@_question
def begin_step_up(request: HttpRequest) -> HttpResponse:
    """Return what the browser needs to prove a passkey for the content in the form."""
    content_hash = request.POST.get("content_hash", "")
    if not step_up.CONTENT_HASH.fullmatch(content_hash):
        raise Invalid("The content hash is 64 hexadecimal digits.", field="content_hash")
    return JsonResponse(passkeys.begin_passkey(user=actor(request), content_hash=content_hash))


@_question
def begin_passkey(request: HttpRequest) -> HttpResponse:
    """Return what the browser needs to make a passkey."""
    return JsonResponse(passkeys.begin_registration(user=actor(request)))


@_command
def add_passkey(request: HttpRequest) -> HttpResponse:
    """Add the passkey that the browser made, with the authenticator's code."""
    made = passkeys.register(
        user=actor(request),
        answer=passkeys.parse_answer(request.POST.get("passkey", "")),
        name=request.POST.get("name", ""),
        code=request.POST.get("code", ""),
    )
    messages.success(request, f"The passkey {made.name} is yours.")
    return redirect("my-security")


@_command
def rename_passkey(request: HttpRequest, passkey: UUID) -> HttpResponse:
    """Give a passkey another name."""
    passkeys.rename(user=actor(request), passkey=passkey, name=request.POST.get("name", ""))
    messages.success(request, "Renamed.")
    return redirect("my-security")


@_command
def remove_passkey(request: HttpRequest, passkey: UUID) -> HttpResponse:
    """Remove a passkey."""
    content = step_up.content_of(f"removal of {passkey}")
    proof = proof_of(request, content_hash=content)
    passkeys.remove(user=actor(request), passkey=passkey, step_up=proof)
    messages.success(request, "The passkey is removed.")
    return redirect("my-security")


@_command
def renew_recovery_codes(request: HttpRequest) -> HttpResponse:
    """Make ten new recovery codes and show them this once."""
    user = actor(request)
    proof = proof_of(request, content_hash=recovery.renewal_of(user))
    codes = recovery.renew_codes(user=user, step_up=proof)
    return render(request, "identity/recovery_codes.html", {"codes": codes})


@_command
def replace_authenticator(request: HttpRequest) -> HttpResponse:
    """Begin with a new authenticator: the old one's code or a recovery code opens this."""
    user = actor(request)
    code = request.POST.get("code", "")
    if recovery.RECOVERY_CODE.fullmatch(recovery.normal(code)):
        proof = recovery.prove_with_recovery_code(user=user, code=code)
    else:
        content = recovery.replacement_of(user)
        proof = step_up.prove_with_code(user=user, code=code, content_hash=content)
    seed = recovery.begin_replacement(user=user, step_up=proof.pk)
    return _show_seed(request, user, seed)


def _show_seed(request: HttpRequest, user: User, seed: str, error: str = "") -> HttpResponse:
    picture = seed_picture(username=user.username, seed=seed)
    context = {"secret": seed, "picture": picture, "error": error}
    return render(request, REPLACEMENT_PAGE, context)


@_command
def confirm_authenticator(request: HttpRequest) -> HttpResponse:
    """Let the new authenticator count."""
    user = actor(request)
    try:
        recovery.confirm_replacement(user=user, code=request.POST.get("code", ""))
    except step_up.StepUpFailed as refusal:
        shown = request.POST.get("secret", "")
        if not step_up.SEED.fullmatch(shown):
            raise
        return _show_seed(request, user, shown, refusal.message)
    request.session[SECOND_FACTOR_SESSION_KEY] = StepUpMethod.TOTP.value
    messages.success(request, "The new authenticator counts; the old one does not any more.")
    return redirect("my-security")


@_command
def end_session(request: HttpRequest, session: UUID) -> HttpResponse:
    """End one of one's sessions."""
    sessions.end_session(session=session, actor=actor(request))
    messages.success(request, "That session has ended.")
    return redirect("my-security")


@_command
def end_other_sessions(request: HttpRequest) -> HttpResponse:
    """End all of one's sessions but this one."""
    count = sessions.end_sessions(user=actor(request), keep=request.session.session_key)
    messages.success(request, f"{count} other sessions ended.")
    return redirect("my-security")


@_command
def revoke_own_tokens(request: HttpRequest) -> HttpResponse:
    """Make every token worthless that was issued to oneself."""
    revoke_tokens(user=actor(request))
    messages.success(request, "All your API tokens are worthless now.")
    return redirect("my-security")


@_command
def new_password(request: HttpRequest) -> HttpResponse:
    """Change one's password and stay signed in here only."""
    user = actor(request)
    fresh = request.POST.get("fresh", "")
    if fresh != request.POST.get("again", ""):
        raise Invalid("The two new passwords differ.", field="again")
    change_password(
        user=user,
        present=request.POST.get("present", ""),
        fresh=fresh,
        keep_session=request.session.session_key,
    )
    update_session_auth_hash(request, user)
    messages.success(request, "Your password is changed; other sessions and tokens have ended.")
    return redirect("my-security")
