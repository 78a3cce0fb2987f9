"""Reports and dashboards."""

import datetime as dt

import strawberry

from resolvers import reporting as resolve
from resolvers.relations import Derived
from schema.documents import Node
from schema.enums import Outcome
from schema.errors import UserError
from schema.instances import InstanceOf
from schema.payloads import WritePayload
from schema.permissions import Argument, field, given, guarded
from schema.scalars import CurrencyCode, DateTime
from services.reports import values

strawberry.enum(values.ColumnKind, name="ReportColumnKind", description="What a column's texts are.")
strawberry.enum(values.ChartKind, description="How rows are best shown.")
strawberry.enum(values.Grain, name="ReportInterval", description="How long one period of a report is.")
strawberry.enum(values.Group, name="ReportGrouping", description="By what the rows of a period are split.")
strawberry.enum(
    values.Span,
    name="ReportPeriod",
    description="Which days, counted from the day that the figures are of; months, quarters and years of the calendar.",
)

VIEW = "subscriptions.view"


@guarded(VIEW, description="A column of a report.")
class ReportColumn:
    """`values.Shown`."""

    key: str = field(VIEW, description="Its name in `ReportInput.columns`.")
    title: str = field(VIEW, description="Its heading.")
    kind: values.ColumnKind = field(VIEW, description="What its texts are.")
    currency: CurrencyCode | None = field(VIEW, description="The base currency, with the money of a result.")


@guarded(VIEW, description="A column that is left out because the viewer lacks a permission.")
class WithheldColumn:
    """`values.Withheld`."""

    title: str = field(VIEW, description="Its heading.")
    permission: str = field(VIEW, description="The permission that is missing.")
    granted_by: str | None = field(VIEW, description="Who can grant it.")


@guarded(VIEW, description="What a report says.")
class ReportResult:
    """`values.Result`."""

    columns: list[ReportColumn] = field(VIEW, description="The columns that the viewer may see.")
    rows: list[list[str | None]] = field(
        VIEW,
        description="The cells as texts: plain decimal numbers, days as `2026-03-31`; null where there is no value.",
    )
    totals: list[str | None] | None = field(
        VIEW, description="One cell a column, of all rows together as the description says; null without totals."
    )
    chart: values.ChartKind = field(VIEW, description="How it is best shown.")
    as_of: DateTime = field(VIEW, description="The moment at which the records were read that it is made from.")
    withheld: list[WithheldColumn] = field(VIEW, description="Columns that are left out, and why.")


@guarded(VIEW, description="Which subscriptions a report is about; empty: all.")
class ReportFilters:
    """`values.Filters`."""

    plans: list[str] | None = field("subscriptions.view.plan", description="Only these plans, by code.")
    currencies: list[CurrencyCode] | None = field("subscriptions.view.amount", description="Only these currencies.")
    customers: list[strawberry.ID] | None = field(
        "subscriptions.view.customer", Derived(resolve.customers), description="Only these customers of Zoho Billing."
    )


@guarded(VIEW, description="How a report is adjusted.")
class ReportSettings:
    """`values.Choice`."""

    period: values.Span = field(VIEW, "span", description="Which days.")
    from_: dt.date | None = field(VIEW, "since", name="from", description="The first day of a CUSTOM period.")
    to: dt.date | None = field(VIEW, "until", description="The last day of a CUSTOM period; null: today.")
    interval: values.Grain = field(VIEW, "grain", description="How long one period is.")
    group_by: values.Group | None = field(VIEW, "group", description="By what rows are split.")
    filters: ReportFilters = field(VIEW, description="Which subscriptions count.")


