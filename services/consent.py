"""Connecting a person's own access by OAuth 2: that of an organization's owner, and those of its users."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from time import monotonic

from services.application import AGAIN, Application
from services.credentials import NAMES, Connection, Consent, Credentials
from services.directory import Directory, Roster
from services.directory_values import ACTIVE
from services.errand import Errand
from services.errors import BadUserInput, Conflict, Forbidden, GatewayError, NotFound, UpstreamRejected
from services.invitations import LIFETIME, Invitation, Invitations, Proof
from services.policy import Product, actor
from services.storage.models import Member, fold, new_id
from services.upstream.accounts import Accounts, CrmOrganization, FinanceOrganization, Holder
from services.upstream.auth import DataCenter, Grant, consent_url
from services.upstream.client import Client
from services.upstream.scopes import scopes

FINANCE = (Product.BOOKS, Product.BILLING)
_ADMINISTRATOR = "Nothing has been connected. Have an administrator of Zoho CRM and of Zoho Books open a new link."

Places = Mapping[Product, str]
"""The organization's id in each product."""
Store = Callable[[str], Awaitable["Connected"]]
"""Stores what was consented to, for the request of this id."""


@dataclass(frozen=True, kw_only=True)
class Connected:
    """Who has connected which products. `migrated`: the person works under that access from now on."""

    organization_id: str
    organization: str
    email: str
    products: Sequence[Product]
    is_owner: bool
    migrated: bool


@dataclass(frozen=True)
class _Consented:
    """A consent of which nothing is stored yet."""

    invitation: Invitation
    center: DataCenter
    grant: Grant
    holder: Holder
    id: str = field(default_factory=new_id)

    @property
    def email(self) -> str:
        return self.holder.email

    @property
    def api_domain(self) -> str:
        return self.grant.api_domain or self.center.api_domain

    def access(self, product: Product, place: str = "") -> Connection:
        """The connection that it will be."""
        return Connection(
            id=f"{self.id}/{product}",
            organization_id=self.invitation.organization_id or "",
            member_id=self.invitation.member_id or "",
            email=self.email,
            product=product,
            product_organization_id=place,
            data_center=self.center.name,
            accounts_url=self.center.accounts_url,
            api_domain=self.api_domain,
            is_owner=self.invitation.member_id is None,
            refresh_token=self.grant.refresh_token or "",
        )

    def errand(self, organization_id: str, member: Member | None, request_id: str) -> Errand:
        """That of the person who consents, who may not be known yet."""
        name = (member.name if member else None) or self.holder.name or self.email
        who = actor(organization_id, member.id if member else "", name, fold(self.email))
        return Errand(who, request_id, monotonic())

    def consent(self, organization_id: str, product: Product, place: str) -> Consent:
        """As the credentials store it."""
        return Consent(
            organization_id=organization_id,
            email=self.email,
            product=product,
            product_organization_id=place,
            data_center=self.center.name,
            accounts_url=self.center.accounts_url,
            api_domain=self.api_domain,
            refresh_token=self.grant.refresh_token or "",
            scopes=self.invitation.scopes,
            is_owner=self.invitation.member_id is None,
            member_id=self.invitation.member_id,
        )


