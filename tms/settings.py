"""Settings, composed from the environment by `tms.run.config`; no secret has a default."""

import base64
import json
import os
from datetime import timedelta
from typing import Any

import django_stubs_ext
from csp.constants import NONCE, SELF

from tms.log import logging_configuration
from tms.run.config import runtime

django_stubs_ext.monkeypatch()
RUNTIME = runtime()
BASE_DIR = RUNTIME.config.project

# --- identity of this installation -----------------------------------------------------------
TMS_MODE = RUNTIME.mode
DEBUG = False
SECRET_KEY = RUNTIME.secrets.django_secret_key
TMS_FIELD_KEY = base64.b64decode(RUNTIME.secrets.field_key)
TMS_INDEX_KEY = RUNTIME.secrets.index_key
TMS_WEBHOOK_KEY = RUNTIME.secrets.webhook_key
TMS_BANK_HTTP_SECRET = RUNTIME.secrets.bank_http_secret
TMS_AUDIT_ANCHOR_KEY = RUNTIME.secrets.audit_anchor_key
TMS_AUDIT_SIGNING_KEY = base64.b64decode(RUNTIME.secrets.audit_signing_key)
# Public halves (hex) of signing keys that were replaced: what they signed still verifies.
TMS_AUDIT_RETIRED_KEYS = os.environ.get("TMS_AUDIT_RETIRED_KEYS", "").split()
TMS_AUDIT_ANCHOR_DIR = RUNTIME.home / "anchor"
# Where the keys are that sign sweep orders: a folder, the environment, or a transit engine.
TMS_SIGNING_PROVIDER = os.environ.get("TMS_SIGNING_PROVIDER", "folder")
TMS_SIGNING_DIR = os.environ.get("TMS_SIGNING_DIR") or str(RUNTIME.home / "signing")
TMS_SIGNING_KEY = os.environ.get("TMS_SIGNING_KEY", "")
TMS_SIGNING_RETIRED = os.environ.get("TMS_SIGNING_RETIRED", "")
TMS_TRANSIT_URL = os.environ.get("TMS_TRANSIT_URL", "")
TMS_TRANSIT_TOKEN = os.environ.get("TMS_TRANSIT_TOKEN", "")
TMS_TRANSIT_KEY = os.environ.get("TMS_TRANSIT_KEY", "sweeps")
# An https address or a command that is handed every anchor line, kept by somebody else.
TMS_AUDIT_WITNESS = os.environ.get("TMS_AUDIT_WITNESS", "")
TMS_HOME = RUNTIME.home
TMS_BANK_URL = f"http://127.0.0.1:{RUNTIME.config.bank_port}"
TMS_CLOCK_FILE = RUNTIME.home / "clock.json" if TMS_MODE == "local" else None
TMS_REDIS_URL = RUNTIME.redis_url(0)
TMS_EVENT_BUS = os.environ.get("TMS_EVENT_BUS", "redis")
TMS_KAFKA_BOOTSTRAP = os.environ.get("TMS_KAFKA_BOOTSTRAP", "")
# The stream or topic on which another system reports balances; empty: nobody does.
TMS_POSITIONS_TOPIC = RUNTIME.config.positions_topic
TMS_KAFKA_OPTIONS = json.loads(os.environ.get("TMS_KAFKA_OPTIONS") or "{}")

_extra_hosts = [host for host in os.environ.get("TMS_ALLOWED_HOSTS", "").split(",") if host]
ALLOWED_HOSTS = [RUNTIME.config.host, "localhost", "127.0.0.1", *_extra_hosts]
# In production a proxy speaks TLS with the world; browsers name their origin without its port.
_TLS = TMS_MODE == "production"
TMS_ORIGINS = [
    f"https://{host}" if _TLS else f"http://{host}:{RUNTIME.config.port}" for host in ALLOWED_HOSTS
]
CSRF_TRUSTED_ORIGINS = TMS_ORIGINS

# --- composition -----------------------------------------------------------------------------
INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.simple_history",
    "tms.apps.TmsConfig",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "channels",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_fsm",
    "simple_history",
    # Its tables are part of the schema's history; nothing reads or writes them any more.
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "axes",
    "csp",
    "django_prometheus",
    "core.apps.CoreConfig",
    "calendars.apps.CalendarsConfig",
    "approvals.apps.ApprovalsConfig",
    "integrations.apps.IntegrationsConfig",
    "treasury.apps.TreasuryConfig",
    "fx.apps.FxConfig",
    "liquidity.apps.LiquidityConfig",
    "risk.apps.RiskConfig",
]

MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "core.middleware.RequestIdMiddleware",
    "core.middleware.SecurityHeadersMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "core.middleware.AdminPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "core.identity.middleware.StepUpFailuresMiddleware",
    "core.middleware.TenantMiddleware",
    "core.identity.middleware.SessionsMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "core.identity.middleware.SecondFactorMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "tms.desk.middleware.DeskMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
    "axes.middleware.AxesMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]

ROOT_URLCONF = "tms.urls"
ASGI_APPLICATION = "tms.asgi.application"
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
                "tms.desk.context.desk",
            ]
        },
    }
]

# --- database: the app role; `TMS_DB_ROLE=owner` is for migrations ---------------------------
_database = RUNTIME.database
DATABASES: dict[str, dict[str, Any]] = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _database.name,
        "USER": _database.user,
        "PASSWORD": _database.password,
        "HOST": _database.host,
        "PORT": _database.port,
        "OPTIONS": {
            "server_side_binding": True,
            # Behind a pooler that lends a connection for one transaction, plans cannot be kept.
            "prepare_threshold": 3 if os.environ.get("TMS_DATABASE_PREPARE", "1") == "1" else None,
            **_database.options,
            "connect_timeout": 5,
        },
    }
}
if TMS_MODE != "test":
    DATABASES["default"]["OPTIONS"]["pool"] = {"min_size": 1, "max_size": 16, "timeout": 8}
TMS_DB_ROLE = RUNTIME.role
TMS_OWNER_CONNINFO = RUNTIME.owner.conninfo
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "core.User"

# --- people ----------------------------------------------------------------------------------
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "core.identity.backend.TenantBackend",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 15},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "core.identity.passwords.HouseWordsValidator"},
]
CSRF_FAILURE_VIEW = "tms.desk.errors.csrf_failed"
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "/"
SESSION_ENGINE = "django.contrib.sessions.backends.db"
# Notices may name payees and amounts: they stay on the server, not in a cookie.
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
SESSION_COOKIE_AGE = 12 * 60 * 60
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
# The prefix makes browsers refuse the cookie from any other host, path or without TLS.
SESSION_COOKIE_NAME = "__Host-sessionid" if _TLS else "sessionid"
CSRF_COOKIE_NAME = "__Host-csrftoken" if _TLS else "csrftoken"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = _TLS
SECURE_HSTS_SECONDS = 31_536_000 if _TLS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = _TLS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _TLS else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
AXES_FAILURE_LIMIT = 8
AXES_COOLOFF_TIME = timedelta(minutes=10)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_VERBOSE = False
AXES_ENABLE_ADMIN = False
AXES_LOCKOUT_TEMPLATE = "desk/locked_out.html"
TMS_AUTHENTICATOR_ISSUER = "TMS"
# Passkeys are bound to a name for good: choose the domain before the first one is registered.
TMS_PASSKEY_DOMAIN = os.environ.get("TMS_PASSKEY_DOMAIN") or (_extra_hosts or ["localhost"])[0]

# The desk runs under a strict policy.
CONTENT_SECURITY_POLICY: dict[str, Any] = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF, NONCE],
        "style-src": [SELF, NONCE],
        "img-src": [SELF, "data:"],
        "connect-src": [SELF],
        "frame-ancestors": ["'none'"],
        "form-action": [SELF],
        "base-uri": ["'none'"],
        "object-src": ["'none'"],
    },
}

# The admin theme evaluates Alpine expressions and styles inline; no script of the page itself runs.
TMS_ADMIN_POLICY = {
    "script-src": [SELF, "'unsafe-eval'"],
    "style-src": [SELF, "'unsafe-inline'"],
}

