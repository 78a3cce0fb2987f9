"""The custom fields in which the gateway tells the products who acts, and for which write."""

from collections.abc import Mapping

from services.policy import AccessKind, Product, Viewer


def own(viewer: Viewer) -> tuple[str, ...]:
    """Their API names: nobody else sets them."""
    return (viewer.reference_field, viewer.acting_user_field)


def acts_for_himself(viewer: Viewer, product: Product | None) -> bool:
    """Whether the product would know by itself who acts; of an integration user it only knows the owner."""
    return product is None or viewer.access_to(product).kind is not AccessKind.INTEGRATION_USER


def marks(viewer: Viewer, product: Product | None, reference: str) -> dict[str, str]:
    """Our reference of the write; and who acts, where the product would only know the owner."""
    acting = "" if acts_for_himself(viewer, product) else viewer.email
    found: Mapping[str, str] = {viewer.reference_field: reference, viewer.acting_user_field: acting}
    return {field: text for field, text in found.items() if field and text}
