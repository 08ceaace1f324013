"""Families of metrics as Prometheus names them: `kubat_`, base units, `_total`."""

from collections.abc import Iterable, Sequence

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.utils import floatToGoString

from billing.money import to_major

Samples = Iterable[tuple[Sequence[str], float]]
PREFIX = "kubat_"


def number(name: str, text: str, value: float) -> Metric:
    """A gauge of one number."""
    return GaugeMetricFamily(PREFIX + name, text, value=value)


def gauge(name: str, text: str, labels: Sequence[str], samples: Samples) -> Metric:
    return _fill(GaugeMetricFamily(PREFIX + name, text, labels=labels), samples)


def counter(name: str, text: str, labels: Sequence[str], samples: Samples) -> Metric:
    """A counter; its samples get `_total` after their name."""
    return _fill(CounterMetricFamily(PREFIX + name, text, labels=labels), samples)


def histogram(
    name: str,
    text: str,
    labels: Sequence[str],
    bounds: Sequence[float],
    samples: Iterable[tuple[Sequence[str], Sequence[float], float]],
) -> Metric:
    """A histogram of (labels, how many were at most each bound and in all, their sum)."""
    family = HistogramMetricFamily(PREFIX + name, text, labels=labels)
    bounds_as_text = [*map(floatToGoString, bounds), "+Inf"]
    for values, counts, sum_ in samples:
        buckets = list(zip(bounds_as_text, counts, strict=True))
        family.add_metric(values, buckets, sum_)
    return family


def major(minor: int) -> float:
    return float(to_major(minor))


def _fill(family: GaugeMetricFamily | CounterMetricFamily, samples: Samples) -> Metric:
    for labels, value in samples:
        family.add_metric(labels, value)
    return family
