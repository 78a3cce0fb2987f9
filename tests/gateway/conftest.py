"""What is said of gateways while they work."""

import logging
import sys
from collections.abc import Iterator
from io import StringIO

import pytest
import structlog

from gateway.observing import logs
from gateway.settings import Logs
from tests.gateway.telemetry_harness import Collector


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    yield collector
    collector.close()


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[StringIO]:
    """The log of a run, as the process would write it."""
    root, written = logging.getLogger(), StringIO()
    handlers, level, usual = root.handlers[:], root.level, structlog.get_config()
    monkeypatch.setattr(sys, "stderr", written)
    logs.configure(Logs(format="json", level="debug"))
    yield written
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**usual)
