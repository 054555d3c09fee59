"""Pages of the composition itself."""

from django.urls import path

from tms.desk import views

urlpatterns = [path("", views.home, name="desk")]