class Consents:
    """Gives out links to Zoho's consent page, and stores what comes of them: all of it or nothing."""

    def __init__(
        self,
        application: Application,
        invitations: Invitations,
        client: Client,
        credentials: Credentials,
        directory: Directory,
    ) -> None:
        self._application = application
        self._invitations = invitations
        self._client = client
        self._accounts = Accounts(client)
        self._credentials = credentials
        self._directory = directory

    async def begin_owner(
        self,
        data_center: str,
        *,
        organization_id: str | None = None,
        products: Sequence[Product] = tuple(Product),
        chosen: Places | None = None,
        migrate: bool = False,
        lifetime: timedelta = LIFETIME,
    ) -> str:
        """The address at which an administrator makes an organization known, or takes over a known one.

        `chosen` names the organization at a product where there are several; otherwise the default one is used.
        """
        if organization_id is not None:
            data_center = (await self._directory.organization(organization_id)).data_center
        products = tuple(dict.fromkeys((Product.CRM, *products)))
        invitation = Invitation(
            data_center=self._application.center(data_center).name,
            redirect_uri=self._application.redirect_uri,
            scopes=scopes(products, owner=True),
            products=products,
            organization_id=organization_id,
            chosen=chosen or {},
            migrate=migrate,
        )
        return await self._issued(invitation, lifetime)

    async def begin_user(
        self,
        email: str,
        *,
        organization_id: str | None = None,
        products: Sequence[Product] = tuple(Product),
        migrate: bool = False,
        lifetime: timedelta = LIFETIME,
    ) -> str:
        """The address at which a user connects their own access; `migrate`: they work under it from then on.

        Raises `NotFound` for an address that no active CRM user has, `BadUserInput` for one in several organizations.
        """
        member = _only(await self._directory.members_at(email, organization_id))
        organization = await self._directory.organization(member.organization_id)
        invitation = Invitation(
            data_center=organization.data_center,
            redirect_uri=self._application.redirect_uri,
            scopes=scopes(products, owner=False),
            products=products,
            organization_id=organization.id,
            member_id=member.id,
            migrate=migrate,
        )
        return await self._issued(invitation, lifetime)

    async def complete(
        self,
        state: str,
        *,
        code: str | None = None,
        location: str | None = None,
        accounts_server: str | None = None,
        error: str | None = None,
        request_id: str,
    ) -> Connected:
        """Take what Zoho's redirect brought; raises `GatewayError`, and nothing is stored then.

        The audit has an event of each product under the request's id.
        """
        invitation, proof = await self._invitations.claim(state)
        if error or not code:
            raise _declined(error)
        center = self._application.answering(invitation.data_center, location, accounts_server)
        grant = await self._exchanged(invitation, proof, center, code)
        async with self._on_trial(invitation, center, grant) as consented:
            store = await (self._as_user if invitation.member_id else self._as_owner)(consented)
        return await store(request_id)

    async def _issued(self, invitation: Invitation, lifetime: timedelta) -> str:
        proof = await self._invitations.issue(invitation, lifetime)
        return consent_url(
            self._application.center(invitation.data_center),
            self._application.client_id,
            invitation.redirect_uri,
            tuple(invitation.scopes),
            proof.state,
            code_challenge=proof.challenge,
            code_challenge_method="S256",
        )

    async def _exchanged(self, invitation: Invitation, proof: Proof, center: DataCenter, code: str) -> Grant:
        try:
            grant = await self._client.exchange(center, code, invitation.redirect_uri, code_verifier=proof.verifier)
        except Forbidden as error:
            raise Forbidden("Zoho Accounts did not accept the code it gave.", hint=AGAIN, reason="CODE") from error
        if not grant.refresh_token:
            raise UpstreamRejected("Zoho Accounts gave no lasting access.", hint=AGAIN)
        return grant

    @asynccontextmanager
    async def _on_trial(self, invitation: Invitation, center: DataCenter, grant: Grant) -> AsyncIterator[_Consented]:
        """The access before it is stored; it is given back to Zoho when an error leaves the block."""
        accesses: list[Connection] = []
        try:
            consented = _Consented(invitation, center, grant, await self._accounts.holder(center, grant))
            accesses += (consented.access(product) for product in Product)
            for access in accesses:
                self._client.authorization.admit(access, grant)
            yield consented
        except BaseException:
            with suppress(GatewayError):
                await self._accounts.revoke(center, grant.refresh_token or "")
            raise
        finally:
            for access in accesses:
                self._client.authorization.forget(access.id)

    async def _as_owner(self, consented: _Consented) -> Store:
        """Find out whether the person may be the owner; what it returns makes them so."""
        crm = await self._accounts.in_crm(consented.access(Product.CRM))
        if crm is None:
            raise Forbidden(f"{consented.email} does not use Zoho CRM.", hint=_ADMINISTRATOR, product=Product.CRM)
        await self._check_vacant(consented, crm)
        places = {Product.CRM: crm.id} | await self._finance_places(consented)
        if len(places) == 1:
            raise Forbidden(f"{consented.email} uses neither Zoho Books nor Zoho Billing.", hint=_ADMINISTRATOR)
        return partial(self._found, consented, crm, places, await self._roster(consented, places))

    async def _check_vacant(self, consented: _Consented, crm: CrmOrganization) -> None:
        """Another organization than the named one is not taken, nor another owner's without naming it."""
        known = await self._directory.organization_in_crm(consented.center.name, crm.id)
        named = consented.invitation.organization_id
        if named is not None and known != named:
            raise Forbidden(f"{consented.email} belongs to another organization: {crm.name}.", hint=AGAIN)
        owners = await self._credentials.owners(known) if known and not named else []
        others = {owner.email for owner in owners} - {fold(consented.email)}
        if others:
            raise Conflict(
                f"{crm.name} is connected already, by {' and '.join(sorted(others))}.",
                hint=f"Nothing has been changed. To replace the owner, name the organization: {known}.",
            )

    async def _finance_places(self, consented: _Consented) -> dict[Product, str]:
        places: dict[Product, str] = {}
        for product in FINANCE:
            if product in consented.invitation.products:
                found = await self._accounts.in_finance(consented.access(product))
                place = _chosen(consented, product, found)
                places |= {product: place} if place else {}
        return places

    async def _roster(self, consented: _Consented, places: Places) -> Roster:
        """Everybody in the CRM and Books, which only an administrator is told."""
        crm = consented.access(Product.CRM, places[Product.CRM])
        books = consented.access(Product.BOOKS, places[Product.BOOKS]) if Product.BOOKS in places else None
        try:
            roster = await self._directory.told(crm, books)
        except Forbidden as error:
            raise _no_administrator(consented, error.details.get("product", Product.CRM)) from error
        mine = {user.profile.id for user in roster.users if user.profile and _is_of(user.email, consented)}
        if not any(profile.administers for profile in roster.profiles if profile.id in mine):
            raise _no_administrator(consented, Product.CRM)
        return roster

    async def _found(
        self, consented: _Consented, crm: CrmOrganization, places: Places, roster: Roster, request_id: str
    ) -> Connected:
        organization_id = await self._directory.provision(
            name=crm.name, data_center=consented.center.name, edition=crm.edition, crm_org_id=crm.id
        )
        known = await self._directory.members_at(consented.email, organization_id)
        errand = consented.errand(organization_id, known[0] if len(known) == 1 else None, request_id)
        await self._connect(consented, errand, places)
        await self._directory.take(organization_id, roster)
        return await self._connected(consented, errand, places)

    async def _as_user(self, consented: _Consented) -> Store:
        """Find out where the person is a user; what it returns connects them there."""
        member = await self._directory.member(consented.invitation.member_id or "")
        if member.status != ACTIVE:
            raise Forbidden(f"{member.email} is no active user of the CRM any more.", hint=AGAIN)
        if fold(consented.email) != member.email:
            raise Forbidden(
                f"The link was made for {member.email}, but {consented.email} has consented.",
                hint=f"{AGAIN} Sign out at Zoho before you open it, then sign in as {member.email}.",
                reason="ANOTHER_PERSON",
            )
        places = await self._shared_places(consented, member.organization_id)
        if not places:
            raise Forbidden(f"{member.email} uses none of the organization's products.", hint=AGAIN)
        if consented.invitation.migrate and places.keys().isdisjoint(FINANCE):
            raise Forbidden(
                f"{member.email} uses neither Zoho Books nor Zoho Billing, so has no own access to work under.",
                hint="Nothing has been connected. Make the person a user there, or an integration user here.",
            )
        return partial(self._join, consented, member, places)

    async def _shared_places(self, consented: _Consented, organization_id: str) -> dict[Product, str]:
        """Where the integration's owner has connected the organization, and the person belongs to it."""
        owners = await self._credentials.owners(organization_id)
        places = {owner.product: owner.product_organization_id for owner in owners}
        asked = [product for product in consented.invitation.products if product in places]
        return {product: places[product] for product in asked if places[product] in await self._all(consented, product)}

    async def _all(self, consented: _Consented, product: Product) -> set[str]:
        """The person's organizations at a product."""
        if product is Product.CRM:
            crm = await self._accounts.in_crm(consented.access(product))
            return {crm.id} if crm else set()
        return {found.id for found in await self._accounts.in_finance(consented.access(product))}

    async def _join(self, consented: _Consented, member: Member, places: Places, request_id: str) -> Connected:
        errand = consented.errand(member.organization_id, member, request_id)
        await self._connect(consented, errand, places)
        return await self._connected(consented, errand, places)

    async def _connect(self, consented: _Consented, errand: Errand, places: Places) -> None:
        for product, place in places.items():
            consent = consented.consent(errand.viewer.organization_id, product, place)
            connection = await self._credentials.connect(consent, errand)
            self._client.authorization.admit(connection, consented.grant)

    async def _connected(self, consented: _Consented, errand: Errand, places: Places) -> Connected:
        invitation, organization_id = consented.invitation, errand.viewer.organization_id
        if invitation.migrate:
            await self._directory.migrate(organization_id, [consented.email], errand)
        return Connected(
            organization_id=organization_id,
            organization=(await self._directory.organization(organization_id)).name,
            email=fold(consented.email),
            products=tuple(places),
            is_owner=invitation.member_id is None,
            migrated=invitation.migrate,
        )