@guarded(VIEW, description="A report on subscriptions: a system one, or one that somebody has made from it.")
class Report(Node):
    """`values.Report`."""

    id: strawberry.ID = field(VIEW, Derived(resolve.report_id))
    name: str = field(VIEW, description="Its name.")
    folder: str = field(VIEW, description="`Zoho Subscription Reports`, `Shared Reports` or `Private Reports`.")
    system: bool = field(VIEW, description="Whether it is predefined.")
    description: str | None = field(VIEW, description="What its figures mean, exactly.")
    based_on: strawberry.ID | None = field(
        VIEW, Derived(resolve.based_on), description="The system report it was made from."
    )
    shared: bool = field(VIEW, description="Whether everybody may run it, each within their own permissions.")
    mine: bool = field(VIEW, Derived(resolve.mine), description="Whether the viewer may change it.")
    columns: list[ReportColumn] = field(VIEW, Derived(resolve.columns), description="The columns to choose from.")
    chosen_columns: list[str] = field(VIEW, Derived(resolve.chosen), description="The keys of its own columns.")
    groupings: list[values.Group] = field(
        VIEW, Derived(lambda report, _: report.definition.groups), description="By what its rows can be split."
    )
    intervals: list[values.Grain] = field(
        VIEW, Derived(lambda report, _: report.definition.grains), description="Into which periods it can be cut."
    )
    settings: ReportSettings = field(VIEW, "choice", description="How it is adjusted.")
    run: "ReportResult | None" = field(
        VIEW,
        resolve.run,
        args={
            "as_of": Argument(dt.date | None, "With what was at the end of this day; today when left out."),
            "from": Argument(dt.date | None, "From this day on, or the begin of its period."),
            "to": Argument(dt.date | None, "Until the end of this day."),
        },
        description="Run it within the viewer's permissions. Who sees only some subscriptions is refused.",
    )

    is_type_of = InstanceOf(values.Report)


@guarded(VIEW, description="A part of a dashboard.")
class DashboardComponent:
    """`resolve.Part`."""

    title: str = field(VIEW, Derived(lambda part, _: part.component.title), description="Its title.")
    kind: values.ChartKind = field(VIEW, Derived(lambda part, _: part.component.chart), description="How it is shown.")
    report: Report = field(VIEW, resolve.part_report, description="The report that it shows.")
    result: ReportResult | None = field(
        VIEW, resolve.part_result, description="What it shows; all components are of the same moment."
    )


@guarded(VIEW, description="Reports on one page.")
class Dashboard(Node):
    """`resolve.Board`."""

    id: strawberry.ID = field(VIEW, Derived(resolve.dashboard_id))
    name: str = field(VIEW, Derived(lambda board, _: board.dashboard.name), description="Its name.")
    description: str = field(
        VIEW, Derived(lambda board, _: board.dashboard.description), description="What it answers."
    )
    components: list[DashboardComponent] = field(VIEW, Derived(resolve.parts), description="Its parts in their order.")

    is_type_of = InstanceOf(resolve.Board)


@strawberry.input(description="Which subscriptions a report is about.")
class ReportFilterInput:
    """`values.Filters`; who may not see a field may not filter by it."""

    plans: list[str] | None = given("subscriptions.view.plan", description="Only these plans, by code.")
    currencies: list[CurrencyCode] | None = given("subscriptions.view.amount", description="Only these currencies.")
    customers: list[strawberry.ID] | None = given(
        "subscriptions.view.customer", description="Only these customers of Zoho Billing."
    )


@strawberry.input(description="A report of one's own, as a whole: what is left out is as in the system report.")
class ReportInput:
    """`personal.Draft`."""

    name: str = given(
        VIEW, description="Its name, of 1 to 100 characters; one's own reports have different ones.", optional=False
    )
    based_on: strawberry.ID = given(VIEW, description="The system report it is made from.", optional=False)
    columns: list[str] | None = given(VIEW, description="The keys of its columns, in this order.")
    filters: ReportFilterInput | None = given(VIEW, description="Which subscriptions count.")
    group_by: values.Group | None = given(VIEW, description="By what the rows are split.")
    interval: values.Grain | None = given(VIEW, description="How long one period is.")
    period: values.Span | None = given(VIEW, description="Which days.")
    from_: dt.date | None = given(VIEW, description="The first day, with the period CUSTOM.", name="from")
    to: dt.date | None = given(VIEW, description="The last day, with the period CUSTOM; today when left out.")
    shared: bool | None = given(VIEW, description="Whether everybody may run it, each within their own permissions.")


@guarded("public", description="The answer of a mutation on a report.")
class ReportPayload(WritePayload):
    """`mutations.Payload`."""

    report: Report | None = field(VIEW, "value", description="The report after the write.")
    outcome: Outcome = field("public")
    user_errors: list[UserError] = field("public")
    audit_event_id: strawberry.ID | None = field("public")


@guarded("public", description="The answer of deleting a report.")
class ReportDeletePayload(WritePayload):
    """`mutations.Payload`."""

    deleted_id: strawberry.ID | None = field(VIEW, "value", description="The id that the report had.")
    outcome: Outcome = field("public")
    user_errors: list[UserError] = field("public")
    audit_event_id: strawberry.ID | None = field("public")
