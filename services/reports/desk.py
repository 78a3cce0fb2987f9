"""The reports of an organization, system and personalized, and its dashboards."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date
from typing import Any

import msgspec
from sqlmodel import col, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services.audit import Action, FieldChange, State, Subject, append, as_json
from services.drafts import Problem
from services.errand import Errand
from services.errors import BadUserInput, Forbidden, GatewayError, NotFound
from services.integration_values import Done
from services.policy import Product
from services.reports import personal, run
from services.reports.access import VIEW, refusals
from services.reports.catalogue import SYSTEM
from services.reports.personal import Draft, report_of, stored, system_report
from services.reports.values import Component, Dashboard, Report, Result, Span
from services.storage.engine import Database, alone
from services.storage.models import now
from services.storage.reports import PersonalReport

MOST_REPORTS = 200
"""That one member may keep."""


class Reports:
    """Everything is for a viewer who may view subscriptions; the viewer's rights apply to every report and column."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def many(self, errand: Errand, folder: str | None = None) -> list[Report]:
        """All reports that the viewer can open, the system ones first, the others by name."""
        own = select(PersonalReport).where(*_visible(errand)).order_by(col(PersonalReport.name), col(PersonalReport.id))
        async with self._database.session() as session:
            kept = [report_of(row) for row in await session.exec(own)]
        found = [*map(system_report, SYSTEM.values()), *filter(None, kept)]
        return [report for report in found if folder in (None, report.folder)]

    async def one(self, errand: Errand, report_id: str) -> Report:
        """A report by the key of a system one or the id of another; raises `NotFound`."""
        if report_id in SYSTEM:
            return system_report(SYSTEM[report_id])
        async with self._database.session() as session:
            found = await session.exec(select(PersonalReport).where(PersonalReport.id == report_id, *_visible(errand)))
            row = found.one_or_none()
        report = report_of(row) if row else None
        if report is None:
            raise NotFound("There is no such report.")
        return report

    async def run(
        self,
        errand: Errand,
        report: Report,
        as_of: date | None = None,
        since: date | None = None,
        until: date | None = None,
    ) -> Result:
        """What a report says: as of the end of a day, for the days that are asked for or those it is made for."""
        choice = report.choice
        if since or until:
            if report.definition.ahead:
                raise BadUserInput("The report looks ahead from today; its days are fixed.", field=("from",))
            choice = msgspec.structs.replace(choice, span=Span.CUSTOM, since=since, until=until or as_of)
        (result,) = await run.run(self._database, errand.viewer, [run.Order(report.definition, choice, as_of)])
        if isinstance(result, GatewayError):
            raise result
        return result

    async def show(self, errand: Errand, dashboard: Dashboard) -> list[Result | GatewayError]:
        """The results of all components, of one moment; a refusal in the place of what the viewer may not see."""
        orders = [_order(component) for component in dashboard.components]
        return await run.run(self._database, errand.viewer, orders)

    async def create(self, errand: Errand, draft: Draft) -> Done[Report]:
        """Keep a report. Problems are at the fields of `input`."""
        async with self._writing(errand, "reports.create") as (session, action):
            others = await _names(session, errand)
            wrong = _wrong(errand, draft, others)
            if len(others) >= MOST_REPORTS:
                wrong.append(Problem(("input",), f"You keep {MOST_REPORTS} reports already.", "CONFLICT"))
            if wrong:
                return _rejected(session, errand, action, wrong)
            viewer = errand.viewer
            row = PersonalReport(organization_id=viewer.organization_id, member_id=viewer.id, **_columns(draft))
            session.add(row)
            event = append(session, errand, _about(action, row), State.APPLIED, changes=_changes({}, _told(row)))
        return Done(report_of(row), (), event)

    async def update(self, errand: Errand, report_id: str, draft: Draft) -> Done[Report]:
        """Replace a report of the viewer's own; raises `NotFound` and `Forbidden`."""
        async with self._writing(errand, "reports.update") as (session, action):
            row = await _own(session, errand, report_id)
            before, others = _told(row), await _names(session, errand)
            if wrong := _wrong(errand, draft, [name for name in others if name != row.name]):
                return _rejected(session, errand, _about(action, row), wrong)
            row.sqlmodel_update(_columns(draft) | {"changed_at": now()})
            changes = _changes(before, _told(row))
            event = append(session, errand, _about(action, row), State.APPLIED, changes=changes)
        return Done(report_of(row), (), event)

    async def delete(self, errand: Errand, report_id: str) -> Done[Report]:
        """Delete a report of the viewer's own; raises `NotFound` and `Forbidden`."""
        async with self._writing(errand, "reports.delete") as (session, action):
            row = await _own(session, errand, report_id)
            event = append(session, errand, _about(action, row), State.APPLIED, changes=_changes(_told(row), {}))
            await session.delete(row)
        return Done(report_of(row), (), event)

    @asynccontextmanager
    async def _writing(self, errand: Errand, name: str) -> AsyncIterator[tuple[AsyncSession, Action]]:
        """One transaction, alone with the member's reports; what is refused leaves an audit event as well."""
        action = Action(name=name, permission=VIEW, product=Product.BILLING)
        try:
            async with self._database.session() as session:
                await alone(session, f"reports:{errand.viewer.id}")
                yield session, action
        except GatewayError as error:
            told = as_json([Problem((), error.message, error.code, error.hint)])
            async with self._database.session() as session:
                error.details["auditEventId"] = append(session, errand, action, State.REJECTED, user_errors=told)
            raise


