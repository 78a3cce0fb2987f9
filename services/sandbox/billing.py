"""Zoho Billing v1: the routes."""

from starlette.routing import Route

from services.sandbox import billed, plans, settings
from services.sandbox.desk import route

ROUTES: list[Route] = [
    route(method, path, work)
    for method, path, work in (
        ("GET", "/subscriptions", billed.many),
        ("POST", "/subscriptions", billed.create),
        ("GET", "/subscriptions/{id}", billed.one),
        ("PUT", "/subscriptions/{id}", billed.update),
        ("POST", "/subscriptions/{id}/cancel", billed.cancel),
        ("POST", "/subscriptions/{id}/reactivate", billed.reactivate),
        ("POST", "/subscriptions/{id}/postpone", billed.postpone),
        ("POST", "/subscriptions/{id}/reference", billed.set_reference),
        ("POST", "/subscriptions/{id}/salesperson", billed.set_salesperson),
        ("POST", "/subscriptions/{id}/autocollect", billed.set_auto_collect),
        ("POST", "/subscriptions/{id}/customfields", billed.set_custom_fields),
        ("POST", "/subscriptions/{id}/notes", billed.add_note),
        ("GET", "/subscriptions/{id}/recentactivities", billed.activities),
        ("GET", "/subscriptions/{id}/scheduledchanges", billed.scheduled_changes),
        ("GET", "/plans", plans.many("plans")),
        ("GET", "/plans/{id}", plans.one("plans")),
        ("GET", "/addons", plans.many("addons")),
        ("GET", "/addons/{id}", plans.one("addons")),
        ("GET", "/products", plans.many("products")),
        ("GET", "/products/{id}", plans.one("products")),
        ("GET", "/customers", plans.many("customers")),
        ("GET", "/customers/reference/{id}", plans.customer_of_crm),
        ("GET", "/customers/{id}", plans.one("customers")),
        ("GET", "/invoices", plans.invoices),
        ("GET", "/invoices/{id}", plans.invoice),
        ("GET", "/transactions", plans.transactions),
        ("GET", "/organizations", settings.organizations),
    )
]
