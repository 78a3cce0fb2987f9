"""Which records an object type stands for."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class InstanceOf:
    """`is_type_of` for the records of a class: it looks at the class alone, so that it need be asked once for each."""

    record_class: type

    def __call__(self, record: Any, _info: Any) -> bool:
        """Tell it from the others of an interface or union."""
        return isinstance(record, self.record_class)
