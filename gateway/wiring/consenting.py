"""The way to Zoho's consent page, for the OAuth client of the settings."""

from gateway.settings import Settings
from services.application import Application
from services.consent import Consents
from services.credentials import Credentials
from services.directory import Directory
from services.invitations import Invitations
from services.storage.engine import Database
from services.storage.sealing import Seal
from services.upstream.auth import DATA_CENTERS, data_centers_at
from services.upstream.client import Client

CALLBACK = "/oauth/callback"


def consents_on(
    settings: Settings, database: Database, client: Client, credentials: Credentials, directory: Directory
) -> Consents:
    """Links and what comes of them, kept in this database."""
    zoho = settings.zoho
    if zoho is None:
        raise ValueError("the settings are not complete")
    application = Application(
        client_id=zoho.client_id,
        redirect_uri=f"{settings.public_url}{CALLBACK}",
        centers=data_centers_at(zoho.origin) if zoho.origin else DATA_CENTERS,
    )
    return Consents(application, Invitations(database, Seal(settings.keys)), client, credentials, directory)
