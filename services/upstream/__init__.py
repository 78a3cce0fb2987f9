"""The products behind the gateway: one client, and an adapter for each product."""
