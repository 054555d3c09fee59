"""Addresses of balances and accounts."""

from django.urls.resolvers import URLPattern

urlpatterns: list[URLPattern] = []
