"""Operations at random: a store of documents that everybody asks with variables of their own."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from resolvers.ids import encode
from schema import schema
from tests.leaks import facts
from tests.leaks.world import DOCUMENTS

TYPES = {"$first": "Int!", "$within": "Int!", "$on": "Boolean!", "$id": "ID!", "$ids": "[ID!]!"}
ANY_KIND = ("number", "referenceNumber", "total { amount }", "date", "availableActions { name available }")
COMMON = (*ANY_KIND, "status")
IN_FULL = (
    "notes",
    "terms",
    "salesperson",
    "lineItems { name description rate total }",
    "customFields { value }",
    "subTotal { amount }",
    "taxTotal { amount }",
    "discount { amount }",
    "adjustment { amount }",
    "createdBy { name }",
)
OWN: Mapping[str, Sequence[str]] = {
    "estimates": ("salesOrders { number total { amount } }",),
    "invoices": ("balance { amount }", "paymentMade { amount }", "salesOrder { number notes }"),
    "salesOrders": ("estimate { number total { amount } }", "invoices { number balance { amount } }"),
    "purchaseOrders": (),
    "subscriptions": ("name", "amount { amount }", "mrr { amount }", "plan { name }", "activities { description }"),
}
PARTY = ("name", "companyName", "email", "phone", "outstanding { amount }", "account { name phone }")
ACCOUNT = ("name", "phone", "website", "customers { name email outstanding { amount } }")
CONTACT = ("name", "email", "phone", "account { name website }", "customers { name phone }")
NAMES = {name: name[:-1] for name in (*DOCUMENTS, "subscriptions")}
MODULES = ("ESTIMATES", "INVOICES", "SALES_ORDERS", "PURCHASE_ORDERS", "SUBSCRIPTIONS")
WITHIN = (0, 0, 0, 30, 3600, 3600)
IS_FRESH = schema._schema.get_directive("fresh") is not None  # noqa: SLF001  # there is no other way to it


@dataclass(frozen=True)
class Operation:
    """A document; `kind` is what its ids are of."""

    query: str
    kind: str
    is_modelled = True
    """Whether the model knows the answer."""

    def variables(self, organizations: Sequence[str], chance: Random) -> dict[str, Any]:
        """Variables for a viewer of the first organization; now and then with ids of another."""
        organization = organizations[0] if chance.random() < 0.95 else chance.choice(organizations)
        ids = [encode(organization, self.kind, chance.choice(_IDS[self.kind])) for _ in range(3)]
        given = {
            "first": chance.randint(1, 4),
            "within": chance.choice(WITHIN),
            "on": chance.random() < 0.8,
            "id": ids[0],
            "ids": ids,
        }
        return {name: value for name, value in given.items() if f"${name}:" in self.query}


_IDS: Mapping[str, Sequence[str]] = {
    **{module: tuple(records)[-5:] for module, records in facts.RECORDS.items()},
    "account": facts.ACCOUNTS,
    "contact": facts.CONTACTS,
}


def global_ids(organizations: Iterable[str]) -> dict[str, list[str]]:
    """Of some records of all organizations, by module."""
    every = list(organizations)
    named = {module if module in NAMES else f"{module}s": records for module, records in _IDS.items()}
    return {
        plural: [encode(organization, module, record) for record in records for organization in every]
        for (plural, records), module in zip(named.items(), _IDS, strict=True)
    }


def store(chance: Random, count: int) -> list[Operation]:
    """So many different documents."""
    makers = (_list, _list, _list, _list, _record, _record, _documents, _directory, _directory, _nodes)
    return [chance.choice(makers)(chance) for _ in range(count)]


def _list(chance: Random) -> Operation:
    module = chance.choice(tuple(NAMES))
    return _operation(f"{module}(first: $first) {{ {_page(chance, _document(chance, module))} }}", module)


def _record(chance: Random) -> Operation:
    module = chance.choice(tuple(NAMES))
    return _operation(f"{NAMES[module]}(id: $id) {{ {_document(chance, module)} }}", module)


def _documents(chance: Random) -> Operation:
    some = ", ".join(chance.sample(MODULES, 3))
    modules = f", modules: [{some}]" if chance.random() < 0.5 else ""
    inner = _page(chance, f"module {_some(chance, ANY_KIND)} {_of_types(chance)}")
    return _operation(f"documents(first: $first{modules}) {{ {inner} }}", "invoices")


def _of_types(chance: Random) -> str:
    types = chance.sample(("invoices", "estimates", "purchaseOrders", "subscriptions"), 2)
    told = {module: re.sub(r"\bstatus\b", f"{module}Status: status", _document(chance, module)) for module in types}
    return " ".join(f"... on {_type(module)} {{ {fields} }}" for module, fields in told.items())


def _type(module: str) -> str:
    name = NAMES[module]
    return name[0].upper() + name[1:]


def _directory(chance: Random) -> Operation:
    what = chance.choice(("account", "contact"))
    fields = _some(chance, ACCOUNT if what == "account" else CONTACT)
    for module in chance.sample((*NAMES, "documents"), chance.randint(0, 2)):
        inner = _some(chance, ANY_KIND) if module == "documents" else _document(chance, module)
        fields += f" {module}(first: $first) {{ {_page(chance, inner)} }}"
    root = f"{what}(id: $id)" if chance.random() < 0.6 else f"{what}s(first: 2)"
    return _operation(f"{root} {{ {fields if root.endswith('$id)') else f'nodes {{ {fields} }}'} }}", what)


def _nodes(chance: Random) -> Operation:
    module = chance.choice(tuple(NAMES))
    return _operation(f"nodes(ids: $ids) {{ ... on {_type(module)} {{ {_document(chance, module)} }} }}", module)


def _page(chance: Random, inner: str) -> str:
    rows = chance.choice(("nodes { %s }", "edges { cursor node { %s } }")) % f"id {inner}"
    return rows + chance.choice(("", " pageInfo { endCursor }", " totalCount", " asOf"))


def _document(chance: Random, module: str) -> str:
    party = "vendor" if module == "purchaseOrders" else "customer"
    fields = [_some(chance, (*COMMON, *OWN[module]))]
    if module != "subscriptions" and chance.random() < 0.5:
        fields.append(_some(chance, IN_FULL))
    if chance.random() < 0.6:
        fields.append(f"{party} {{ {_some(chance, PARTY)} }}")
    if chance.random() < 0.3:
        fields.append(f"account @include(if: $on) {{ {_some(chance, ACCOUNT)} }}")
    return " ".join(fields)


def _some(chance: Random, fields: Sequence[str]) -> str:
    return " ".join(chance.sample(fields, chance.randint(1, min(4, len(fields)))))


def _operation(selection: str, kind: str) -> Operation:
    fresh = " @fresh(within: $within)" if IS_FRESH else ""
    used = [name for name in TYPES if re.search(rf"\{name}\b", selection + fresh)]
    declared = ", ".join(f"{name}: {TYPES[name]}" for name in used)
    return Operation(f"query Asked{f'({declared})' if used else ''}{fresh} {{ {selection} }}", kind)
