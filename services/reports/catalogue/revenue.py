"""What subscriptions bring in. All amounts are in the base currency at the record's rate."""

from services.reports.catalogue.columns import (
    ALSO,
    BY_PERIOD,
    PAYING,
    PERIOD,
    SERIES,
    count,
    first,
    last,
    money,
    percent,
    ratio,
    text,
)
from services.reports.values import (
    AMOUNT,
    PLAN,
    STATUS,
    ChartKind,
    Column,
    ColumnKind,
    Definition,
    Grain,
    Group,
)

BOTH = (Group.PLAN, Group.CURRENCY)
MRR = (
    "Monthly recurring revenue: the amount that a subscription charges per interval, brought to one month (12 a year, "
    "365.25 days a year), of all that are live, non_renewing, dunning or unpaid; base currency at the record's rate, "
    "rounded for each subscription."
)
ENDS = "Total: at the end of the last period."
_ARPU = "closing / nullif(customers, 0)"
_CHURN = "lost_customers::numeric / nullif(opening_customers, 0)"

REPORTS = (
    Definition(
        key="mrr",
        name="MRR",
        description=f"{MRR} At the end of each period. {ENDS}",
        columns=(
            PERIOD,
            money("mrr", "MRR", "closing", last("mrr")),
            money("change", "Net new MRR", "net", "sum(change)"),
            percent(
                "growth",
                "Growth",
                "net",
                "opening",
                of_money=True,
                total=ratio("sum(change)", "sum(mrr - change) FILTER (WHERE n = 1)"),
            ),
        ),
        source=SERIES,
        order=BY_PERIOD,
        also=ALSO,
        facts=("series",),
        chart=ChartKind.LINE,
        groups=BOTH,
        needs=STATUS | AMOUNT,
    ),
    Definition(
        key="mrr-movement",
        name="MRR Movement",
        description=f"{MRR} Each subscription at the end of the period is compared with itself at the end of the one "
        "before; what happens and is undone in between does not show. New: recurs for the first time in the period. "
        "Reactivation: recurs again, after an earlier period. Expansion and contraction: recurs at both ends, for "
        "more or less. Churn: recurred and no longer does. Opening + new + expansion + reactivation − contraction − "
        "churn = closing. By plan, who changes it is a contraction of the plan left and an expansion of the one taken.",
        columns=(
            PERIOD,
            money("opening", "Opening MRR", "opening", first("opening")),
            money("new", "New", "new", "sum(new)"),
            money("expansion", "Expansion", "expansion", "sum(expansion)"),
            money("reactivation", "Reactivation", "reactivation", "sum(reactivation)"),
            money("contraction", "Contraction", "contraction", "sum(contraction)"),
            money("churn", "Churn", "churn", "sum(churn)"),
            money("net", "Net new MRR", "net", "sum(net)"),
            money("closing", "Closing MRR", "closing", last("closing")),
        ),
        source=SERIES,
        order=BY_PERIOD,
        also=ALSO,
        facts=("series",),
        chart=ChartKind.STACKED_BAR,
        groups=BOTH,
        needs=STATUS | AMOUNT,
    ),
    Definition(
        key="arr",
        name="ARR",
        description=f"Annual recurring revenue: 12 × MRR at the end of each period. {MRR} {ENDS}",
        columns=(
            PERIOD,
            money("arr", "ARR", "12 * closing", last("arr")),
            money("change", "Net new ARR", "12 * net", "sum(change)"),
        ),
        source=SERIES,
        order=BY_PERIOD,
        also=ALSO,
        facts=("series",),
        chart=ChartKind.LINE,
        groups=BOTH,
        needs=STATUS | AMOUNT,
    ),
    Definition(
        key="arpu",
        name="ARPU",
        description=f"Average revenue per user: MRR ÷ customers with at least one active subscription, at the end of "
        f"each period. {MRR} {ENDS}",
        columns=(
            PERIOD,
            money("mrr", "MRR", "closing", last("mrr")),
            count("customers", "Customers", "customers", last("customers"), apart=True),
            money(
                "arpu",
                "ARPU",
                _ARPU,
                "sum(mrr) FILTER (WHERE n = {last}) / nullif(" + last("customers") + ", 0)",
                apart=True,
            ),
        ),
        source=PAYING,
        order=BY_PERIOD,
        also=ALSO,
        facts=("series", "payers"),
        chart=ChartKind.LINE,
        groups=BOTH,
        needs=STATUS | AMOUNT | {"customer"},
    ),
    Definition(
        key="ltv",
        name="LTV",
        description="Lifetime value of a customer: ARPU at the end of the period ÷ the customer churn rate of the "
        "period (customers with an active subscription at its begin and none at its end ÷ those at its begin). No "
        f"value where no customer was lost. Total: ARPU at the end ÷ (all lost ÷ the sum of those at each begin). "
        f"{MRR}",
        columns=(
            PERIOD,
            money("arpu", "ARPU", _ARPU, "sum(arpu) FILTER (WHERE n = {last})", apart=True),
            count("customers", "Customers at the begin", "opening_customers", "sum(customers)", apart=True),
            count("lost", "Customers lost", "lost_customers", "sum(lost)", apart=True),
            percent(
                "rate",
                "Customer churn rate",
                "lost_customers",
                "opening_customers",
                total=ratio("sum(lost)", "sum(customers)"),
                apart=True,
            ),
            money(
                "ltv",
                "LTV",
                f"({_ARPU}) / nullif({_CHURN}, 0)",
                "sum(arpu) FILTER (WHERE n = {last}) * sum(customers) / nullif(sum(lost), 0)",
                apart=True,
            ),
        ),
        source=PAYING,
        order=BY_PERIOD,
        also=ALSO,
        facts=("series", "payers"),
        chart=ChartKind.LINE,
        groups=BOTH,
        needs=STATUS | AMOUNT | {"customer"},
    ),
    Definition(
        key="revenue-by-plan",
        name="Revenue by Plan",
        description="Recurring revenue earned in the days of the report, by plan: on each day on which a subscription "
        "recurs at the day's end, its MRR ÷ the days of that month; a whole month earns the MRR. Base currency at the "
        "record's rate, without taxes and one-time charges. What invoices charge is not split by plan by the product.",
        columns=(
            text("plan", "Plan", "coalesce(max(title), grp)", needs=PLAN),
            money("revenue", "Revenue", "sum(earned)", "sum(revenue)"),
            Column(
                key="share",
                title="Share",
                kind=ColumnKind.PERCENT,
                sql=ratio("sum(earned)", "sum(sum(earned)) OVER ()"),
                total="CASE WHEN sum(revenue) > 0 THEN 100 END",
                needs=AMOUNT,
            ),
        ),
        source="earnings_{f} LEFT JOIN titles_{f} ON plan_code = grp WHERE n >= 1",
        grouped="grp",
        order="revenue DESC, plan",
        facts=("earnings", "titles"),
        chart=ChartKind.BAR,
        grains=(Grain.MONTH,),
        needs=STATUS | AMOUNT | PLAN,
    ),
)
