"""Operations compiled to Python.

An operation is parsed, validated and written as Python once; then it runs as that, on the assumption that nothing
fails. Where something does, graphql-core completes the answer from what was fetched, so that the answer is always its.
"""

from gateway.plans.plans import Plans
from gateway.plans.prepared import Prepared
from gateway.plans.report import Row

__all__ = ["Plans", "Prepared", "Row"]
