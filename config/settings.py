"""Every setting of Kubat, read once from the environment, each with a safe default.

`.env.example` lists them all; a test fails when one is missing there.
"""

import contextlib
import datetime as dt
import os
import secrets
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

import environ
from django.templatetags.static import static

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
environ.Env.read_env(BASE_DIR / ".env")

DEBUG: bool = env.bool("DEBUG", default=False)
ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])

# --- Database -------------------------------------------------------------------------------

DATABASES: dict[str, dict[str, Any]] = {
    "default": env.db(
        "DATABASE_URL",
        # quoted: the checkout may lie in a directory such as c++
        default="sqlite:///" + quote((BASE_DIR / "kubat.sqlite3").as_posix()),
    )
}
DATABASE = DATABASES["default"]
IS_SQLITE: bool = DATABASE["ENGINE"] == "django.db.backends.sqlite3"

if IS_SQLITE:
    # WAL lets pages read while the gateway writes; FULL makes a reply mean "stored"; IMMEDIATE
    # takes the write lock at BEGIN, without which 200 holds at once gave 75-115 lock errors.
    DATABASE["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
    }
    # A file, not memory: the gateway's threads must see what a test wrote.
    DATABASE["TEST"] = {
        "NAME": env.str("CSMS_TEST_DB", default=str(BASE_DIR / "test.sqlite3")),
    }
    STATE_DIR = Path(DATABASE["NAME"]).resolve().parent
    STATE_NAME = Path(DATABASE["NAME"]).name
else:
    DATABASE["TEST"] = {"NAME": env.str("CSMS_TEST_DB", default=f"test_{DATABASE['NAME']}")}
    DATABASE["CONN_MAX_AGE"] = 0
    DATABASE["CONN_HEALTH_CHECKS"] = True  # else each pooled connection fails once after a restart
    DATABASE.setdefault("OPTIONS", {})["pool"] = {
        "min_size": 1,
        "max_size": env.int("CSMS_DATABASE_POOL_SIZE", default=20),
        "timeout": 10,
        "reconnect_timeout": 5,  # with the default of 300 it looks ever more seldom: for minutes
    }
    STATE_DIR = BASE_DIR
    STATE_NAME = "kubat"
DATABASE["ATOMIC_REQUESTS"] = False
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Secrets --------------------------------------------------------------------------------


def _made_secret_key() -> str:
    """Return the key of an installation that was given none; it makes one, once.

    It lies beside a SQLite database, else in the checkout, for all processes started there: with
    several hosts the key must be given (kubat.W003). Empty where it cannot be written (kubat.E001).
    """
    path = STATE_DIR / f"{STATE_NAME}.secret"
    try:
        if not path.exists():
            _write_once(path, secrets.token_urlsafe(50))
        return path.read_text()
    except OSError:
        return ""


