"""The dashboards: which reports they show, in which order, as what."""

from collections.abc import Mapping

from services.reports.values import ChartKind, Component, Dashboard

OVERVIEW = Dashboard(
    key="overview",
    name="Zoho Subscription Overview",
    description="Where we stand: what is active, what it brings in, and what has happened lately.",
    components=(
        Component(
            title="Active subscriptions",
            chart=ChartKind.NUMBER,
            report="active-subscriptions",
            columns=("period", "active"),
        ),
        Component(title="MRR", chart=ChartKind.NUMBER, report="mrr", columns=("period", "mrr")),
        Component(title="ARR", chart=ChartKind.NUMBER, report="arr", columns=("period", "arr")),
        Component(title="Net new MRR", chart=ChartKind.BAR, report="mrr-movement", columns=("period", "net")),
        Component(title="MRR by month", chart=ChartKind.LINE, report="mrr"),
        Component(title="Signups", chart=ChartKind.BAR, report="signups"),
        Component(title="Churn", chart=ChartKind.LINE, report="churn-rate"),
        Component(title="Active subscriptions by plan", chart=ChartKind.PIE, report="subscriptions-by-plan"),
        Component(title="Subscriptions by status", chart=ChartKind.PIE, report="subscriptions-by-status"),
        Component(title="Recent activity", chart=ChartKind.TABLE, report="recent-activity"),
    ),
)
INSIGHTS = Dashboard(
    key="insights",
    name="Zoho Subscription Insights",
    description="Why: where growth comes from, what is kept, what is lost, and what is about to be decided.",
    components=(
        Component(title="MRR movement", chart=ChartKind.STACKED_BAR, report="mrr-movement"),
        Component(title="Net revenue retention", chart=ChartKind.LINE, report="net-revenue-retention"),
        Component(title="Gross revenue retention", chart=ChartKind.LINE, report="gross-revenue-retention"),
        Component(title="Retention cohorts", chart=ChartKind.HEATMAP, report="retention-cohorts"),
        Component(title="Churn by plan", chart=ChartKind.BAR, report="churn-by-plan"),
        Component(title="Churn by tenure", chart=ChartKind.BAR, report="churn-by-tenure"),
        Component(title="Churn by reason", chart=ChartKind.PIE, report="churn-by-reason"),
        Component(title="ARPU", chart=ChartKind.LINE, report="arpu"),
        Component(title="LTV", chart=ChartKind.LINE, report="ltv"),
        Component(title="Trial funnel", chart=ChartKind.FUNNEL, report="trials"),
        Component(title="Renewals ahead", chart=ChartKind.BAR, report="renewal-summary"),
    ),
)
DASHBOARDS: Mapping[str, Dashboard] = {dashboard.key: dashboard for dashboard in (OVERVIEW, INSIGHTS)}
