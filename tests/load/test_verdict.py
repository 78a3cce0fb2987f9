"""The model that loads are judged by, against a gateway without a load: everybody asks everything once."""

from functools import partial
from time import time

import pytest

from resolvers import ids
from tests.harness import Gateway
from tests.load.crowd import Kept
from tests.load.model import Records
from tests.load.people import ROLES, Person
from tests.load.questions import Question, asked
from tests.load.verdict import WITHIN, Change, Judge
from tests.resolvers.copying import read_copy

PEOPLE = [Person(role, role) for role in ROLES if role != "both"]
"""The demo's own."""


async def _questions(gateway: Gateway, records: Records) -> list[Question]:
    organization_id = (await gateway.app.state.endpoint.services.identity.viewer("owner@demo.example")).organization_id
    return list(asked(partial(ids.encode, organization_id), records, 1, 4))


async def test_everybody_is_told_what_the_model_says(own_gateway: Gateway) -> None:
    await read_copy(own_gateway)
    records, kept = Records(own_gateway.sandbox), Kept()
    questions = await _questions(own_gateway, records)
    for who, person in enumerate(PEOPLE):
        for what, question in enumerate(questions):
            response = await own_gateway.post(person.name, {"query": question.query, "variables": question.variables})
            kept.add(who, what, time(), 0.0, response.content)
    verdict = Judge(records, [], PEOPLE, questions).judge(kept)
    assert (verdict.compared, verdict.failed) == (len(PEOPLE) * len(questions), [])
    assert verdict.wrong == {}, next(iter(verdict.examples.values()))


@pytest.mark.parametrize(
    ("sent", "shown", "wrong", "stale"),
    [
        (WITHIN - 5, "before", 0, 0),
        (WITHIN - 5, "after", 0, 0),
        (WITHIN + 5, "after", 0, 0),
        (WITHIN + 5, "before", 0, 1),
        (-5, "after", 0, 1),
        (WITHIN + 5, "never", 1, 0),
    ],
)
async def test_an_answer_is_judged_by_what_stood_there_in_the_time_that_the_client_allowed(
    gateway: Gateway, sent: float, shown: str, wrong: int, stale: int
) -> None:
    records, kept = Records(gateway.sandbox), Kept()
    (question,) = [one for one in await _questions(gateway, records) if one.name == "invoices, a page"]
    body = (await gateway.post("owner", {"query": question.query})).content
    newest = records.of("invoices", ROLES["owner"])[0]
    before = {"reference_number": newest["reference_number"]}
    change = Change(0.0, newest["invoice_id"], {"reference_number": "after"}, before)
    known = f'"referenceNumber":"{before["reference_number"]}"'.encode()
    assert body.count(known) == 1
    told = body if shown == "before" else body.replace(known, f'"referenceNumber":"{shown}"'.encode())
    kept.add(0, 0, sent, 0.1, told)
    verdict = Judge(records, [change], [Person("owner", "owner")], [question]).judge(kept)
    assert (verdict.wrong.total(), verdict.stale.total()) == (wrong, stale)
