"""The one door: sign in, sign out, and what opens one's account.

The admin's own sign-in page leads here too.
"""

from django.urls import path

from core.identity import security, views

urlpatterns = [
    path("sign-in", views.SignInView.as_view(), name="sign-in"),
    path("sign-in/code", views.CodeView.as_view(), name="sign-in-code"),
    path("sign-in/authenticator", views.EnrolView.as_view(), name="sign-in-enrol"),
    path("sign-in/passkey", views.begin_passkey, name="sign-in-passkey"),
    path("sign-out", views.SignOutView.as_view(), name="sign-out"),
    path("admin/login/", views.admin_sign_in, name="admin-sign-in"),
    path("me/security", security.page, name="my-security"),
    path("me/step-up/passkey", security.begin_step_up, name="my-step-up"),
    path("me/passkeys", security.add_passkey, name="my-passkey-add"),
    path("me/passkeys/begin", security.begin_passkey, name="my-passkey-begin"),
    path("me/passkeys/<uuid:passkey>/name", security.rename_passkey, name="my-passkey-rename"),
    path("me/passkeys/<uuid:passkey>/remove", security.remove_passkey, name="my-passkey-remove"),
    path("me/recovery-codes", security.renew_recovery_codes, name="my-recovery-codes"),
    path("me/authenticator", security.replace_authenticator, name="my-authenticator"),
    path(
        "me/authenticator/confirm", security.confirm_authenticator, name="my-authenticator-confirm"
    ),
    path("me/sessions/others/end", security.end_other_sessions, name="my-sessions-end-others"),
    path("me/sessions/<uuid:session>/end", security.end_session, name="my-session-end"),
    path("me/tokens/revoke", security.revoke_own_tokens, name="my-tokens-revoke"),
    path("me/password", security.new_password, name="my-password"),
]