def _is_of(email: str, consented: _Consented) -> bool:
    return fold(email) == fold(consented.email)


def _only(found: Sequence[Member]) -> Member:
    if not found:
        raise NotFound(
            "Nobody with this address is an active user of a connected CRM.",
            hint="Connect the organization's owner first; new users are known within some minutes.",
        )
    if len(found) > 1:
        ids = ", ".join(member.organization_id for member in found)
        raise BadUserInput("The address is known in several organizations.", hint=f"Name one of: {ids}.")
    return found[0]


def _declined(error: str | None) -> GatewayError:
    if error == "access_denied":
        return Forbidden("Access was not granted.", hint=AGAIN, reason="ACCESS_DENIED")
    return UpstreamRejected(f"Zoho Accounts did not ask for consent: {(error or 'no code')[:100]}.", hint=AGAIN)


def _no_administrator(consented: _Consented, product: Product) -> Forbidden:
    return Forbidden(f"{consented.email} does not administer {NAMES[product]}.", hint=_ADMINISTRATOR, product=product)


def _chosen(consented: _Consented, product: Product, found: Sequence[FinanceOrganization]) -> str | None:
    """The organization that was named, or the person's default or only one; None when there is none."""
    ids = [one.id for one in found]
    named = consented.invitation.chosen.get(product)
    if named:
        if named not in ids:
            raise Forbidden(f"{consented.email} does not belong to organization {named} of {NAMES[product]}.")
        return named
    defaults = [one.id for one in found if one.is_default] or ids
    if len(defaults) > 1:
        raise BadUserInput(
            f"{consented.email} has several organizations in {NAMES[product]}.", hint=f"Name one of: {', '.join(ids)}."
        )
    return defaults[0] if defaults else None
