# ruff: noqa: S608 - the SQL is put together from this package's own texts; every value is bound
"""What reports are made from: named queries over the copy, one on top of the other.

Each is written once for a frame: periods, grouping and filters of a report. Reports of one frame share them.
`{f}` stands for the frame's number, `{start}`, `{end}`, `{bounds}` and `{last}` for its periods (`bucket`: which one,
counted from 1; 0 is before), `{group}` for what rows are grouped by, `{groups_…}` for all groups of a fact with titles,
`{narrow}` and `{plans}` for its filters, `{scale}` for the smallest units in one of the base currency. Where plans are
told apart, what a subscription is worth is split into legs, one a plan: `{same}` whether the plan before is the same,
`{leg}` the plan, `{legs}` the filter, `{net}` how many subscriptions begin (1) or end (-1) to recur, not only a leg.
"""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from services.revenue import RECURRING


class Fact(Struct, frozen=True):
    """A named query and those it is made from. `inline`: not computed once for all that use it."""

    sql: str
    uses: tuple[str, ...] = ()
    inline: bool = False


_RECURRING = ", ".join(f"'{status}'" for status in sorted(RECURRING))

FACTS: Mapping[str, Fact] = {
    "changes": Fact(
        f"""
        SELECT h.*, width_bucket(h.day, {{bounds}}) AS bucket,
               coalesce(h.before_status IN ({_RECURRING}), false) AS was_recurring
        FROM subscription_history AS h
        WHERE h.organization_id = :organization AND h.day < {{end}} {{narrow}}
        """,
        inline=True,
    ),
    "firsts": Fact(
        """
        SELECT subscription_id, min(day) AS first_day, max(sequence) AS last_sequence
        FROM changes_{f} WHERE recurring GROUP BY subscription_id
        """,
        ("changes",),
    ),
    "titles": Fact(
        """
        SELECT plan_code, coalesce(max(plan_name), plan_code) AS title FROM changes_{f} GROUP BY plan_code
        """,
        ("changes",),
    ),
    "legs": Fact(
        """
        SELECT subscription_id, party_id, bucket, {group} AS grp, {leg} AS leg, sum(step)::int AS step,
               sum(diff)::bigint AS diff
        FROM (
          SELECT subscription_id, party_id, bucket, plan_code, currency,
                 recurring::int - CASE WHEN {same} THEN was_recurring::int ELSE 0 END AS step,
                 ((base_mrr - CASE WHEN {same} THEN before_base_mrr ELSE 0 END) * {scale})::bigint AS diff
          FROM changes_{f}
          UNION ALL
          SELECT subscription_id, party_id, bucket, before_plan_code, currency, -1, (-before_base_mrr * {scale})::bigint
          FROM changes_{f} WHERE was_recurring AND NOT {same}
        ) AS sides
        WHERE step <> 0 OR diff <> 0
        GROUP BY subscription_id, party_id, bucket, grp, leg
        HAVING sum(step) <> 0 OR sum(diff) <> 0
        """,
        ("changes",),
    ),
    "moves": Fact(
        """
        SELECT bucket, grp, sum(diff) / {scale} AS net, sum(step) AS net_count,
               coalesce(sum(diff) FILTER (WHERE begun AND fresh), 0) / {scale} AS new,
               coalesce(sum(diff) FILTER (WHERE begun AND NOT fresh), 0) / {scale} AS reactivation,
               coalesce(sum(diff) FILTER (WHERE stayed AND diff > 0), 0) / {scale} AS expansion,
               coalesce(-sum(diff) FILTER (WHERE stayed AND diff < 0), 0) / {scale} AS contraction,
               coalesce(-sum(diff) FILTER (WHERE ended), 0) / {scale} AS churn,
               count(*) FILTER (WHERE begun AND fresh) AS new_count,
               count(*) FILTER (WHERE begun AND NOT fresh) AS reactivated_count,
               count(*) FILTER (WHERE ended) AS churned_count
        FROM (
          SELECT bucket, grp, leg, step, diff, {net} > 0 AS begun, {net} < 0 AS ended, {net} = 0 AS stayed,
                 width_bucket(first_day, {bounds}) = bucket AS fresh
          FROM legs_{f} LEFT JOIN firsts_{f} USING (subscription_id)
        ) AS told
        WHERE {legs}
        GROUP BY bucket, grp
        """,
        ("legs", "firsts"),
    ),
    "series": Fact(
        """
        SELECT n, g.grp, g.title,
               sum(coalesce(net, 0)) OVER upto - coalesce(net, 0) AS opening,
               sum(coalesce(net, 0)) OVER upto AS closing,
               coalesce(net, 0) AS net, coalesce(new, 0) AS new, coalesce(reactivation, 0) AS reactivation,
               coalesce(expansion, 0) AS expansion, coalesce(contraction, 0) AS contraction,
               coalesce(churn, 0) AS churn,
               coalesce(new_count, 0) AS new_count, coalesce(reactivated_count, 0) AS reactivated_count,
               coalesce(churned_count, 0) AS churned_count,
               sum(coalesce(net_count, 0)) OVER upto - coalesce(net_count, 0) AS opening_count,
               sum(coalesce(net_count, 0)) OVER upto AS closing_count
        FROM generate_series(0, {last}) AS n
        CROSS JOIN ({groups_moves}) AS g
        LEFT JOIN moves_{f} AS m ON m.bucket = n AND m.grp = g.grp
        WINDOW upto AS (PARTITION BY g.grp ORDER BY n)
        """,
        ("moves",),
    ),
    "payers": Fact(
        """
        SELECT n, g.grp, sum(coalesce(gained - lost, 0)) OVER upto AS customers,
               sum(coalesce(gained - lost, 0)) OVER upto - coalesce(gained - lost, 0) AS opening_customers,
               coalesce(lost, 0) AS lost_customers
        FROM generate_series(0, {last}) AS n
        CROSS JOIN ({groups_moves}) AS g
        LEFT JOIN (
          SELECT bucket, grp, count(*) FILTER (WHERE held > 0 AND held = step) AS gained,
                 count(*) FILTER (WHERE held = 0) AS lost
          FROM (
            SELECT bucket, grp, step, sum(step) OVER (PARTITION BY party_id, grp ORDER BY bucket) AS held
            FROM (
              SELECT party_id, bucket, grp, sum(step)::int AS step
              FROM legs_{f} WHERE {legs}
              GROUP BY party_id, bucket, grp HAVING sum(step) <> 0
            ) AS steps
          ) AS holdings
          GROUP BY bucket, grp
        ) AS m ON m.bucket = n AND m.grp = g.grp
        WINDOW upto AS (PARTITION BY g.grp ORDER BY n)
        """,
        ("legs", "moves"),
    ),
    "losses": Fact(
        """
        SELECT status, was.base_mrr AS opening, was.plan_code, coalesce(was.plan_name, was.plan_code) AS plan_name,
               (extract(year FROM age(day, first_day)) * 12 + extract(month FROM age(day, first_day)))::int AS months
        FROM (
          SELECT subscription_id, bucket, day, status FROM changes_{f}
          WHERE NOT recurring AND bucket >= 1 AND (until_day IS NULL OR width_bucket(until_day, {bounds}) > bucket)
        ) AS since
        JOIN (
          SELECT subscription_id, width_bucket(until_day, {bounds}) AS bucket, base_mrr, plan_code, plan_name
          FROM changes_{f}
          WHERE recurring AND until_day >= {start} AND width_bucket(until_day, {bounds}) > bucket AND {plans}
        ) AS was USING (subscription_id, bucket)
        JOIN firsts_{f} USING (subscription_id)
        """,
        ("changes", "firsts"),
    ),
    "signups": Fact(
        """
        SELECT bucket, {group} AS grp, status, party_id
        FROM changes_{f}
        WHERE bucket >= 1 AND sequence = 1 AND status <> 'creation_failed' AND {plans}
        """,
        ("changes",),
    ),
    "activations": Fact(
        """
        SELECT bucket, {group} AS grp, base_mrr
        FROM (
          SELECT DISTINCT ON (subscription_id) bucket, plan_code, currency, base_mrr
          FROM changes_{f} WHERE recurring ORDER BY subscription_id, sequence
        ) AS begun
        WHERE bucket >= 1 AND {plans}
        """,
        ("changes",),
    ),
    "trials": Fact(
        """
        SELECT bucket, {group} AS grp, converted, NOT converted AND open AS open
        FROM (
          SELECT DISTINCT ON (subscription_id) bucket, plan_code, currency,
                 coalesce(last_sequence > sequence, false) AS converted,
                 subscription_id IN (
                   SELECT subscription_id FROM changes_{f}
                   WHERE status = 'trial' AND (until_day IS NULL OR until_day >= {end})
                 ) AS open
          FROM changes_{f} LEFT JOIN firsts_{f} USING (subscription_id)
          WHERE status = 'trial' ORDER BY subscription_id, sequence
        ) AS tried
        WHERE bucket >= 1 AND {plans}
        """,
        ("changes", "firsts"),
    ),
    "current": Fact(
        """
        SELECT subscription_id, party_id, plan_code, coalesce(plan_name, plan_code) AS plan, status, recurring,
               base_mrr, amount, rate
        FROM changes_{f}
        WHERE (until_day IS NULL OR until_day >= {end}) AND {plans}
        """,
        ("changes",),
    ),
    "cohorts": Fact(
        """
        SELECT cohort AS n, size, later - cohort AS k, sum(coalesce(step, 0)) OVER upto AS active
        FROM (
          SELECT width_bucket(first_day, {bounds}) AS cohort, count(*) AS size
          FROM firsts_{f} WHERE first_day >= {start} GROUP BY cohort
        ) AS sizes
        CROSS JOIN LATERAL generate_series(cohort, {last}) AS later
        LEFT JOIN (
          SELECT width_bucket(first_day, {bounds}) AS cohort, bucket AS later, sum(step) AS step
          FROM legs_{f} JOIN firsts_{f} USING (subscription_id) WHERE first_day >= {start} GROUP BY 1, 2
        ) AS steps USING (cohort, later)
        WINDOW upto AS (PARTITION BY cohort ORDER BY later)
        """,
        ("legs", "firsts"),
    ),
    "earnings": Fact(
        """
        SELECT n, g.grp,
               (sum(coalesce(net, 0)) OVER upto - coalesce(net, 0)) * (ends - starts) / whole
               + coalesce(part, 0) AS earned
        FROM (
          SELECT n, ({bounds})[n + 1] AS ends, ({bounds})[n] AS starts,
                 (({bounds})[n] + interval '1 month')::date - ({bounds})[n] AS whole
          FROM generate_series(0, {last}) AS n
        ) AS months
        CROSS JOIN (SELECT DISTINCT grp FROM steps_{f}) AS g
        LEFT JOIN (
          SELECT bucket, grp, sum(step) AS net,
                 sum(step * (({bounds})[bucket + 1] - day))
                 / ((({bounds})[bucket] + interval '1 month')::date - ({bounds})[bucket]) AS part
          FROM steps_{f} GROUP BY bucket, grp
        ) AS m ON m.bucket = n AND m.grp = g.grp
        WINDOW upto AS (PARTITION BY g.grp ORDER BY n)
        """,
        ("steps",),
    ),
    "steps": Fact(
        """
        SELECT bucket, day, plan_code AS grp, sum(step) AS step
        FROM (
          SELECT bucket, day, base_mrr AS step, plan_code FROM changes_{f}
          UNION ALL
          SELECT bucket, day, -before_base_mrr, before_plan_code FROM changes_{f} WHERE sequence > 1
        ) AS both_sides
        WHERE {plans}
        GROUP BY bucket, day, plan_code
        """,
        ("changes",),
    ),
}


def needed(names: Iterable[str]) -> list[str]:
    """The facts behind these, each after those it is made from."""
    found: dict[str, None] = {}
    for name in names:
        found |= dict.fromkeys([*needed(FACTS[name].uses), name])
    return list(found)
