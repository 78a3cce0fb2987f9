"""What an operation costs, told by the published text alone: the specification's rules on `@cost` and `@listSize`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLField,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    get_named_type,
    get_nullable_type,
    get_operation_ast,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    value_from_ast_untyped,
)
from graphql.execution.collect_fields import FieldDetails, FragmentDetails, collect_fields, collect_subfields
from graphql.execution.values import VariableValues, get_argument_values, get_variable_values

Fields = Sequence[FieldDetails]


@dataclass(frozen=True)
class Tally:
    """Counts the operations of one document."""

    schema: GraphQLSchema
    fragments: dict[str, FragmentDetails]
    variables: VariableValues
    operation: OperationDefinitionNode

    @property
    def points(self) -> int:
        """Of the whole operation."""
        root = self.schema.get_root_type(self.operation.operation)
        assert root
        found = collect_fields(self.schema, self.fragments, self.variables, root, self.operation)
        return sum(self._field(root, fields, {}) for fields in found.grouped_field_set.values())

    def _field(self, parent: GraphQLObjectType, fields: Fields, lengths: Mapping[str, int]) -> int:
        """A field of an object, whose `lengths` are those of its fields as far as it says them."""
        node = fields[0].node
        declared = parent.fields.get(node.name.value)
        if declared is None or is_leaf_type(get_named_type(declared.type)):
            return 0
        size = said(declared, "listSize")
        length = self._length(declared, fields, size)
        sized = size.get("sizedFields", ())
        each = self._object(get_named_type(declared.type), fields, dict.fromkeys(sized, length))
        weight = int(said(declared, "cost").get("weight", 1))
        times = lengths.get(
            node.name.value, 1 if sized or not is_list_type(get_nullable_type(declared.type)) else length
        )
        return times * (weight + each)

    def _length(self, declared: GraphQLField, fields: Fields, size: Mapping[str, Any]) -> int:
        given = get_argument_values(declared, fields[0].node, self.variables)
        slices = (given.get(name) for name in size.get("slicingArguments", ()))
        lengths = [len(one) if isinstance(one, list) else max(one, 0) for one in slices if one is not None]
        return max(lengths, default=size.get("assumedSize", 1))

    def _object(self, named: Any, fields: Fields, lengths: Mapping[str, int]) -> int:
        """What is selected of an object; of the types that it may have the dearest."""
        if is_abstract_type(named):
            return max(self._object(one, fields, lengths) for one in self.schema.get_possible_types(named))
        found = collect_subfields(self.schema, self.fragments, self.variables, self.operation, named, [*fields])
        return sum(self._field(named, below, lengths) for below in found.grouped_field_set.values())


def said(declared: GraphQLField, directive: str) -> Mapping[str, Any]:
    """The arguments of a directive on a field of a schema made from its text; empty where there is none."""
    applied = (
        [one for one in declared.ast_node.directives or () if one.name.value == directive] if declared.ast_node else []
    )
    return {one.name.value: value_from_ast_untyped(one.value) for node in applied for one in node.arguments or ()}


def tally(schema: GraphQLSchema, document: DocumentNode, variables: Mapping[str, Any]) -> int | None:
    """The points of a document's only operation; None when the variables are not what it takes."""
    operation = get_operation_ast(document)
    assert operation
    values = get_variable_values(schema, operation.variable_definitions or (), dict(variables))
    fragments = {
        one.name.value: FragmentDetails(one) for one in document.definitions if isinstance(one, FragmentDefinitionNode)
    }
    try:
        return Tally(schema, fragments, values, operation).points if isinstance(values, VariableValues) else None
    except GraphQLError:
        return None
