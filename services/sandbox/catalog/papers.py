"""Estimates, orders and invoices that follow from one another, and purchase orders, over 24 months before today."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from services.sandbox import documents, goods, totals
from services.sandbox.catalog import names
from services.sandbox.catalog.parties import Parties
from services.sandbox.catalog.scene import MONTHS, Scene
from services.sandbox.documents import Surroundings
from services.sandbox.kinds import ESTIMATES, INVOICES, PURCHASE_ORDERS, SALES_ORDERS, Kind
from services.sandbox.stamps import Stamp

Body = dict[str, Any]

_YOUNG = 75
"""Days in which a document is still being worked on."""

_SHARES: Mapping[tuple[str, str], Mapping[str, int]] = {
    ("estimates", "young"): {"draft": 4, "pending_approval": 3, "approved": 1, "sent": 8, "accepted": 4},
    ("estimates", "old"): {"accepted": 9, "invoiced": 3, "declined": 3, "expired": 4, "sent": 1},
    ("salesorders", "young"): {
        "draft": 3,
        "pending_approval": 3,
        "approved": 1,
        "open": 6,
        "invoiced": 9,
        "partially_invoiced": 2,
    },
    ("salesorders", "old"): {"invoiced": 12, "partially_invoiced": 3, "overdue": 2, "open": 2, "void": 1},
    ("invoices", "young"): {"draft": 3, "pending_approval": 2, "approved": 1, "sent": 9, "viewed": 2, "paid": 3},
    ("invoices", "old"): {"paid": 14, "overdue": 4, "partially_paid": 2, "void": 1},
    ("purchaseorders", "young"): {"draft": 3, "pending_approval": 3, "approved": 1, "open": 9, "rejected": 1},
    ("purchaseorders", "old"): {"billed": 14, "open": 3, "cancelled": 2},
}


@dataclass(frozen=True)
class Seed:
    """A document to be written, and the one it follows from."""

    day: date
    party: Body
    lines: list[Body]
    source: Body | None = None


@dataclass
class Papers:
    scene: Scene
    parties: Parties
    items: Sequence[Body]
    count: int
    around: Surroundings
    written: dict[str, list[Body]] = field(default_factory=dict)

    def write(self) -> dict[str, list[Body]]:
        orders: list[Seed] = []
        invoices: list[Seed] = []
        for seed in self._filled([], self.parties.customers):
            self._estimate(seed, orders, invoices)
        for seed in self._filled(orders, self.parties.customers):
            self._order(seed, invoices)
        for seed in self._filled(invoices, self.parties.customers):
            self._invoice(seed)
        for seed in self._filled([], self.parties.vendors):
            self._purchase(seed)
        return self.written

    def _filled(self, seeds: list[Seed], parties: Sequence[Body]) -> Iterable[Seed]:
        """The seeds and as many of their own as the count asks for, by day."""
        span = MONTHS * 365 // 12
        missing = max(self.count - len(seeds), 0)
        fresh = [
            Seed(
                self.scene.today - timedelta(days=span - order * span // missing),
                party := self.scene.dice.choice(parties),
                self._lines(party["currency_code"]),
            )
            for order in range(missing)
        ]
        return sorted(seeds + fresh, key=lambda seed: seed.day)

    def _lines(self, currency: str) -> list[Body]:
        dice, base = self.scene.dice, self.scene.organization.currency_code
        return [
            {
                "item_id": item["item_id"],
                "quantity": dice.choice((1, 1, 2, 3, 5, 8, 12)),
                "rate": goods.priced(item["rate"], currency, base),
                **({"discount": "10%"} if dice.random() < 0.15 else {}),
            }
            for item in dice.sample(self.items, dice.choice((1, 2, 2, 3, 4)))
        ]

    def _new(self, kind: Kind, seed: Seed, **given: Any) -> Body:
        dice, made = self.scene.dice, self.written.setdefault(kind.name, [])
        stamp = self.scene.stamp(dice.choice(self.scene.writers), self.scene.at(seed.day, len(made) * 7))
        discounted = any("discount" in line for line in seed.lines)
        body = documents.create(
            kind,
            {
                "date": seed.day.isoformat(),
                "line_items": seed.lines,
                "reference_number": f"REF-{dice.randrange(10_000, 99_999)}" if dice.random() < 0.7 else "",
                "discount_type": "item_level" if discounted else "entity_level",
                "discount": "5%" if not discounted and dice.random() < 0.1 else 0,
                "shipping_charge": Decimal("12.50") if dice.random() < 0.1 else 0,
                "notes": dice.choice(names.SUBJECTS),
                "custom_fields": [{"api_name": "cf_region", "value": dice.choice(names.REGIONS)}],
                **given,
            },
            seed.party,
            f"{kind.prefix}{len(made) + 1:06d}",
            stamp,
            self.around,
        )
        made.append(body)
        body["status"] = self._status(kind, seed)
        _mark(body, seed, self.scene)
        self._touch(body, seed.day, stamp)
        return body

    def _touch(self, body: Body, day: date, stamp: Stamp) -> None:
        """What is no draft any more was changed some days after it was made."""
        later = self.scene.stamp(self.scene.dice.choice(self.scene.writers), self.scene.at(self._soon(day), 599))
        if body["status"] != "draft" and later.at > stamp.at:
            body["last_modified_time"] = later.time
            body["last_modified_by_id"] = later.user_id

    def _status(self, kind: Kind, seed: Seed) -> str:
        age = "young" if (self.scene.today - seed.day).days < _YOUNG else "old"
        shares = _SHARES[kind.name, age]
        return self.scene.dice.choices(tuple(shares), tuple(shares.values()))[0]

    def _soon(self, day: date) -> date:
        return min(day + timedelta(days=self.scene.dice.randrange(1, 15)), self.scene.today)

    def _estimate(self, seed: Seed, orders: list[Seed], invoices: list[Seed]) -> None:
        body = self._new(ESTIMATES, seed, expiry_date=(seed.day + timedelta(days=30)).isoformat())
        if body["status"] == "sent" and body["expiry_date"] < self.scene.today.isoformat():
            body["status"] = body["current_sub_status"] = "expired"
        next_day = self._soon(seed.day)
        if body["status"] in ("accepted", "invoiced"):
            body["accepted_date"] = next_day.isoformat()
        if body["status"] == "declined":
            body["declined_date"] = next_day.isoformat()
        if body["status"] == "invoiced":
            invoices.append(Seed(next_day, seed.party, seed.lines, body))
        elif body["status"] == "accepted" and len(orders) < self.count * 3 // 5:
            orders.append(Seed(next_day, seed.party, seed.lines, body))

    def _order(self, seed: Seed, invoices: list[Seed]) -> None:
        source = seed.source
        body = self._new(SALES_ORDERS, seed)
        if source is not None:
            body["estimate_id"] = source["estimate_id"]
            source["salesorder_ids"] = [body["salesorder_id"]]
            source["is_transaction_created"] = True
        self._ship(body, seed)
        if len(invoices) >= self.count:
            body["status"] = {"invoiced": "open", "partially_invoiced": "open"}.get(body["status"], body["status"])
        if body["status"] in ("invoiced", "partially_invoiced"):
            lines = seed.lines if body["status"] == "invoiced" else seed.lines[:1]
            invoices.append(Seed(self._soon(seed.day), seed.party, lines, body))
        body["invoiced_status"] = {"open": "not_invoiced"}.get(body["status"], body["status"])
        body["order_status"] = body["status"]

    def _ship(self, body: Body, seed: Seed) -> None:
        late = self.scene.today - timedelta(days=3)
        early = self.scene.today + timedelta(days=12)
        day = {"overdue": late, "open": early}.get(body["status"], seed.day + timedelta(days=14))
        body["shipment_date"] = day.isoformat()

    def _invoice(self, seed: Seed) -> None:
        body = self._new(INVOICES, seed)
        if body["due_date"] < self.scene.today.isoformat() and body["status"] in ("sent", "viewed"):
            body["status"] = "overdue"
        if body["due_date"] >= self.scene.today.isoformat() and body["status"] == "overdue":
            body["status"] = "sent"
        _pay(body, self._soon(seed.day).isoformat())
        if seed.source is not None:
            _follow(body, seed.source)

    def _purchase(self, seed: Seed) -> None:
        body = self._new(PURCHASE_ORDERS, seed, delivery_date=(seed.day + timedelta(days=21)).isoformat())
        body["expected_delivery_date"] = body["delivery_date"]
        body["order_status"] = body["status"]
        body["billed_status"] = "billed" if body["status"] == "billed" else ""


def _mark(body: Body, seed: Seed, scene: Scene) -> None:
    """What goes with the status: mail sent, seen, submitted, approved."""
    status = body["status"]
    body["current_sub_status"] = status
    body["is_emailed"] = status not in ("draft", "pending_approval", "approved", "rejected")
    body["is_viewed_by_client"] = status in ("viewed", "accepted", "paid", "invoiced")
    if status in ("pending_approval", "approved", "rejected"):
        submitter = next(person for person in scene.people if person.books_user_id == body["created_by_id"])
        body["submitter_id"] = body["created_by_id"]
        body["submitted_by"] = body["submitted_by_name"] = submitter.name
        body["submitted_by_email"] = submitter.email
        body["submitted_date"] = seed.day.isoformat()
    if status in ("approved", "rejected"):
        body["approver_id"] = scene.owner.books_user_id


def _pay(invoice: Body, day: str) -> None:
    shares = {"paid": Decimal(1), "partially_paid": Decimal("0.4")}
    share = shares.get(invoice["status"])
    if share is not None:
        invoice["payment_made"] = totals.rounded(invoice["total"] * share, invoice["price_precision"])
        invoice["last_payment_date"] = day
    invoice["balance"] = totals.open_balance(invoice)


def _follow(invoice: Body, source: Body) -> None:
    """Links an invoice with the order or the estimate that it bills."""
    if "salesorder_id" in source:
        invoice["salesorder_id"] = source["salesorder_id"]
        invoice["salesorder_number"] = source["salesorder_number"]
        invoice["salesorders"] = [{key: source[key] for key in ("salesorder_id", "salesorder_number")}]
        source["invoices"] = [{key: invoice[key] for key in ("invoice_id", "invoice_number", "status", "total")}]
        source["total_invoiced_amount"] = invoice["total"]
    else:
        invoice["estimate_id"] = source["estimate_id"]
        source["invoice_ids"] = [invoice["invoice_id"]]
        source["is_transaction_created"] = True
