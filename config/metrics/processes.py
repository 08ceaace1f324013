"""What all processes have measured of themselves: sums, and the present of each that lives."""

import itertools
from collections.abc import Iterator

from prometheus_client.core import Metric

from stations import measured, measures
from stations.measures import Labels, Measure, Numbers, Series, Value

from .families import counter, gauge, histogram

PROCESS = "process"


def collect() -> Iterator[Metric]:
    counted = measured.counted()
    for measure in measures.MEASURES:
        if measures.is_lasting(measure):
            yield _lasting(measure, counted.get(measure.name, {}))
    present = measured.present()
    for measure in measures.MEASURES:
        if not measures.is_lasting(measure):
            yield _present(measure, [(name, it.get(measure.name, {})) for name, it in present])


def _lasting(measure: Measure, series: Series) -> Metric:
    if measure.kind == "histogram":
        rows = [(labels, _numbers(measure, value)) for labels, value in sorted(series.items())]
        samples = ((labels, list(itertools.accumulate(row[:-1])), row[-1]) for labels, row in rows)
        return histogram(measure.name, measure.text, measure.labels, measure.bounds, samples)
    make = gauge if measure.kind == "latest" else counter
    return make(measure.name, measure.text, measure.labels, _samples(series))


def _present(measure: Measure, of_each: list[tuple[str, Series]]) -> Metric:
    """Each process has its own label: what is summed up is Prometheus' to say."""
    samples = [
        ((*labels, name), value) for name, series in of_each for labels, value in _samples(series)
    ]
    return gauge(measure.name, measure.text, [*measure.labels, PROCESS], samples)


def _samples(series: Series) -> list[tuple[Labels, float]]:
    return [(labels, it) for labels, it in sorted(series.items()) if not isinstance(it, list)]


def _numbers(measure: Measure, value: Value) -> Numbers:
    """The counts of a histogram; those of another version's buckets say nothing here."""
    length = len(measure.bounds) + 2
    return value if isinstance(value, list) and len(value) == length else [0] * length
