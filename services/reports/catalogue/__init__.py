"""The system reports, in the order of their folder."""

from collections.abc import Mapping

from services.reports.catalogue import growth, retention, revenue
from services.reports.values import Definition

SYSTEM: Mapping[str, Definition] = {
    definition.key: definition
    for definition in (*growth.REPORTS, *revenue.REPORTS, *retention.CHURN, *retention.REPORTS)
}
