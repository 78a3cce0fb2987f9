"""Operations that are sent by the ids of trusted documents."""

from dataclasses import dataclass, replace

from gateway.operation import Malformed, Operation
from services.errors import Forbidden, NotFound
from services.trusted import Trusted, digest


class Unknown(NotFound):
    """There is no trusted document of this id."""


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
            return replace(operation, query=await self._named(operation.query, operation.document_id))
        if self.only and await self.documents.text(digest(operation.query)) is None:
            hint = "An administrator takes in the operations of a client with `documents add`."
            raise Untrusted(hint=hint)
        return operation

    async def _named(self, query: str, document_id: str) -> str:
        text = await self.documents.text(document_id)
        if text is None and query and not self.only and digest(query) == document_id:
            return query
        if text is None:
            raise Unknown(hint="Send the operation itself.") if not self.only else Unknown()
        if query and query != text:
            raise Malformed("The query is not the one that its id stands for.", field=["query"])
        return text
