"""Django's defaults, one database, one app with one table."""

import environ

env = environ.Env()

SECRET_KEY = "a key of the benchmarks"  # noqa: S105 - it serves this machine alone
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = ["daphne", "channels", "benchmarks.baselines.stock"]
ASGI_APPLICATION = "benchmarks.baselines.stock.asgi.application"
DATABASES = {"default": env.db("DATABASE_URL", default="sqlite://:memory:")}
DATABASES["default"]["CONN_MAX_AGE"] = None  # else it would connect anew for every message
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
STORES: bool = env.bool("STOCK_STORES", default=True)
"""Whether a row a message is stored; else messages are validated only."""
