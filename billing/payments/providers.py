"""Who takes the money of a top-up. A provider is named in the request and on the payment."""

from .freedompay import FreedomPay
from .manual import Manual
from .provider import OnlineProvider, Provider
from .sandbox import Sandbox

_ONLINE: tuple[OnlineProvider, ...] = (FreedomPay(), Sandbox())
ONLINE: dict[str, OnlineProvider] = {provider.name: provider for provider in _ONLINE}
"""Those that have a checkout, webhooks and a status to ask for."""

_ALL: tuple[Provider, ...] = (Manual(), *_ONLINE)
PROVIDERS: dict[str, Provider] = {provider.name: provider for provider in _ALL}


def enabled() -> list[str]:
    """The names of those that this installation offers."""
    return [name for name, provider in PROVIDERS.items() if provider.is_enabled()]
