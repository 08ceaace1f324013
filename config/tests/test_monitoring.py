"""What the dashboard, the rules and docs/monitoring.md say is there: names, labels, PromQL."""

import json
import re

import promql_parser
import pytest
import yaml
from django.conf import settings
from prometheus_client.parser import text_string_to_metric_families

from sessions_app.tests.stage import Stage
from stations import measures
from stations.models import Site

pytestmark = pytest.mark.django_db

PAGE = settings.BASE_DIR / "docs" / "monitoring.md"
FILES = settings.BASE_DIR / "docs" / "monitoring"
DASHBOARD = json.loads((FILES / "grafana-dashboard.json").read_text())
RULES = yaml.safe_load((FILES / "alerts.yml").read_text())
SCRAPES = yaml.safe_load((FILES / "prometheus.yml").read_text())
COMPOSE = yaml.safe_load((FILES / "compose.yml").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
ALERTS = [rule for group in RULES["groups"] for rule in group["rules"]]
SUFFIXES = {
    "counter": ("_total",),
    "gauge": ("",),
    "histogram": ("_bucket", "_sum", "_count"),
}
OF_PROMETHEUS = {"job", "instance"}


@pytest.fixture
def families(client, station, alice):
    """All families, with the labels of each, of an installation where everything has happened."""
    station.site = Site.objects.create(name="Osh bazaar")
    station.save()
    stage = Stage(station)
    session = stage.charge(alice, "energy", "1")
    stage.deliver(session.transaction_id, 1_100)
    stage.end(session.transaction_id)
    measured = {
        f"kubat_{measure.name}": (
            {*measure.labels} | ({"process"} if not measures.is_lasting(measure) else set())
        )
        for measure in measures.MEASURES
    }
    text = client.get("/metrics").content.decode()
    told = {}
    for family in text_string_to_metric_families(text):
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        told[family.name] = (family.type, measured.get(family.name, labels), family.documentation)
    return told


@pytest.fixture
def series(families):
    """The labels of each name that PromQL may ask for."""
    return {
        f"{name}{suffix}": labels | ({"le"} if suffix == "_bucket" else set())
        for name, (kind, labels, _) in families.items()
        for suffix in SUFFIXES[kind]
    }


def selectors(expression):
    """(name, labels that are matched) of each series that an expression asks for."""
    found = []

    def look(node):
        if isinstance(node, promql_parser.VectorSelector):
            found.append((node.name, {matcher.name for matcher in node.matchers.matchers}))
        for part in ("expr", "lhs", "rhs", "vector_selector", "param"):
            inner = getattr(node, part, None)
            if isinstance(inner, promql_parser.Expr):
                look(inner)
        for argument in getattr(node, "args", None) or ():
            look(argument)

    look(promql_parser.parse(expression.replace("$__rate_interval", "5m")))
    return found


def unknown(expressions, series):
    """What is asked for and not there."""
    known = {**series, "up": set()}
    return [
        (name, labels)
        for expression in expressions
        for name, labels in selectors(expression)
        if name not in known or not labels <= known[name] | OF_PROMETHEUS
    ]


def table_line(name, kind, labels, text):
    full = f"{name}_total" if kind == "counter" else name
    return f"| `{full}` | {kind} | {', '.join(sorted(labels))} | {text} |"


def test_the_page_lists_each_metric_with_its_labels(families):
    listed = re.findall(r"^\| `kubat_\w+` \|.*$", PAGE.read_text(), re.MULTILINE)
    lines = [table_line(name, *family) for name, family in families.items()]
    assert sorted(listed) == sorted(lines)


def test_a_selector_is_found_wherever_it_stands():
    expression = (
        "histogram_quantile(0.9, sum by (le) (rate(a_bucket{x='1'}[$__rate_interval])))"
        " > 2 * (b - c offset 5m) or absent(d) or max_over_time(e[5m:1m]) or -f"
    )
    assert [name for name, _ in selectors(expression)] == ["a_bucket", "b", "c", "d", "e", "f"]


@pytest.mark.parametrize(
    "expression",
    [
        "rate(kubat_frames[5m])",
        "kubat_nothing",
        'kubat_frames_total{station="K-1"}',
        "kubat_reply_seconds",
    ],
)
def test_what_is_not_told_is_noticed(series, expression):
    assert unknown([expression], series)


def test_each_metric_of_the_dashboard_is_told(series):
    expressions = [target["expr"] for panel in PANELS for target in panel["targets"]]
    assert len(expressions) > 50
    assert unknown(expressions, series) == []


def test_each_metric_of_the_rules_is_told(series):
    assert unknown([rule["expr"] for rule in ALERTS], series) == []


def test_labels_in_texts_are_those_of_the_series(series):
    """A legend or a text with a label that the expression has not would be empty."""
    known = set().union(*series.values()) | OF_PROMETHEUS
    legends = [target["legendFormat"] for panel in PANELS for target in panel["targets"]]
    texts = [text for rule in ALERTS for text in rule["annotations"].values()]
    asked = set(re.findall(r"{{(\w+)}}", "".join(legends)))
    asked |= set(re.findall(r"\$labels\.(\w+)", "".join(texts)))
    assert asked
    assert asked <= known


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_a_rule_says_how_bad_it_is_and_what_to_do(rule):
    assert rule["labels"]["severity"] in ("warning", "critical")
    assert rule["annotations"].keys() == {"summary", "description"}
    assert re.fullmatch(r"Kubat[A-Z][A-Za-z]+", rule["alert"])
    assert f"`{rule['alert']}`" in PAGE.read_text()


def test_a_sum_over_processes_is_not_added_up_again():
    """Each process tells the sums of all: an expression must not add up what instances tell."""
    expressions = [rule["expr"] for rule in ALERTS]
    expressions += [target["expr"] for panel in PANELS for target in panel["targets"]]
    for expression in expressions:
        asked = re.findall(r"\b(kubat_\w+)", expression)
        assert re.findall(r"max without \(instance\) \((?:\w+\()?(kubat_\w+)", expression) == asked


def test_a_panel_can_be_told_from_the_others_and_has_its_own_place():
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    taken = [
        (panel["gridPos"]["x"] + x, panel["gridPos"]["y"] + y)
        for panel in DASHBOARD["panels"]
        for x in range(panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["h"])
    ]
    assert len(set(taken)) == len(taken)
    assert max(x for x, _ in taken) < 24


def test_the_dashboard_asks_which_source_to_read():
    variables = {each["name"]: each["type"] for each in DASHBOARD["templating"]["list"]}
    assert variables == {"datasource": "datasource", "job": "query"}
    assert {panel["datasource"]["uid"] for panel in PANELS} == {"${datasource}"}
    assert "id" not in DASHBOARD


def test_prometheus_reads_a_gateway_under_the_name_that_the_rules_know():
    (scrape,) = SCRAPES["scrape_configs"]
    assert scrape["job_name"] == "kubat"
    main = yaml.safe_load((settings.BASE_DIR / "docker-compose.yml").read_text())
    (target,) = scrape["static_configs"][0]["targets"]
    assert target.split(":")[0] in main["services"]
    assert target.split(":")[1] == "8180"


def test_what_the_compose_file_mounts_is_there_and_nothing_is_open_to_others():
    for service in COMPOSE["services"].values():
        for mount in service["volumes"]:
            source = mount.split(":")[0]
            assert source in COMPOSE["volumes"] or (settings.BASE_DIR / source).is_file()
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:")
