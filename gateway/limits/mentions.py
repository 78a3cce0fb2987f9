"""What is written in a document wherever it stands: directives and values."""

from dataclasses import dataclass
from typing import Any

from graphql import DocumentNode, ListValueNode, Node, ObjectValueNode, ValueNode


@dataclass(slots=True)
class Mentions:
    """How often they are."""

    directives: int = 0
    values: int = 0
    """Literals and variables: lists and objects count, and each of what is in them."""
    entries: int = 0
    """Of the largest object."""

    def value(self, node: ValueNode | None) -> None:
        """Count a value with all that is in it."""
        waiting = [] if node is None else [node]
        while waiting:
            one = waiting.pop()
            self.values += 1
            if isinstance(one, ListValueNode):
                waiting += one.values
            elif isinstance(one, ObjectValueNode):
                waiting += [field.value for field in one.fields]
                self.entries = max(self.entries, len(one.fields))

    def around(self, node: Node) -> None:
        """Count the directives of a node, and the values of its arguments and theirs."""
        directives = getattr(node, "directives", None) or ()
        self.directives += len(directives)
        for one in (node, *directives):
            for argument in getattr(one, "arguments", None) or ():
                self.value(getattr(argument, "value", None))


def mentioned(document: DocumentNode) -> Mentions:
    """Count; of definitions that are not executed, which are refused, only what stands on themselves."""
    mentions, waiting = Mentions(), list[Any](document.definitions)
    while waiting:
        node = waiting.pop()
        mentions.around(node)
        inner = getattr(node, "selection_set", None)
        if inner is not None:
            waiting += inner.selections
        for variable in getattr(node, "variable_definitions", None) or ():
            mentions.value(variable.variable)
            mentions.value(variable.default_value)
            mentions.around(variable)
    return mentions
