"""The demo's organization in a database of its own, with workers on it that a test lets work."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from typing import Any

import pytest
from sqlmodel import col, func, select, update

from gateway.assembly import Assembly, assembled
from gateway.demo_people import _consent as consent_of  # the demo's own way of consenting
