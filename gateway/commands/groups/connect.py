"""`connect`: the links under which people connect their own access."""
# ruff: noqa: PLC0415

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.commands.console import Organization, fail, read_settings

if TYPE_CHECKING:
    from services.consent import Consents

connect = typer.Typer(help="Print the link under which a person connects their Zoho account.", no_args_is_help=True)
Migrate = Annotated[bool, typer.Option("--migrate", help="The person works under this access from then on.")]


@connect.command()
def owner(
    data_center: Annotated[str, typer.Option(help="Where the organization lives: com, eu, in, com.au, jp …")],
    organization: Organization = None,
    books: Annotated[str | None, typer.Option(help="The Books organization, when not the default one.")] = None,
    billing: Annotated[str | None, typer.Option(help="The Billing organization, when not the default one.")] = None,
    migrate: Migrate = False,
) -> None:
    """For an administrator, whose organization becomes known, or who replaces the owner of a known one."""
    from services.policy import Product

    chosen = {product: place for product, place in ((Product.BOOKS, books), (Product.BILLING, billing)) if place}
    _print_link(
        lambda consents: consents.begin_owner(data_center, organization_id=organization, chosen=chosen, migrate=migrate)
    )


@connect.command()
def user(
    email: Annotated[str, typer.Option(help="The address that the CRM knows.")],
    organization: Organization = None,
    migrate: Migrate = False,
) -> None:
    """For a CRM user of a connected organization."""
    _print_link(lambda consents: consents.begin_user(email, organization_id=organization, migrate=migrate))


def _print_link(begin: Callable[["Consents"], Awaitable[str]]) -> None:
    from gateway.http.connecting import link
    from gateway.serving import with_database
    from services.errors import GatewayError

    settings = read_settings(quiet=True)
    if settings.demo:
        fail(
            "The sandbox inside the demo has no page to consent on, and its people are connected already. To try this,"
            " run `python -m gateway sandbox --port 9000` and set GATEWAY_ZOHO__ORIGIN; the README says how."
        )
    try:
        with with_database(settings) as complete:
            typer.echo(asyncio.run(link(complete, begin)))
    except GatewayError as error:
        fail(" ".join(filter(None, (error.message, error.hint))))
