"""The front page: it only arranges the panels that the rooms offer."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from tms.desk.panels import offered


@require_safe
@login_required
def home(request: HttpRequest) -> HttpResponse:
    """Show the desk."""
    return render(request, "desk/home.html", {"panels": offered()})
