"""What is kept and what is lost, and why."""

from services.reports.catalogue.columns import ALSO, BY_PERIOD, PERIOD, SERIES, count, money, percent, ratio, text
from services.reports.catalogue.columns import first as at_the_begin
from services.reports.catalogue.revenue import BOTH, MRR
from services.reports.values import AMOUNT, PLAN, STATUS, ChartKind, Choice, Column, ColumnKind, Definition, Grain, Span

LATER = 12
"""Periods after a cohort's own that its report follows."""
CHURNED = (
    "Churned: recurred (live, non_renewing, dunning or unpaid) at the begin of a period and not at its end. MRR: in "
    "the base currency at the record's rate, as it was at the begin."
)
LOSSES = (
    count("churned", "Churned subscriptions", "count(*)", "sum(churned)"),
    percent("share", "Share", "count(*)", "sum(count(*)) OVER ()", total="CASE WHEN count(*) > 0 THEN 100 END"),
    money("mrr", "Churned MRR", "sum(opening)", "sum(mrr)"),
)
TENURES = {1: "Under 1 month", 3: "1–2 months", 6: "3–5 months", 12: "6–11 months", 24: "12–23 months"}
"""Months of tenure below which a group ends, and its name."""
LONGEST = "24 months and more"
DUE = (
    "(SELECT c.*, r.number, r.party_name, r.due_on, round(c.amount * c.rate, :digits) AS base, "
    "width_bucket(r.due_on, {bounds}) AS n FROM current_{f} c JOIN records r ON r.organization_id = :organization "
    "AND r.module = 'subscriptions' AND r.id = c.subscription_id WHERE c.recurring AND c.status <> 'non_renewing' "
    "AND r.deleted_at IS NULL AND r.due_on >= {start} AND r.due_on < {end}) AS due"
)
RENEWAL = (
    "A renewal: a subscription that is live, dunning or unpaid, on the day of its next billing; who does not renew "
    "does not count. Amount: what the next interval charges, in the base currency at the record's rate."
)


def _kept(k: int) -> Column:
    """How many of a cohort are still there after k periods, and of all cohorts that are old enough together."""
    return Column(
        key=f"p{k}",
        title=str(k),
        kind=ColumnKind.PERCENT,
        sql=ratio(f"max(active) FILTER (WHERE k = {k})", "max(size)"),
        total=f"sum(p{k} * size) / nullif(sum(size) FILTER (WHERE p{k} IS NOT NULL), 0)",
    )


def _tenure() -> str:
    steps = " ".join(f"WHEN months < {months} THEN '{title}'" for months, title in TENURES.items())
    return f"CASE {steps} ELSE '{LONGEST}' END"


CHURN = (
    Definition(
        key="churn-rate",
        name="Churn Rate",
        description=f"{CHURNED} Churn rate: churned subscriptions ÷ active ones at the begin of the period; MRR churn "
        "rate: churned MRR ÷ MRR at the begin, both in percent. Total: all churned ÷ the sum over the begins of all "
        "periods.",
        columns=(
            PERIOD,
            count("opening", "Active at the begin", "opening_count", at_the_begin("opening")),
            count("churned", "Churned subscriptions", "churned_count", "sum(churned)"),
            percent(
                "rate", "Churn rate", "churned_count", "opening_count", total=ratio("sum(churned)", "sum(opening)")
            ),
            money("mrr", "Churned MRR", "churn", "sum(mrr)"),
            percent(
                "mrr_rate", "MRR churn rate", "churn", "opening", of_money=True, total=ratio("sum(mrr)", "sum(base)")
            ),
        ),
        source=SERIES,
        order=BY_PERIOD,
        also=(*ALSO, "opening AS base"),
        facts=("series",),
        chart=ChartKind.LINE,
        groups=BOTH,
    ),
    Definition(
        key="churn-by-reason",
        name="Churn by Reason",
        description=f"{CHURNED} By the status that they have since: cancelled (by the customer or for them), cancelled "
        "from dunning (the payment failed), expired (the term ended and was not to be renewed), paused, or another "
        "one.",
        columns=(text("reason", "Reason", "initcap(replace(status, '_', ' '))"), *LOSSES),
        source="losses_{f}",
        grouped="status",
        order="churned DESC, reason",
        facts=("losses",),
        chart=ChartKind.PIE,
    ),
    Definition(
        key="churn-by-plan",
        name="Churn by Plan",
        description=f"{CHURNED} By the plan that they had at the begin; who changes the plan is not lost.",
        columns=(text("plan", "Plan", "max(plan_name)", needs=PLAN), *LOSSES),
        source="losses_{f}",
        grouped="plan_code",
        order="churned DESC, plan",
        facts=("losses",),
        chart=ChartKind.BAR,
        needs=STATUS | PLAN,
    ),
    Definition(
        key="churn-by-tenure",
        name="Churn by Tenure",
        description=f"{CHURNED} By whole months from the first day on which they recurred to the day of their last "
        "change in the period in which they were lost.",
        columns=(text("tenure", "Tenure", _tenure()), *LOSSES),
        source="losses_{f}",
        grouped="tenure",
        order="shortest",
        also=("min(months) AS shortest",),
        facts=("losses",),
        chart=ChartKind.BAR,
        needs=STATUS | {"activatedAt"},
    ),
)

