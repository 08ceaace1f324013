from django.apps import AppConfig


class ConfigAppConfig(AppConfig):
    name = "config"
    verbose_name = "Kubat"

    def ready(self) -> None:
        from . import checks  # noqa: F401 - registers the system checks
