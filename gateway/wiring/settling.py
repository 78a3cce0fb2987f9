"""The job that finds out what became of writes whose answer was lost."""

from time import monotonic

import structlog

from services import Services
from services.errand import Errand
from services.errors import GatewayError
from services.outcomes import Outcome

SECONDS = 30.0
"""Within which the products have to answer about one write."""
log = structlog.get_logger(__name__)


async def settle_uncertain(services: Services) -> None:
    """Look every claimed write up under the access of whoever made it; what fails is claimed again later."""
    for outcome in await services.outcomes.claim():
        try:
            await _settle(services, outcome)
        except GatewayError as error:
            log.warning("a write is still uncertain", outcome=outcome.id, action=outcome.action, reason=error.message)
        except Exception:  # one write that cannot be looked up must not keep the others waiting
            log.exception("a write could not be looked up", outcome=outcome.id, action=outcome.action)


async def _settle(services: Services, outcome: Outcome) -> None:
    viewer = await services.identity.member(outcome.organization_id, outcome.member_id)
    await services.writes.look_up(Errand(viewer, f"settle-{outcome.id}", monotonic() + SECONDS), outcome)
