"""The one door: sign in, sign out. The admin's own sign-in page leads here too."""

from django.urls import path

from core.identity import views

urlpatterns = [
    path("sign-in", views.SignInView.as_view(), name="sign-in"),
    path("sign-in/code", views.CodeView.as_view(), name="sign-in-code"),
    path("sign-in/authenticator", views.EnrolView.as_view(), name="sign-in-enrol"),
    path("sign-out", views.SignOutView.as_view(), name="sign-out"),
    path("admin/login/", views.admin_sign_in, name="admin-sign-in"),
]
