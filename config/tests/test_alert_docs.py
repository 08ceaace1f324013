"""docs/alerts.md shows the rules and kinds as they are."""

import re

from django.conf import settings as kubat

from config.watch.rules import RULES
from stations.alerting import kinds

PAGE = (kubat.BASE_DIR / "docs" / "alerts.md").read_text()
RULE_LINE = re.compile(r"^\| `(\w+)` \| (\w+) \| (.+) \| (.+) \| (.+) \|$", re.MULTILINE)
KIND_LINE = re.compile(r"^\| `([a-z_]+)` \| (\w+) \| ([^|]+) \|$", re.MULTILINE)
SETTING_LINE = re.compile(r"^\| `(CSMS_\w+)` \| ([\d.]+) \| ", re.MULTILINE)
BY_KIND = {rule.kind: rule for rule in RULES}


def thresholds(rule):
    shown = [f"`{name}` ({getattr(kubat, name)})" for name in rule.settings]
    return ", ".join(shown) or "none"


def test_the_page_has_a_line_for_each_rule_with_its_severity_and_thresholds():
    assert RULE_LINE.findall(PAGE) == [
        (
            rule.kind,
            kinds.BY_NAME[rule.kind].severity,
            rule.opens,
            rule.resolves,
            thresholds(rule),
        )
        for rule in RULES
    ]


def test_the_page_names_every_other_kind_and_what_resolves_it():
    others = [kind for kind in kinds.KINDS if kind.name not in BY_KIND]
    assert KIND_LINE.findall(PAGE) == [
        (kind.name, kind.severity, kind.ends.value) for kind in others
    ]


def test_the_page_explains_each_threshold():
    shown = dict(SETTING_LINE.findall(PAGE))
    used = {name for rule in RULES for name in rule.settings}
    assert set(shown) == used | {"CSMS_ALERT_RETENTION_DAYS"}
    assert all(str(getattr(kubat, name)) == value for name, value in shown.items())


def test_each_kind_has_its_words_in_each_language():
    for kind in kinds.KINDS:
        for words in (kind.title, kind.advice):
            assert all(words[language].strip() for language in ("en", "ru", "ky"))
        assert len(kind.name) <= 40
