"""Everything that can be watched, a line a field."""

import strawberry

from resolvers import migrations
from schema.migration import Migration
from schema.permissions import field, guarded, required


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
