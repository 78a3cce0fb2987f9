"""The OAuth client, and the data centres that it deals with."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.errors import BadUserInput, Forbidden
from services.upstream.auth import DATA_CENTERS, DataCenter

AGAIN = "Nothing has been connected. Ask for a new link."


@dataclass(frozen=True, kw_only=True)
class Application:
    """The OAuth client as registered with Zoho; `centers` are the only places that it deals with."""

    client_id: str
    redirect_uri: str
    centers: Mapping[str, DataCenter] = field(default_factory=lambda: DATA_CENTERS)

    def center(self, name: str) -> DataCenter:
        """The data centre of this domain (`com`) or location (`us`); raises `BadUserInput`."""
        for center in self.centers.values():
            if name in {center.name, center.location}:
                return center
        raise BadUserInput("There is no such data center.", hint=f"One of: {', '.join(self.centers)}.")

    def answering(self, asked: str, location: str | None, accounts_server: str | None) -> DataCenter:
        """The data centre that the redirect came from; raises `Forbidden` for an address that is not ours."""
        center: DataCenter | None = self.center(asked)
        if accounts_server or location:
            center = next((one for one in self.centers.values() if _is(one, location, accounts_server)), None)
        if center is None:
            raise Forbidden(
                "The answer did not come from a data center of Zoho.", hint=AGAIN, reason="FOREIGN_ACCOUNTS_SERVER"
            )
        return center


def _is(center: DataCenter, location: str | None, accounts_server: str | None) -> bool:
    """Whether a redirect that says this comes from there."""
    return (not location or center.location == location) and (
        not accounts_server or center.accounts_url == accounts_server.rstrip("/")
    )
