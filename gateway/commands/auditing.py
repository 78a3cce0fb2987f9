"""The audit from the command line: proved, exported, pruned."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gateway.settings import Settings
from gateway.wiring.assembly import database_of
from services.chain import Chain, Stretch, snapshot
from services.errors import BadUserInput, Conflict
from services.export import Exported, Format, write
from services.proof import Fault, Proof, prove
from services.retention import Boundary, remove
from services.storage.chain import AuditLink
from services.storage.models import now


@dataclass(frozen=True)
class Verdict:
    """The proofs of one organization or more; `noted`: a head that was noted earlier, as `prove` takes it."""

    proofs: Sequence[tuple[str, Proof]]
    """(the organization's name, its proof)"""
    noted: str | None = None

    @property
    def cut(self) -> bool:
        """Whether the noted head is missing; a chain that is broken is not read to its end."""
        return self.noted is not None and not any(proof.noted or proof.broken for _, proof in self.proofs)

    @property
    def holds(self) -> bool:
        """Whether everything is as it was recorded."""
        return not self.cut and not any(proof.broken for _, proof in self.proofs)

    @property
    def lines(self) -> list[str]:
        """A line an organization, and what is the matter."""
        cut = [f"✗ {Fault.CUT}: no link is {self.noted}: the end was cut off, or it is pruned"]
        return [*(_line(name, proof) for name, proof in self.proofs), *(cut if self.cut else [])]


async def verify(settings: Settings, organization: str | None, noted: str | None) -> Verdict:
    """Prove one organization's audit, or each."""
    async with database_of(settings) as database, snapshot(database) as chain:
        return await _verdict(chain, organization, noted)


async def export(
    settings: Settings,
    path: Path,
    organization: str | None,
    between: tuple[datetime | None, datetime | None],
    form: str,
) -> Exported:
    """Write the links of one organization, or of all, into a new file: those made between two moments."""
    since, until = (moment and _utc(moment) for moment in between)
    async with database_of(settings) as database, snapshot(database) as chain:
        chosen = {one.id: Stretch(since=since, until=until) for one in await chain.organizations(organization)}
        return await write(_links(chain, chosen), path, Format(form))


async def prune(
    settings: Settings, path: Path, organization: str | None, before: datetime
) -> tuple[Exported, list[Boundary]]:
    """Export what was recorded before a moment, then remove it; what is broken is not removed.

    Raises `BadUserInput` when it has to be kept still, `Conflict` when it is not as it was recorded.
    """
    before = _utc(before)
    _check_kept(settings.audit.keep_days, before)
    async with database_of(settings) as database:
        async with snapshot(database) as chain:
            verdict = await _verdict(chain, organization, None)
            if not verdict.holds:
                raise Conflict("\n".join(["Nothing is removed: the audit is not as it was recorded.", *verdict.lines]))
            boundaries = [one async for one in _boundaries(chain, verdict, before)]
            chosen = {one.organization_id: Stretch(through=one.last.sequence) for one in boundaries}
            exported = await write(_links(chain, chosen), path)
        await remove(database, boundaries, exported.digest)
    return exported, boundaries


def _check_kept(keep_days: int | None, before: datetime) -> None:
    if keep_days is None:
        raise BadUserInput(
            "The audit is kept for ever.", hint="GATEWAY_AUDIT__KEEP_DAYS says after how many days it may be removed."
        )
    if before > (latest := now() - timedelta(days=keep_days)):
        raise BadUserInput(f"The audit is kept for {keep_days} days: it may be removed before {latest:%Y-%m-%d}.")


def _utc(given: datetime) -> datetime:
    """A day or moment of the command line."""
    return given.replace(tzinfo=UTC) if given.tzinfo is None else given


async def _verdict(chain: Chain, organization: str | None, noted: str | None) -> Verdict:
    chosen = await chain.organizations(organization)
    return Verdict([(one.name, await prove(chain, one.id, noted)) for one in chosen], noted)


async def _boundaries(chain: Chain, verdict: Verdict, before: datetime) -> AsyncIterator[Boundary]:
    for _, proof in verdict.proofs:
        if last := await chain.last_before(proof.organization_id, before):
            yield Boundary(proof.organization_id, last)


async def _links(chain: Chain, chosen: dict[str, Stretch]) -> AsyncIterator[AuditLink]:
    for organization, stretch in chosen.items():
        async for link in chain.links(organization, stretch):
            yield link


def _line(name: str, proof: Proof) -> str:
    head = f"head {proof.head}" if proof.head.hash else "empty"
    since = f" · since {proof.beginning.sequence}, the rest is pruned" if proof.beginning.hash else ""
    told = f"{name} ({proof.organization_id}) · {proof.events} events proved · {head}{since}"
    if not (broken := proof.broken):
        return f"✓ {told}"
    place = [f"number {broken.sequence}"] if broken.sequence is not None else []
    place += [f"event {broken.event_id}"] if broken.event_id else []
    return f"✗ {told}\n  {broken.fault} at {', '.join(place)}: {broken.message}"