def _write_once(path: Path, text: str) -> None:
    """Make a private file with this text unless there is one: whole, or not at all."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_text(text)
    with contextlib.suppress(FileExistsError):
        os.link(draft, path)
    draft.unlink()


SECRET_KEY: str = env.str("SECRET_KEY", default="")
IS_SECRET_KEY_MADE = not SECRET_KEY
SECRET_KEY = SECRET_KEY or _made_secret_key()

# --- Redis: with it many processes, without it one ------------------------------------------

REDIS_URL: str = env.str("REDIS_URL", default="")
CACHES: dict[str, dict[str, Any]]
if REDIS_URL:
    # Pub/sub survives a Redis restart, the core layer closes every socket on one.
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [REDIS_URL], "prefix": "kubat"},
        }
    }
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": REDIS_URL,
            # Without them a Redis that hangs holds every page.
            "OPTIONS": {"socket_connect_timeout": 2, "socket_timeout": 2},
        }
    }
else:
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
            "OPTIONS": {"MAX_ENTRIES": 100_000},  # the default of 300 forgets what still counts
        }
    }

# --- Applications ---------------------------------------------------------------------------

CSMS_SERVER: str = env.str("CSMS_SERVER", default="daphne")
INSTALLED_APPS = [
    *(["daphne"] if CSMS_SERVER == "daphne" else []),  # it loads Twisted: 20 MB a process
    "config",
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "rest_framework",
    "django_filters",
    "knox",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "billing",
    "stations",
    "sessions_app",
]
MIDDLEWARE = [
    "config.health.probes_first",
    "config.access.identified",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
APPEND_SLASH = False  # each API path is routed with and without its slash, without redirect
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- People ---------------------------------------------------------------------------------

AUTH_USER_MODEL = "billing.User"
LOGIN_REDIRECT_URL = "admin:index"
AUTHENTICATION_BACKENDS = ["billing.auth.AnyIdentifierBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

# --- What drivers are told (docs/notices.md) ---------------------------------------------------

EMAIL_URL: str = env.str("EMAIL_URL", default="")
# Into the settings go EMAIL_BACKEND, EMAIL_HOST and the rest.
globals().update(environ.Env.email_url_config(EMAIL_URL or "dummymail://"))
EMAIL_TIMEOUT = 10
CSMS_MAIL_FROM: str = env.str("CSMS_MAIL_FROM", default="")
DEFAULT_FROM_EMAIL = CSMS_MAIL_FROM or "kubat@localhost"
CSMS_SMS_URL: str = env.str("CSMS_SMS_URL", default="")
CSMS_TELEGRAM_URL: str = env.str("CSMS_TELEGRAM_URL", default="https://api.telegram.org")
CSMS_TELEGRAM_TOKEN: str = env.str("CSMS_TELEGRAM_TOKEN", default="")
CSMS_TELEGRAM_BOT: str = env.str("CSMS_TELEGRAM_BOT", default="")
CSMS_NOTICE_LANGUAGE: str = env.str("CSMS_NOTICE_LANGUAGE", default="ru")
CSMS_NEARLY_USED_PERCENT: int = env.int("CSMS_NEARLY_USED_PERCENT", default=80)
CSMS_LOST_NOTICE_AFTER_S: int = env.int("CSMS_LOST_NOTICE_AFTER_S", default=120)

# --- API ------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["billing.api.authentication.BearerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["billing.api.parsers.StoredJSONParser"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "billing.api.pagination.Pages",
    "DEFAULT_SCHEMA_CLASS": "billing.api.schema.KubatSchema",
    "EXCEPTION_HANDLER": "billing.api.errors.render_error",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
CSMS_TOKEN_DAYS: int = env.int("CSMS_TOKEN_DAYS", default=30)
REST_KNOX = {
    "AUTH_HEADER_PREFIX": "Bearer",
    # A token that is used goes on; once a day is enough to write that down.
    "TOKEN_TTL": dt.timedelta(days=CSMS_TOKEN_DAYS),
    "AUTO_REFRESH": True,
    "MIN_REFRESH_INTERVAL": 86_400,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Kubat",
    "DESCRIPTION": "Charging station management with exact prepaid charging.",
    "VERSION": "1.0.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    # The page must work without the internet: nothing is asked of the validator's own site.
    "SWAGGER_UI_SETTINGS": {
        "deepLinking": True,
        "persistAuthorization": True,
        "validatorUrl": None,
    },
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "^/ocpp",
    "ENUM_NAME_OVERRIDES": {
        "SessionStatus": "sessions_app.models.session.SessionStatus",
        "LimitType": "sessions_app.models.session.ChargingSession.LimitType",
        "CommandStatus": "stations.models.command.Command.Status",
        "ConnectorStatus": "stations.models.station.Connector.Status",
        "Registration": "stations.models.station.Station.Registration",
        "ReceiptKind": "billing.models.receipt.Receipt.Kind",
        "TopUpStatus": "billing.models.payment.Payment.Status",
        "GuestChargeStatus": "sessions_app.models.guest.GuestCharge.State",
        "RefundStatus": "sessions_app.api.guest.RefundStatus",
        "NoticeChannel": "billing.models.notice.NoticeChannel",
        "TransferKind": "billing.models.account.Transfer.Kind",
        "TransferCode": "billing.models.account.Transfer.Code",
    },
    "PREPROCESSING_HOOKS": ["billing.api.routing.drop_slashed"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "billing.api.schema.add_errors",
    ],
}

# --- Language and time ----------------------------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGES = [("ky", "Кыргызча"), ("ru", "Русский"), ("en", "English")]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

# --- Static files: served from where they lie, so that nothing has to be collected -----------

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True

# --- Kubat's own ----------------------------------------------------------------------------

CSMS_CURRENCY: str = env.str("CSMS_CURRENCY", default="KGS")
CSMS_TIME_ZONE: str = env.str("CSMS_TIME_ZONE", default="Asia/Bishkek")
CSMS_PHONE_REGION: str = env.str("CSMS_PHONE_REGION", default="KG")
CSMS_SELLER_NAME: str = env.str("CSMS_SELLER_NAME", default="Kubat")
CSMS_SELLER_ADDRESS: str = env.str("CSMS_SELLER_ADDRESS", default="")
CSMS_SELLER_TAX_ID: str = env.str("CSMS_SELLER_TAX_ID", default="")
CSMS_SELLER_CONTACT: str = env.str("CSMS_SELLER_CONTACT", default="")
CSMS_FISCAL_REGISTRAR: str = env.str("CSMS_FISCAL_REGISTRAR", default="")
CSMS_PUBLIC_URL: str = env.str("CSMS_PUBLIC_URL", default="")
CSMS_PAYMENT_LIFETIME_S: int = env.int("CSMS_PAYMENT_LIFETIME_S", default=3600)
CSMS_SANDBOX_PAYMENTS: bool = env.bool("CSMS_SANDBOX_PAYMENTS", default=False)
CSMS_FREEDOMPAY_URL: str = env.str("CSMS_FREEDOMPAY_URL", default="https://api.freedompay.kg")
CSMS_FREEDOMPAY_MERCHANT_ID: str = env.str("CSMS_FREEDOMPAY_MERCHANT_ID", default="")
CSMS_FREEDOMPAY_SECRET: str = env.str("CSMS_FREEDOMPAY_SECRET", default="")
CSMS_FREEDOMPAY_TESTING: bool = env.bool("CSMS_FREEDOMPAY_TESTING", default=False)
CSMS_OSMP_ADDRESSES: list[str] = env.list("CSMS_OSMP_ADDRESSES", default=[])
CSMS_OSMP_KEY: str = env.str("CSMS_OSMP_KEY", default="")
CSMS_OSMP_MIN = Decimal(env.str("CSMS_OSMP_MIN", default="10.00"))
CSMS_OSMP_MAX = Decimal(env.str("CSMS_OSMP_MAX", default="100000.00"))
CSMS_MIN_HOLD = Decimal(env.str("CSMS_MIN_HOLD", default="1.00"))
CSMS_RFID_HOLD = Decimal(env.str("CSMS_RFID_HOLD", default="1000.00"))
CSMS_RESERVATION_MINUTES: int = env.int("CSMS_RESERVATION_MINUTES", default=30)
CSMS_RESERVATIONS_PER_DRIVER: int = env.int("CSMS_RESERVATIONS_PER_DRIVER", default=1)
CSMS_CALL_TIMEOUT_S: int = env.int("CSMS_CALL_TIMEOUT_S", default=15)
CSMS_STOP_TIMEOUT_S: int = env.int("CSMS_STOP_TIMEOUT_S", default=300)
CSMS_RESET_ON_IGNORED_STOP: bool = env.bool("CSMS_RESET_ON_IGNORED_STOP", default=False)
CSMS_LOCAL_LISTS: bool = env.bool("CSMS_LOCAL_LISTS", default=False)
CSMS_CLOCK_TOLERANCE_S: int = env.int("CSMS_CLOCK_TOLERANCE_S", default=120)
CSMS_BACKSTOP: bool = env.bool("CSMS_BACKSTOP", default=True)
CSMS_LOST_AFTER_S: int = env.int("CSMS_LOST_AFTER_S", default=3600)
CSMS_DATABASE_WAIT_S: int = env.int("CSMS_DATABASE_WAIT_S", default=20)
CSMS_HEARTBEAT_INTERVAL_S: int = env.int("CSMS_HEARTBEAT_INTERVAL_S", default=60)
CSMS_METER_INTERVAL_S: int = env.int("CSMS_METER_INTERVAL_S", default=10)
CSMS_ASSUMED_POWER_KW: int = env.int("CSMS_ASSUMED_POWER_KW", default=50)
CSMS_CONNECTION_TIMEOUT_S: int = env.int("CSMS_CONNECTION_TIMEOUT_S", default=60)
CSMS_PROVISION: bool = env.bool("CSMS_PROVISION", default=True)
CSMS_UNKNOWN_STATIONS: str = env.str("CSMS_UNKNOWN_STATIONS", default="refuse")
CSMS_TRUSTED_PROXIES: list[str] = env.list("CSMS_TRUSTED_PROXIES", default=[])
CSMS_CLIENT_CERTIFICATES: str = env.str("CSMS_CLIENT_CERTIFICATES", default="verified")
CSMS_CA_DIR: str = env.str("CSMS_CA_DIR", default="") or str(STATE_DIR / f"{STATE_NAME}.ca")
CSMS_CERTIFICATE_DAYS: int = env.int("CSMS_CERTIFICATE_DAYS", default=365)
CSMS_CERTIFICATE_RENEW_DAYS: int = env.int("CSMS_CERTIFICATE_RENEW_DAYS", default=30)
CSMS_SECURITY_EVENT_RETENTION_DAYS: int = env.int("CSMS_SECURITY_EVENT_RETENTION_DAYS", default=365)
CSMS_MEDIA_DIR: str = env.str("CSMS_MEDIA_DIR", default="") or str(
    STATE_DIR / f"{STATE_NAME}.media"
)
CSMS_FIRMWARE_MAX_MB: int = env.int("CSMS_FIRMWARE_MAX_MB", default=512)
CSMS_UPLOAD_MAX_MB: int = env.int("CSMS_UPLOAD_MAX_MB", default=100)
CSMS_DISK_MIN_MB: int = env.int("CSMS_DISK_MIN_MB", default=100)
CSMS_UPLOAD_URL: str = env.str("CSMS_UPLOAD_URL", default="")
CSMS_UPLOAD_RETENTION_DAYS: int = env.int("CSMS_UPLOAD_RETENTION_DAYS", default=90)
CSMS_FRAME_RETENTION_DAYS: int = env.int("CSMS_FRAME_RETENTION_DAYS", default=30)
CSMS_STATUS_RETENTION_DAYS: int = env.int("CSMS_STATUS_RETENTION_DAYS", default=365)
CSMS_COMMAND_RETENTION_DAYS: int = env.int("CSMS_COMMAND_RETENTION_DAYS", default=180)
CSMS_OUTBOX_RETENTION_DAYS: int = env.int("CSMS_OUTBOX_RETENTION_DAYS", default=30)
# How an event shows its object: as the API does. Use cases name it here and import no edge.
HOOK_VIEWS = {
    "sessions_app.ChargingSession": "sessions_app.api.views.show_session",
    "billing.Payment": "billing.api.topups.show_top_up",
}
CSMS_WEBHOOK_NETWORKS: list[str] = env.list("CSMS_WEBHOOK_NETWORKS", default=[])
CSMS_WEBHOOK_GIVE_UP_DAYS: int = env.int("CSMS_WEBHOOK_GIVE_UP_DAYS", default=3)
CSMS_WEBHOOK_OVERLAP_HOURS: int = env.int("CSMS_WEBHOOK_OVERLAP_HOURS", default=24)
CSMS_NOTICE_RETENTION_DAYS: int = env.int("CSMS_NOTICE_RETENTION_DAYS", default=180)
CSMS_RECONCILE_HOUR: int = env.int("CSMS_RECONCILE_HOUR", default=3)
CSMS_OFFLINE_ALERT_S: int = env.int("CSMS_OFFLINE_ALERT_S", default=300)
CSMS_SITE_OFFLINE_STATIONS: int = env.int("CSMS_SITE_OFFLINE_STATIONS", default=3)
CSMS_FLAPPING_TAKEOVERS: int = env.int("CSMS_FLAPPING_TAKEOVERS", default=6)
CSMS_FLAPPING_WINDOW_S: int = env.int("CSMS_FLAPPING_WINDOW_S", default=600)
CSMS_FAULT_ALERT_S: int = env.int("CSMS_FAULT_ALERT_S", default=60)
CSMS_SILENT_ALERT_S: int = env.int("CSMS_SILENT_ALERT_S", default=300)
CSMS_OVERSHOOT_ALERT = Decimal(env.str("CSMS_OVERSHOOT_ALERT", default="10.00"))
CSMS_PAYMENT_ALERT_S: int = env.int("CSMS_PAYMENT_ALERT_S", default=1800)
CSMS_UNVERIFIED_WEBHOOKS: int = env.int("CSMS_UNVERIFIED_WEBHOOKS", default=5)
CSMS_QUEUE_ALERT_S: int = env.int("CSMS_QUEUE_ALERT_S", default=120)
CSMS_SCHEMA_ERRORS: int = env.int("CSMS_SCHEMA_ERRORS", default=20)
CSMS_SCHEMA_WINDOW_S: int = env.int("CSMS_SCHEMA_WINDOW_S", default=600)
CSMS_CHANNEL_ALERT_S: int = env.int("CSMS_CHANNEL_ALERT_S", default=600)
CSMS_ALERT_RETENTION_DAYS: int = env.int("CSMS_ALERT_RETENTION_DAYS", default=730)
CSMS_GATEWAY_THREADS: int = env.int("CSMS_GATEWAY_THREADS", default=8)
CSMS_LOG_FORMAT: str = env.str("CSMS_LOG_FORMAT", default="text")
CSMS_ACCESS_LOG: bool = env.bool("CSMS_ACCESS_LOG", default=False)
CSMS_EMBEDDED_WORKER: bool = env.bool("CSMS_EMBEDDED_WORKER", default=IS_SQLITE)

CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", default=[])
CSMS_SECURE_COOKIES: bool = env.bool("CSMS_SECURE_COOKIES", default=False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = CSMS_SECURE_COOKIES

UNFOLD = {
    "SITE_TITLE": "Kubat",
    "SITE_HEADER": "Kubat",
    "SITE_SYMBOL": "ev_station",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("icon.svg")}
    ],
    "SITE_URL": None,
    "STYLES": [lambda request: static("admin.css")],
    "SHOW_HISTORY": True,
    "DASHBOARD_CALLBACK": "config.dashboard.fill",
    "SIDEBAR": {"show_search": True, "navigation": "config.sidebar.navigation"},
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"text": {"()": "config.logs.Text"}, "json": {"()": "config.logs.Json"}},
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "json" if CSMS_LOG_FORMAT == "json" else "text",
        },
        "nobody": {"class": "logging.NullHandler"},
    },
    "root": {"handlers": ["console"], "level": env.str("CSMS_LOG_LEVEL", default="INFO")},
    "loggers": {
        # Every malformed frame would be a traceback there; the gateway counts and logs its own.
        "ocpp": {"level": "CRITICAL"},
        "daphne": {"level": "WARNING"},
        # They write the addresses that they call: of drivers, and with the bot's token.
        "httpx": {"level": "WARNING"},
        "apprise": {"handlers": ["nobody"], "propagate": False, "level": "WARNING"},
        "uvicorn": {"level": "WARNING"},
        # It tells of every table of every font that a PDF embeds.
        "fontTools": {"level": "WARNING"},
    },
}
