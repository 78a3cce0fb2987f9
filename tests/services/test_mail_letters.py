from email.message import EmailMessage
from typing import Any

import msgspec
import pytest

from services.letters import TEMPLATES, TYPES, Address, Template, Unsendable, letter, stored, values_of

SENDER = Address("Finance integration", "no-reply@gateway.example")
LINK = "https://gateway.example/connect?state=a&more=b"
MODULES = {"estimates": ["view", "create", "edit"], "invoices": ["view"]}
VALUES: dict[Template, dict[str, Any]] = {
    Template.MIGRATED: {"access": "INTEGRATION_USER", "products": ["BOOKS", "BILLING"], "modules": MODULES},
    Template.AUTHORIZATION_REQUESTED: {"products": ["BOOKS"], "link": LINK, "until": "2026-08-14T10:00:00Z"},
    Template.CAPABILITIES_UPGRADED: {"modules": MODULES},
}


def written(template: Template, **given: Any) -> EmailMessage:
    options: dict[str, Any] = {
        "organization": "Harbor Foods",
        "sender": SENDER,
        "recipient": Address("Staff", "staff@demo.example"),
    }
    values = given.pop("values", VALUES[template])
    return letter(template, values_of(template, values), **options | given)


def body(message: EmailMessage, kind: str = "plain") -> str:
    part = message.get_body((kind,))
    assert part is not None
    text: str = part.get_content()
    return text


def flat(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("template", Template)
def test_every_letter_is_in_text_and_html_and_names_the_organization(template: Template) -> None:
    message = written(template)
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    for text in (message["Subject"], body(message), body(message, "html")):
        assert "Harbor Foods" in text
    for text in (body(message), body(message, "html")):
        assert "Hello Staff," in text
        assert "{" not in text.replace("style=", "")


def test_every_template_has_its_values_and_its_files() -> None:
    assert set(TYPES) == set(Template)
    assert {f"{template.lower()}.{form}" for template in Template for form in ("txt", "html")} <= {
        path.name for path in TEMPLATES.iterdir()
    }


def test_an_integration_user_reads_what_he_may_do() -> None:
    text = body(written(Template.MIGRATED))
    assert "integration user of Zoho Books and Zoho Billing" in flat(text)
    assert "- Estimates: view, create and edit\n- Invoices: view\n" in text


def test_a_user_of_the_product_reads_that_he_works_under_his_own_access() -> None:
    text = flat(body(written(Template.MIGRATED, values={"access": "PRODUCT_USER", "products": ["BOOKS"]})))
    assert "happens under your own access to Zoho Books." in text
    assert "integration user" not in text


def test_the_link_is_there_to_be_followed() -> None:
    message = written(Template.AUTHORIZATION_REQUESTED)
    assert f"\n{LINK}\n" in body(message)
    assert f'href="{LINK.replace("&", "&amp;")}"' in body(message, "html")
    assert "works until August 14, 2026." in body(message)


def test_what_people_are_called_is_no_markup() -> None:
    message = written(Template.MIGRATED, organization="<b>Foods</b> & Sons")
    assert "&lt;b&gt;Foods&lt;/b&gt; &amp; Sons" in body(message, "html")
    assert "<b>Foods</b> & Sons" in body(message)


@pytest.mark.parametrize("evil", ["Foods\r\nBcc: other@demo.example", "Foods\nX: y", "Foods\x0b\x85Bcc: x@y.example"])
def test_names_cannot_add_headers(evil: str) -> None:
    message = written(Template.MIGRATED, organization=evil, recipient=Address(evil, "staff@demo.example"))
    raw = message.as_bytes()
    headers = raw.partition(b"\r\n\r\n")[0].decode()
    names = {line.partition(":")[0].lower() for line in headers.split("\r\n") if not line.startswith((" ", "\t"))}
    assert names == {"subject", "from", "to", "auto-submitted", "mime-version", "content-type"}
    assert [address.addr_spec for address in message["To"].addresses] == ["staff@demo.example"]


@pytest.mark.parametrize(
    "address", ["", "staff", "a b@demo.example", "a@b.example\nBcc: c@d.example", "ü@demo.example"]
)
def test_an_address_that_is_none_cannot_be_written_to(address: str) -> None:
    with pytest.raises(Unsendable):
        written(Template.MIGRATED, recipient=Address("Staff", address))


def test_an_address_in_an_international_domain_is_written_in_ascii() -> None:
    message = written(Template.MIGRATED, recipient=Address("Stäff", "staff@bücher.example"))
    assert message["To"].addresses[0].addr_spec == "staff@xn--bcher-kva.example"
    assert message.as_bytes().isascii()


@pytest.mark.parametrize("template", Template)
def test_values_come_back_from_the_database_as_they_were(template: Template) -> None:
    values = values_of(template, VALUES[template])
    assert values_of(template, stored(values)) == values


def test_values_of_another_template_are_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        values_of(Template.MIGRATED, VALUES[Template.CAPABILITIES_UPGRADED])