def _visible(errand: Errand) -> tuple[Any, ...]:
    viewer = errand.viewer
    mine = or_(col(PersonalReport.member_id) == viewer.id, col(PersonalReport.shared))
    return col(PersonalReport.organization_id) == viewer.organization_id, mine


def _order(component: Component) -> run.Order:
    definition = SYSTEM[component.report]
    return run.Order(definition, msgspec.structs.replace(definition.choice, columns=component.columns))


async def _names(session: AsyncSession, errand: Errand) -> Sequence[str]:
    own = select(PersonalReport.name).where(PersonalReport.member_id == errand.viewer.id)
    return (await session.exec(own)).all()


async def _own(session: AsyncSession, errand: Errand, report_id: str) -> PersonalReport:
    if report_id in SYSTEM:
        raise Forbidden("A system report stays as it is.", hint="Make one of your own from it with `reportCreate`.")
    found = await session.exec(select(PersonalReport).where(PersonalReport.id == report_id, *_visible(errand)))
    row = found.one_or_none()
    if row is None:
        raise NotFound("There is no such report.")
    if row.member_id != errand.viewer.id:
        raise Forbidden("Only who made a report may change it.", hint="Make one of your own with `reportCreate`.")
    return row


def _wrong(errand: Errand, draft: Draft, taken: Sequence[str]) -> list[Problem]:
    return [*personal.problems(draft, taken), *refusals(errand.viewer, draft.choice)]


def _columns(draft: Draft) -> dict[str, Any]:
    return {
        "name": draft.name,
        "system_key": draft.system_key,
        "choice": stored(draft.choice),
        "shared": draft.shared,
    }


def _told(row: PersonalReport) -> dict[str, Any]:
    return {"name": row.name, "basedOn": row.system_key, "shared": row.shared, "choice": row.choice}


def _changes(before: dict[str, Any], after: dict[str, Any]) -> list[FieldChange]:
    names = before | after
    return [
        FieldChange(name, before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)
    ]


def _about(action: Action, row: PersonalReport) -> Action:
    return Action(name=action.name, permission=VIEW, product=Product.BILLING, subject=Subject("report", row.id))


def _rejected(session: AsyncSession, errand: Errand, action: Action, wrong: Sequence[Problem]) -> Done[Report]:
    event = append(session, errand, action, State.REJECTED, user_errors=as_json(wrong))
    return Done(None, wrong, event)
