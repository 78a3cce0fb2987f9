"""The finance gateway: what wires schema, resolvers and services."""

VERSION = "0.1.0"
"""As in pyproject.toml."""
