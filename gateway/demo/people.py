"""The sandbox's organizations and people, connected and migrated as the demo tells."""

from collections.abc import Iterator, Mapping

from sqlmodel import select

from services.credentials import Connection, Consent, Credentials
from services.directory import Directory
from services.errors import Forbidden
from services.policy import CapabilitySet, Product
from services.sandbox import Sandbox
from services.sandbox.store import Organization, RefreshToken
from services.upstream.auth import DATA_CENTERS

USERS: Mapping[str, tuple[str, ...]] = {
    "owner": ("CRM", "BOOKS", "BILLING"),
    "staff": ("CRM", "BOOKS"),
    "assigned": ("CRM", "BOOKS"),
    "approver": ("CRM", "BOOKS"),
    "billing": ("CRM", "BILLING"),
    "readonly": ("CRM", "BOOKS", "BILLING"),
}
"""Who has connected what; they work under their own access, the owner's is the integration's as well."""
INTEGRATION_USERS: Mapping[str, CapabilitySet] = {
    "sales": CapabilitySet.ALL_FINANCE_MODULES,
    "estimator": CapabilitySet.ESTIMATES_ONLY,
}
SMALL = ("owner", "staff")
"""The people of the two small organizations, `west` and `south`."""


async def set_up(credentials: Credentials, directory: Directory, sandbox: Sandbox) -> None:
    """Connect what is not connected to this very sandbox; nothing happens when all is."""
    for company in _companies(sandbox):
        organization_id = await directory.provision(
            name=company.name,
            data_center=company.data_centre,
            edition=company.edition,
            crm_org_id=company.crm_id,
        )
        if not await _is_connected(credentials, organization_id, sandbox):
            await _connect(credentials, directory, sandbox, company, organization_id)


def people_of(company: str) -> Iterator[str]:
    """The names of those who have connected a product, the owner first."""
    return (name for name in USERS if company == "demo" or name in SMALL)


async def _connect(
    credentials: Credentials, directory: Directory, sandbox: Sandbox, company: Organization, organization_id: str
) -> None:
    names = list(people_of(company.key))
    for name in names:
        for product in USERS[name]:
            await credentials.connect(_consent(sandbox, company, organization_id, name, Product(product)))
    await directory.sync(organization_id)
    await directory.migrate(organization_id, [f"{name}@{company.key}.example" for name in names])
    await directory.set_billing_role(organization_id, f"owner@{company.key}.example", "admin")
    if company.key == "demo":
        for name, capability_set in INTEGRATION_USERS.items():
            await directory.grant(organization_id, f"{name}@demo.example", Product.BOOKS, capability_set)


def _consent(sandbox: Sandbox, company: Organization, organization_id: str, name: str, product: Product) -> Consent:
    center = DATA_CENTERS[company.data_centre]
    email = f"{name}@{company.key}.example"
    return Consent(
        organization_id=organization_id,
        email=email,
        product=product,
        product_organization_id=company.id_in(product.lower()),
        data_center=center.name,
        accounts_url=center.accounts_url,
        api_domain=center.api_domain,
        refresh_token=sandbox.refresh_token(email),
        is_owner=name == "owner",
    )


async def _is_connected(credentials: Credentials, organization_id: str, sandbox: Sandbox) -> bool:
    try:
        owner: Connection = await credentials.owner(organization_id, Product.CRM)
    except Forbidden:
        return False
    with sandbox.store.session() as session:
        return session.get(RefreshToken, owner.refresh_token) is not None


def _companies(sandbox: Sandbox) -> list[Organization]:
    with sandbox.store.session() as session:
        return list(session.exec(select(Organization)))
