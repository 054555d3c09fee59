from django.apps import AppConfig


class TmsConfig(AppConfig):
    """The composition: settings, urls, servers, the desk's front page. Owns no data."""

    name = "tms"

    def ready(self) -> None:
        """Make the Celery application the current one in every process that sets Django up."""
        from django.conf import settings

        from integrations import registry
        from tms.celery import app
        from tms.ops.senders import senders

        settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)

        app.set_default()
        registry.register_senders(senders)
