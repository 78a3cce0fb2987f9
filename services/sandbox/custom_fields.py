"""The custom fields that every organization defines on its documents and subscriptions."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from services.sandbox.errors import refused

LABELS = {"cf_gateway_reference": "Gateway Reference", "cf_acting_user": "Acting User", "cf_region": "Region"}
MODULES = ("estimates", "invoices", "salesorders", "purchaseorders", "subscriptions")


@dataclass(frozen=True)
class Definition:
    customfield_id: str
    index: int
    api_name: str
    label: str

    def named_by(self, given: Mapping[str, Any]) -> bool:
        """By id, label, api_name or index, whichever stands there first."""
        for key, own in (
            ("customfield_id", self.customfield_id),
            ("api_name", self.api_name),
            ("label", self.label),
            ("index", str(self.index)),
        ):
            if given.get(key) not in (None, ""):
                return str(given[key]) == own
        return False

    def holding(self, value: str) -> dict[str, Any]:
        return {
            "field_id": self.customfield_id,
            "customfield_id": self.customfield_id,
            "index": self.index,
            "api_name": self.api_name,
            "label": self.label,
            "placeholder": self.api_name,
            "data_type": "string",
            "value": value,
            "value_formatted": value,
            "is_active": True,
            "show_on_pdf": False,
            "show_in_store": False,
            "show_in_portal": False,
            "edit_on_portal": False,
            "edit_on_store": False,
            "search_entity": module_entity(self.customfield_id),
            "is_dependent_field": False,
        }


def module_entity(customfield_id: str) -> str:
    module = MODULES[int(customfield_id[-5:-2])]
    return module.removesuffix("s")


def defined(organization_id: str, module: str) -> list[Definition]:
    first = MODULES.index(module) * 100 + 1
    return [
        Definition(f"{organization_id[:11]:0<11}{first + index:07d}", index + 1, api_name, label)
        for index, (api_name, label) in enumerate(LABELS.items())
    ]


def merged(organization_id: str, module: str, current: Iterable[Mapping[str, Any]], given: Any) -> list[dict[str, Any]]:
    """The fields with the given values in place of their old ones; raises Refusal for a field that is not defined."""
    values = {field["customfield_id"]: str(field["value"]) for field in current}
    definitions = defined(organization_id, module)
    for entry in given if isinstance(given, list) else ():
        definition = next((each for each in definitions if isinstance(entry, dict) and each.named_by(entry)), None)
        if definition is None:
            raise refused(2, "Invalid value passed for customfield_id")
        values[definition.customfield_id] = "" if entry.get("value") is None else str(entry["value"])
    return [each.holding(values[each.customfield_id]) for each in definitions if each.customfield_id in values]


def hashed(fields: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    pairs = [(field["api_name"], field["value"]) for field in fields]
    return {key: value for name, value in pairs for key in (name, f"{name}_unformatted")}
