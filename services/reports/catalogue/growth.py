"""How many subscriptions there are, and how they began."""

from services.reports.catalogue.columns import (
    ALSO,
    ALSO_COUNTED,
    BY_PERIOD,
    COUNTED,
    PAYING,
    PERIOD,
    count,
    counted,
    money,
    percent,
    ratio,
    text,
)
from services.reports.catalogue.columns import last as at_the_end
from services.reports.values import AMOUNT, PLAN, STATUS, ChartKind, Column, ColumnKind, Definition, Group

BOTH = (Group.PLAN, Group.CURRENCY)
CUSTOMER = frozenset({"customer"})

REPORTS = (
    Definition(
        key="signups",
        name="Signups",
        description="Subscriptions made in the period, on the day of their creation, whatever became of them; those "
        "whose creation failed do not count. Customers: who made at least one of them.",
        columns=(
            PERIOD,
            count("signups", "Signups", "count(x.bucket)", "sum(signups)"),
            count("trials", "Of them on trial", "count(*) FILTER (WHERE x.status = 'trial')", "sum(trials)"),
            count("customers", "Customers", "count(DISTINCT x.party_id)", needs=CUSTOMER),
        ),
        source=counted("signups"),
        grouped=COUNTED,
        order=BY_PERIOD,
        also=ALSO_COUNTED,
        facts=("signups",),
        chart=ChartKind.BAR,
        groups=BOTH,
        needs=STATUS | {"createdAt"},
    ),
    Definition(
        key="activations",
        name="Activations",
        description="Subscriptions that recurred for the first time in the period: the first day on which their "
        "status was live, non_renewing, dunning or unpaid. MRR: theirs on that day, in the base currency at the "
        "record's rate.",
        columns=(
            PERIOD,
            count("activations", "Activations", "count(x.bucket)", "sum(activations)"),
            money("mrr", "MRR activated", "coalesce(sum(x.base_mrr), 0)", "sum(mrr)"),
        ),
        source=counted("activations"),
        grouped=COUNTED,
        order=BY_PERIOD,
        also=ALSO_COUNTED,
        facts=("activations",),
        chart=ChartKind.BAR,
        groups=BOTH,
        needs=STATUS | {"activatedAt"},
    ),
    Definition(
        key="active-subscriptions",
        name="Active Subscriptions",
        description="Subscriptions that recur at the end of the period: live, non_renewing, dunning or unpaid. Trials, "
        "future, paused and ended ones do not count. Change: against the end of the period before. Customers: who "
        "have at least one of them. Total: at the end of the last period, the change of all periods.",
        columns=(
            PERIOD,
            count("active", "Active subscriptions", "closing_count", at_the_end("active")),
            count("change", "Change", "closing_count - opening_count", "sum(change)"),
            count("customers", "Customers", "customers", at_the_end("customers"), needs=CUSTOMER, apart=True),
        ),
        source=PAYING,
        order=BY_PERIOD,
        also=ALSO,
        facts=("series", "payers"),
        chart=ChartKind.LINE,
        groups=BOTH,
    ),
    Definition(
        key="trials",
        name="Trials and Trial Conversion",
        description="Subscriptions whose trial began in the period. Converted: recurred (live, non_renewing, dunning "
        "or unpaid) at any time after it. On trial: still so at the end of the last day. Lost: all others. Conversion "
        "rate: converted ÷ (converted + lost), in percent; trials that still run do not count.",
        columns=(
            PERIOD,
            count("trials", "Trials", "count(x.bucket)", "sum(trials)"),
            count("converted", "Converted", "count(*) FILTER (WHERE x.converted)", "sum(converted)"),
            count("open", "On trial", "count(*) FILTER (WHERE x.open)", "sum(open)"),
            count("lost", "Lost", "count(*) FILTER (WHERE NOT x.converted AND NOT x.open)", "sum(lost)"),
            percent(
                "rate",
                "Conversion rate",
                "count(*) FILTER (WHERE x.converted)",
                "count(*) FILTER (WHERE NOT x.open)",
                total=ratio("sum(converted)", "sum(converted) + sum(lost)"),
            ),
        ),
        source=counted("trials"),
        grouped=COUNTED,
        order=BY_PERIOD,
        also=ALSO_COUNTED,
        facts=("trials",),
        chart=ChartKind.FUNNEL,
        groups=BOTH,
    ),
    Definition(
        key="subscriptions-by-status",
        name="Subscriptions by Status",
        description="All subscriptions by their status at the end of the last day; deleted ones do not count. MRR: "
        "base currency at the record's rate; 0 unless the status is live, non_renewing, dunning or unpaid.",
        columns=(
            text("status", "Status", "initcap(replace(status, '_', ' '))"),
            count("subscriptions", "Subscriptions", "count(*)", "sum(subscriptions)"),
            percent("share", "Share", "count(*)", "sum(count(*)) OVER ()", total="CASE WHEN count(*) > 0 THEN 100 END"),
            money("mrr", "MRR", "sum(base_mrr)", "sum(mrr)"),
        ),
        source="current_{f} WHERE status <> 'deleted'",
        grouped="status",
        order="subscriptions DESC, status",
        facts=("current",),
        chart=ChartKind.PIE,
    ),
    Definition(
        key="subscriptions-by-plan",
        name="Active Subscriptions by Plan",
        description="Subscriptions that recur (live, non_renewing, dunning or unpaid) at the end of the last day, by "
        "their plan on that day, with their customers and MRR in the base currency at the record's rate.",
        columns=(
            text("plan", "Plan", "max(plan)", needs=PLAN),
            count("active", "Active subscriptions", "count(*)", "sum(active)"),
            count("customers", "Customers", "count(DISTINCT party_id)", needs=CUSTOMER),
            money("mrr", "MRR", "sum(base_mrr)", "sum(mrr)"),
            percent(
                "share",
                "Share of MRR",
                "sum(base_mrr)",
                "sum(sum(base_mrr)) OVER ()",
                of_money=True,
                total="CASE WHEN sum(mrr) > 0 THEN 100 END",
            ),
        ),
        source="current_{f} WHERE recurring",
        grouped="plan_code",
        order="active DESC, plan",
        facts=("current",),
        chart=ChartKind.PIE,
        needs=STATUS | PLAN,
    ),
    Definition(
        key="recent-activity",
        name="Recent Activity",
        description="The last 50 changes of subscriptions within the days of the report, newest first: status and plan "
        "before and after, and what the change does to MRR, in the base currency at the record's rate.",
        columns=(
            Column(key="day", title="Day", kind=ColumnKind.DATE, sql="day"),
            text("number", "Subscription", "number", needs=frozenset({"number"})),
            text("customer", "Customer", "party_name", needs=CUSTOMER),
            text("plan", "Plan", "plan", needs=PLAN),
            text("was", "Status before", "initcap(replace(before_status, '_', ' '))"),
            text("status", "Status", "initcap(replace(status, '_', ' '))"),
            Column(
                key="change",
                title="Change of MRR",
                kind=ColumnKind.MONEY,
                sql="base_mrr - before_base_mrr",
                needs=AMOUNT,
            ),
        ),
        source="(SELECT *, coalesce(plan_name, plan_code) AS plan FROM changes_{f} WHERE bucket >= 1 AND {plans} "
        "ORDER BY at DESC, subscription_id, sequence DESC LIMIT 50) AS c "
        "LEFT JOIN (SELECT id AS subscription_id, number, party_name FROM records "
        "WHERE organization_id = :organization AND module = 'subscriptions') AS r USING (subscription_id)",
        order="at DESC, subscription_id, sequence DESC",
        also=("at", "subscription_id", "sequence"),
        facts=("changes",),
    ),
)
