"""The address that Prometheus reads."""

from collections.abc import Iterator

from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from .. import tallies
from . import processes, rows, sums


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer in Prometheus' text format."""
    return HttpResponse(generate_latest(REGISTRY), content_type=CONTENT_TYPE_LATEST)


class Everything(Collector):
    """Looks at the rows anew for each scrape."""

    def collect(self) -> Iterator[Metric]:
        kept = tallies.kept()
        yield from rows.collect(kept)
        yield from sums.collect(kept)
        yield from processes.collect()


REGISTRY = CollectorRegistry(auto_describe=False)
REGISTRY.register(Everything())
