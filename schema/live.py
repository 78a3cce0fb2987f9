"""Everything that can be watched, a line a field."""

import strawberry

from resolvers import changes, migrations
from schema.documents import FinanceDocument
from schema.migration import Migration
from schema.permissions import Argument, field, guarded, required
from schema.scalars import DateTime
from services.documents import Module
from services.records.notices import Change


@guarded("public", description="That a finance document has changed.")
class DocumentChange:
    """One event of a module that the viewer may see, about a record that the viewer may see, too."""

    module: Module = field("public", description="The module of the document.")
    change: Change = field("public", description="What became of it.")
    document_id: strawberry.ID | None = field(
        "public", changes.document_id, description="The id of the document; null where `change` is SEVERAL."
    )
    document: FinanceDocument | None = field(
        "public",
        changes.document,
        description="The document as its own root field answers it; null where it is gone or `change` is SEVERAL.",
    )
    as_of: DateTime | None = field("public", description="The moment at which the module's records were last compared.")


@guarded("public", description="Everything that can be watched, over WebSocket or server-sent events.")
class Live:
    """The root of live operations; the word Subscription belongs to the finance module."""

    migration_progress: Migration = field(
        "migration.view",
        migrations.progress,
        args={"id": required(strawberry.ID, "The migration.")},
        description="The migration as it is now, and again whenever it has come on, until its end.",
        live=True,
    )
    document_changed: DocumentChange = field(
        "public",
        changes.watched,
        args={
            "modules": Argument(list[Module] | None, "Only these modules; all that the viewer may see when left out.")
        },
        description=(
            "Every document that is created, changed or deleted from now on, whoever does it and wherever. "
            "What happens in the products themselves is told once it is known here, some seconds later."
        ),
        live=True,
    )