# --- API -------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "core.api.authentication.MachineAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["core.api.parsing.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["core.api.problems.ProblemRenderer"],
    "DEFAULT_PAGINATION_CLASS": "core.api.pagination.NewestFirst",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_THROTTLE_CLASSES": ["rest_framework.throttling.UserRateThrottle"],
    "DEFAULT_THROTTLE_RATES": {"user": "3000/min", "sign-in": "30/min"},
    "EXCEPTION_HANDLER": "core.api.problems.handle",
    "COERCE_DECIMAL_TO_STRING": True,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SIMPLE_JWT = {
    "ALGORITHM": "HS256",
    "SIGNING_KEY": RUNTIME.secrets.jwt_key,
    "AUDIENCE": "tms-api",
    "ISSUER": "tms",
    "ACCESS_TOKEN_LIFETIME": timedelta(hours=1),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=1),
    "UPDATE_LAST_LOGIN": False,
    "USER_ID_CLAIM": "user_id",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "TMS API",
    "DESCRIPTION": "Balances, proposals, transfers, windows, holidays and events of a treasury.",
    "VERSION": "1.0.0",
    "SCHEMA_PATH_PREFIX": r"/api/v1/",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "docExpansion": "none", "filter": True},
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "PlanKindEnum": "liquidity.models.PlanKind.choices",
        "PlanStateEnum": "liquidity.models.PlanState.choices",
        "ProposalStateEnum": "treasury.constants.ProposalState.choices",
        "RequestStateEnum": "approvals.models.RequestState.choices",
        "MessageStateEnum": "integrations.models.MessageState.choices",
        "BookingStatusEnum": "treasury.models.BookingStatus.choices",
        "EntryStateEnum": "treasury.models.EntryState.choices",
        "DayCountEnum": "treasury.models.DayCount.choices",
        "LoanKindEnum": "treasury.models.LoanKind.choices",
        "PoolKindEnum": "treasury.models.PoolKind.choices",
        "LateChangeEnum": "treasury.models.LateChange.choices",
        "LateStateEnum": "treasury.models.LateState.choices",
        "ChangeStateEnum": "core.changes.models.ChangeState.choices",
        "DealStateEnum": "fx.models.DealState.choices",
        "DealSideEnum": "fx.models.DealSide.choices",
        "DealKindEnum": "fx.models.DealKind.choices",
        "DifferenceKindEnum": "fx.models.DifferenceKind.choices",
        "DifferenceStateEnum": "fx.models.DifferenceState.choices",
        "FixingStateEnum": "fx.models.FixingState.choices",
        "SuggestionStateEnum": "fx.models.SuggestionState.choices",
        "ReforecastReasonEnum": "fx.models.ReforecastReason.choices",
        "RecallReasonEnum": "treasury.models.RecallReason.choices",
        "RecallStateEnum": "treasury.models.RecallState.choices",
    },
}

# --- messages between processes --------------------------------------------------------------
_SOCKET_TIMEOUT_SECONDS = 2
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "LOCATION": "tms",
    }
}
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        "CONFIG": {
            # The layer waits for messages by itself: a limit on reading would end its sockets.
            "hosts": [
                {
                    "address": RUNTIME.redis_url(2),
                    "socket_timeout": None,
                    "socket_connect_timeout": _SOCKET_TIMEOUT_SECONDS,
                }
            ],
            "capacity": 1_000,
            "group_expiry": 86_400,
        },
    }
}
CELERY_BROKER_URL = RUNTIME.broker_url(1)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_TIME_LIMIT = 600
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 900,
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "socket_timeout": _SOCKET_TIMEOUT_SECONDS,
    "socket_connect_timeout": _SOCKET_TIMEOUT_SECONDS,
}
CELERY_TIMEZONE = "UTC"

# --- pages -----------------------------------------------------------------------------------
LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
STATIC_URL = "/static/"
STATIC_ROOT = RUNTIME.home / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True
# Tests make hundreds of applications: let none of them list all files before its first answer.
WHITENOISE_AUTOREFRESH = TMS_MODE == "test"
DATA_UPLOAD_MAX_MEMORY_SIZE = 80_000_000
LOGGING_CONFIG = None
LOGGING = logging_configuration()
UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "TMS",
    "SITE_HEADER": "TMS admin",
    "SITE_URL": "/",
    "SITE_SYMBOL": "account_balance",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": "/static/desk/mark.svg"}],
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "COLORS": {
        "primary": {
            "50": "oklch(98.4% .014 180.7)",
            "100": "oklch(95.3% .051 180.8)",
            "200": "oklch(91% .096 180.4)",
            "300": "oklch(85.5% .138 181.1)",
            "400": "oklch(77.7% .152 181.9)",
            "500": "oklch(60% .118 184.7)",
            "600": "oklch(51.1% .096 186.4)",
            "700": "oklch(43.7% .078 188.2)",
            "800": "oklch(38.6% .063 188.4)",
            "900": "oklch(32% .055 190)",
            "950": "oklch(27.7% .046 192.5)",
        }
    },
    "SIDEBAR": {"show_search": True, "show_all_applications": True},
}
SIMPLE_HISTORY_REVERT_DISABLED = True
SIMPLE_HISTORY_ENFORCE_HISTORY_MODEL_PERMISSIONS = True
