import re
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

Ask = Callable[..., Awaitable[httpx.Response]]
KINDS = {"estimates": "customer", "invoices": "customer", "salesorders": "customer", "purchaseorders": "vendor"}


async def _draft(books: Ask, kind: str, who: str = "staff") -> dict[str, Any]:
    rows = (await books("GET", "/contacts", contact_type=KINDS[kind])).json()["contacts"]
    lines = [{"name": "Survey (on site)", "rate": 10.55, "quantity": 3}]
    answer = await books(
        "POST", f"/{kind}", who, json={f"{KINDS[kind]}_id": rows[0]["contact_id"], "line_items": lines}
    )
    made: dict[str, Any] = answer.json()[kind.removesuffix("s")]
    return made


@pytest.mark.parametrize("kind", KINDS)
async def test_a_document_is_printed_as_a_pdf_whose_table_finds_every_object(books: Ask, kind: str) -> None:
    made = await _draft(books, kind)
    answer = await books("GET", f"/{kind}/{made[f'{kind[:-1]}_id']}", "staff", accept="pdf")
    assert answer.headers["content-type"] == "application/pdf"
    pdf = answer.content
    assert pdf.startswith(b"%PDF-1.4\n")
    assert made[f"{kind[:-1]}_number"].encode() in pdf
    start = int(pdf.rstrip().rsplit(b"\n", 2)[1])
    assert pdf[start : start + 4] == b"xref"
    places = [int(place) for place in re.findall(rb"(\d{10}) 00000 n ", pdf[start:])]
    assert [pdf[place:].split(b" ", 1)[0] for place in places] == [b"%d" % n for n in range(1, len(places) + 1)]


async def test_nobody_but_an_administrator_decides_on_what_he_submitted(books: Ask) -> None:
    for who, status in (("approver", 400), ("owner", 200)):
        made = await _draft(books, "estimates", who)
        path = f"/estimates/{made['estimate_id']}"
        assert (await books("POST", f"{path}/submit", who)).status_code == 200
        assert (await books("POST", f"{path}/approve", who)).status_code == status
