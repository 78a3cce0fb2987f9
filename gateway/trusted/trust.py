"""Operations that are sent by the ids of trusted documents."""

from dataclasses import dataclass, replace

from gateway.http.operation import Malformed, Operation
from services.errors import Forbidden, NotFound
from services.trusted import Trusted, digest


class Unknown(NotFound):
    """There is no trusted document of this id."""


class Unregistered(Unknown):
    """The client is to send the operation itself; Apollo's and urql's know that by the message."""

    MESSAGE = "PersistedQueryNotFound"


class Untrusted(Forbidden):
    """Only trusted documents are executed here."""


@dataclass(frozen=True, slots=True)
class Trust:
    """The trusted documents, and whether only they may be executed."""

    documents: Trusted
    only: bool = False

    async def resolved(self, operation: Operation) -> Operation:
        """The operation with its text. Raises `Unknown`, `Untrusted`, and `Malformed` for an id beside another text."""
        if operation.document_id is not None:
            return replace(operation, query=await self._named(operation, operation.document_id))
        if self.only and await self.documents.text(digest(operation.query)) is None:
            hint = "An administrator takes in the operations of a client with `documents add`."
            raise Untrusted(hint=hint)
        return operation

    async def _named(self, operation: Operation, document_id: str) -> str:
        query, text = operation.query, await self.documents.text(document_id)
        if text is None and query and not self.only and digest(query) == document_id:
            return query
        if text is None:
            raise self._unknown(operation)
        if query and query != text:
            raise Malformed("The query is not the one that its id stands for.", field=["query"])
        return text

    def _unknown(self, operation: Operation) -> Unknown:
        if self.only:
            return Unknown()
        hint = "Send the operation itself."
        return Unregistered(Unregistered.MESSAGE, hint=hint) if operation.falls_back else Unknown(hint=hint)