REPORTS = (
    Definition(
        key="net-revenue-retention",
        name="Net Revenue Retention",
        description="Of the MRR at the begin of a period, what its subscriptions bring in at the end, in percent: "
        f"(opening + expansion − contraction − churn) ÷ opening, as in MRR Movement. {MRR} Total: over the sums of "
        "all periods.",
        columns=(
            PERIOD,
            money("opening", "Opening MRR", "opening", at_the_begin("opening")),
            money("kept", "Kept and expanded", "opening + expansion - contraction - churn", "sum(kept)"),
            percent(
                "rate",
                "Net revenue retention",
                "opening + expansion - contraction - churn",
                "opening",
                of_money=True,
                total=ratio("sum(kept)", "sum(opening)"),
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
        key="gross-revenue-retention",
        name="Gross Revenue Retention",
        description="Of the MRR at the begin of a period, what is kept without what was added, in percent: (opening − "
        f"contraction − churn) ÷ opening, as in MRR Movement. {MRR} Total: over the sums of all periods.",
        columns=(
            PERIOD,
            money("opening", "Opening MRR", "opening", at_the_begin("opening")),
            money("kept", "Kept", "opening - contraction - churn", "sum(kept)"),
            percent(
                "rate",
                "Gross revenue retention",
                "opening - contraction - churn",
                "opening",
                of_money=True,
                total=ratio("sum(kept)", "sum(opening)"),
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
        key="retention-cohorts",
        name="Subscription Retention Cohorts",
        description="A row for all subscriptions that recurred (live, non_renewing, dunning or unpaid) for the first "
        "time in the same period: how many, and how many percent of them recur at the end of that period (0) and of "
        f"the {LATER} after it. Who comes back counts again. Total: all cohorts that are old enough, weighted by their "
        "size.",
        columns=(
            PERIOD,
            count("size", "Subscriptions", "max(size)", "sum(size)"),
            *map(_kept, range(LATER + 1)),
        ),
        source="cohorts_{f} WHERE n >= 1",
        grouped="n",
        order="n",
        also=("n",),
        facts=("cohorts",),
        chart=ChartKind.HEATMAP,
        needs=STATUS | {"activatedAt"},
        filters=("currencies", "customers"),
    ),
    Definition(
        key="renewals-due",
        name="Renewals Due",
        description=f"{RENEWAL} The first 500, the next one first; the totals are of all.",
        columns=(
            Column(key="day", title="Day", kind=ColumnKind.DATE, sql="due_on"),
            text("number", "Subscription", "number", needs=frozenset({"number"})),
            text("customer", "Customer", "party_name", needs=frozenset({"customer"})),
            text("plan", "Plan", "plan", needs=PLAN),
            text("status", "Status", "initcap(replace(status, '_', ' '))"),
            money("amount", "Amount", "base", "sum(amount)"),
        ),
        source=DUE,
        order="day, subscription_id",
        also=("subscription_id",),
        facts=("current",),
        needs=STATUS | {"nextBillingAt"},
        choice=Choice(span=Span.NEXT_THIRTY_DAYS, grain=Grain.DAY),
        grains=(Grain.DAY,),
        most=500,
    ),
    Definition(
        key="renewal-summary",
        name="Renewal Summary",
        description=f"{RENEWAL} By weeks from Monday to Sunday, the first from today on.",
        columns=(
            PERIOD,
            count("renewals", "Renewals", "count(due.n)", "sum(renewals)"),
            money("amount", "Amount", "coalesce(sum(base), 0)", "sum(amount)"),
        ),
        source=f"generate_series(1, {{last}}) AS n LEFT JOIN {DUE} USING (n)",
        grouped="n",
        order="n",
        also=("n",),
        facts=("current",),
        chart=ChartKind.BAR,
        needs=STATUS | {"nextBillingAt"},
        choice=Choice(span=Span.NEXT_TWELVE_WEEKS, grain=Grain.WEEK),
        grains=(Grain.DAY, Grain.WEEK, Grain.MONTH),
    ),
)
