"""Documents, parsed and validated once; the AST is shared, so that nodes keep their identity."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256

from graphql import (
    DirectiveNode,
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    OperationDefinitionNode,
    OperationType,
    VariableNode,
    parse,
    separate_operations,
    validate,
)
from graphql.execution.collect_fields import FragmentDetails
from graphql.validation import specified_rules
from strawberry import Schema
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from gateway.plans.arguments import descendants
from gateway.plans.program import Program
from gateway.plans.shape import Operation, Uncompiled

RULES = (*specified_rules, MaybeNullValidationRule, OneOfInputValidationRule)
"""As Strawberry validates."""
CONDITIONS = {"skip": False, "include": True}
"""The directives that decide what is selected, and the values under which everything is."""

TREE = 16
"""Characters of Python that take as much memory as what is parsed of one character of a document."""


@dataclass(slots=True)
class Counts:
    """How often an operation ran straight, was completed exactly, and ran on graphql-core from the start."""

    straight: int = 0
    exact: int = 0
    core: int = 0


@dataclass(eq=False)
class Prepared:
    """One operation of a document. `why` says why it runs on graphql-core; None where it has a program."""

    query: str
    name: str | None
    document: DocumentNode | None = None
    """None where it could not be parsed."""
    errors: list[GraphQLError] = field(default_factory=list)
    """Of validation."""
    program: Program | None = None
    why: str | None = None
    counts: Counts = field(default_factory=Counts)

    @property
    def runs(self) -> str:
        """`plan` or `graphql-core`."""
        return "plan" if self.program else "graphql-core"

    @property
    def weight(self) -> int:
        """The memory that it takes, in characters of Python."""
        return TREE * len(self.query) + (self.program.characters if self.program else 0)

    @cached_property
    def kind(self) -> str:
        """`query`, `mutation`, `subscription`, or `invalid` for what cannot be executed."""
        if self.document is None or self.errors:
            return "invalid"
        try:
            return _chosen(self.document, self.name).operation.value
        except Uncompiled:
            return "invalid"

    @cached_property
    def title(self) -> str | None:
        """The operation's name in the document."""
        try:
            name = _chosen(self.document, self.name).name if self.document else None
        except Uncompiled:
            return self.name
        return name.value if name else None

    @cached_property
    def digest(self) -> str:
        """The document's hash, for people."""
        return sha256(self.query.encode(errors="replace")).hexdigest()[:12]


def prepared(schema: Schema, query: str, name: str | None, variants: int, mistakes: int) -> Prepared:
    """Parse, validate and look through an operation; validation ends after so many mistakes."""
    made = Prepared(query, name)
    try:
        made.document = parse(query)
        definition = _chosen(made.document, name)
        made.errors = validate(schema._schema, made.document, RULES, max_errors=mistakes)  # noqa: SLF001
        if made.errors:
            made.why = "it is not valid"
        else:
            operation = Operation(schema._schema, definition, _fragments(made.document))  # noqa: SLF001
            made.program = Program(schema, operation, _flags(made.document, definition), variants)
    except (GraphQLError, RecursionError, Uncompiled) as error:
        made.why = str(error)
    return made


def _chosen(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    """The operation of that name; without one the first."""
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    named = [one for one in operations if name is None or (one.name and one.name.value == name)]
    if not named:
        raise Uncompiled("there is no such operation")
    return named[0]


def _fragments(document: DocumentNode) -> dict[str, FragmentDetails]:
    fragments = [node for node in document.definitions if isinstance(node, FragmentDefinitionNode)]
    if any(fragment.variable_definitions for fragment in fragments):
        raise Uncompiled("a fragment has variables")
    return {fragment.name.value: FragmentDetails(fragment) for fragment in fragments}


def _flags(document: DocumentNode, definition: OperationDefinitionNode) -> dict[str, bool]:
    """The operation's variables that stand in conditions; raises `Uncompiled` for other directives.

    Other operations of the document count for nothing: a variable of the same name can be of any type there.
    """
    if definition.operation is OperationType.SUBSCRIPTION:
        raise Uncompiled("it is live")
    own = {variable.variable.name.value for variable in definition.variable_definitions or ()}
    flags: dict[str, bool] = {}
    for directive in _directives(separate_operations(document)[definition.name.value if definition.name else ""]):
        name = directive.name.value
        if name not in CONDITIONS:
            raise Uncompiled(f"it uses @{name}")
        values = [argument.value for argument in directive.arguments or ()]
        flags |= {value.name.value: CONDITIONS[name] for value in values if isinstance(value, VariableNode)}
    return {name: value for name, value in flags.items() if name in own}


def _directives(document: DocumentNode) -> Iterator[DirectiveNode]:
    """All that stand on selections."""
    roots = [getattr(definition, "selection_set", None) for definition in document.definitions]
    nodes = (node for root in roots if root is not None for node in descendants(root))
    return (node for node in nodes if isinstance(node, DirectiveNode))
