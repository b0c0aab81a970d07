"""The metrics: named as Prometheus wants it, bounded whatever tenants send, and at 0 before anything has happened."""

import re
import shutil
import subprocess
from collections.abc import Iterator

import pytest
from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.parser import text_string_to_metric_families

from schemas.directions import CODES
from schemas.event import STATUSES
from schemas.reasons import CATALOGUE
from streams import metrics
from streams.classify import classify
from tests.conftest import missing

PROMTOOL = shutil.which("promtool")
ALL = [value for value in vars(metrics).values() if isinstance(value, MetricWrapperBase)]
FORBIDDEN = {"tenant", "tenant_id", "sync", "sync_id", "record", "record_id", "user", "path", "error", "message"}


def labels(metric: MetricWrapperBase) -> tuple[str, ...]:
    return tuple(metric._labelnames)


def name(metric: MetricWrapperBase) -> str:
    return str(metric._name) + ("_total" if metric._type == "counter" else "")


def series() -> Iterator[tuple[str, str]]:
    for family in text_string_to_metric_families(metrics.exposition()[0].decode()):
        if family.name.startswith("synclogs_"):
            yield from ((sample.name, str(sorted(sample.labels.items()))) for sample in family.samples)


@pytest.mark.parametrize("metric", ALL, ids=name)
def test_a_metric_is_named_by_the_conventions(metric: MetricWrapperBase) -> None:
    assert re.fullmatch(r"synclogs_[a-z]+(_[a-z]+)*", name(metric))
    assert metric._documentation.strip(), "no help text"
    unit = re.search(r"(milli|micro|nano)|_(ms|us|minutes|hours|kb|mb|percent)(_|$)", name(metric))
    assert unit is None, "seconds and bytes only"
    if metric._type == "histogram":
        assert re.search(r"_(seconds|records|rows|bytes)$", name(metric)), "a histogram names its unit last"


@pytest.mark.parametrize("metric", ALL, ids=name)
def test_no_label_holds_what_a_tenant_chooses(metric: MetricWrapperBase) -> None:
    assert not FORBIDDEN & set(labels(metric))


def test_the_number_of_series_does_not_grow_with_tenants_and_messages() -> None:
    before = set(series())
    for number in range(10_000):
        errors = [(f"E{number}", f"customer {number} of tenant {number} has no {number}", f"field_{number}")]
        metrics.FAILURES.labels(sorted(CODES)[number % 4], classify("books_to_fsm", errors).reason).inc(0)
        metrics.COUNTED.labels(sorted(CODES)[number % 4], STATUSES[number % 3]).inc(0)
    after = list(series())
    assert len(after) == len(set(after))
    assert set(after) == before


def test_what_may_happen_is_at_zero_before_it_does() -> None:
    known = list(series())
    for direction in CODES:
        for reason in CATALOGUE.reasons:
            entry = str(sorted({"direction": direction, "reason": reason.code}.items()))
            assert ("synclogs_failures_total", entry) in known
        for status in STATUSES:
            assert ("synclogs_records_counted_total", str([("direction", direction), ("status", status)])) in known


def test_what_runs_here_is_told() -> None:
    (labels,) = (sample.labels for family in REGISTRY.collect() if family.name == "synclogs_build_info"
                 for sample in family.samples)  # fmt: skip
    assert labels["catalogue"] == str(CATALOGUE.version)
    assert re.match(r"\d+\.\d+", labels["version"])


@pytest.mark.prometheus
def test_prometheus_own_linter_has_nothing_to_say() -> None:
    if PROMTOOL is None:
        missing("promtool (apt-get install prometheus)")
    checked = subprocess.run([PROMTOOL, "check", "metrics"], input=metrics.exposition()[0], capture_output=True)
    assert (checked.returncode, checked.stderr.decode(), checked.stdout.decode()) == (0, "", "")
