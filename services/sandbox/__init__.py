"""Zoho Books, Billing, CRM and Accounts as one app with its own records and rules."""

from services.sandbox.budget import Limits
from services.sandbox.calls import Call
from services.sandbox.faults import Fault
from services.sandbox.sandbox import Sandbox
from services.sandbox.server import run

__all__ = ["Call", "Fault", "Limits", "Sandbox", "run"]
