"""Words from which companies, places and goods are named; all invented."""

from collections.abc import Iterator

from services.sandbox.words import words

FIRST = words("""Northwind Harbor Cedar Maple Granite Silver Juniper Meadow Copper Willow Amber Falcon Orchard Summit
    Lantern Birch Coral Prairie Slate Compass Thistle Beacon Aspen Marble""")
SECOND = words("""Bakery Foods Logistics Printing Textiles Furniture Optics Tools Gardens Ceramics Media Fitness Travel
    Pharmacy Plastics Engineering Coffee Books Roofing Electronics Catering Packaging Boats Toys""")
INDUSTRIES = ("Food", "Transport", "Manufacturing", "Retail", "Services", "Construction")
PLACES: dict[str, tuple[tuple[str, str, str], ...]] = {
    "DE": (
        ("Hamburg", "20095", "Germany"),
        ("Köln", "50667", "Germany"),
        ("Lyon", "69001", "France"),
        ("Gent", "9000", "Belgium"),
        ("Graz", "8010", "Austria"),
        ("Porto", "4000-001", "Portugal"),
    ),
    "US": (("Portland", "97201", "U.S.A."), ("Denver", "80202", "U.S.A."), ("Tucson", "85701", "U.S.A.")),
    "IN": (("Pune", "411001", "India"), ("Kochi", "682001", "India"), ("Jaipur", "302001", "India")),
}
DESKS = ("Purchasing", "Accounts Payable", "Facilities", "Operations", "Reception", "Finance")
GOODS = (
    ("Consulting hour", "120.00", "h", "service"),
    ("Installation", "450.00", "pcs", "service"),
    ("Annual maintenance", "1190.00", "yr", "service"),
    ("Training day", "980.00", "day", "service"),
    ("Workstation", "1349.90", "pcs", "goods"),
    ("Monitor 27 inch", "289.95", "pcs", "goods"),
    ("Docking station", "174.50", "pcs", "goods"),
    ("Network cable 5 m", "6.35", "pcs", "goods"),
    ("Label printer", "219.00", "pcs", "goods"),
    ("Paper, box of 5", "23.85", "box", "goods"),
    ("Office chair", "312.40", "pcs", "goods"),
    ("Standing desk", "645.00", "pcs", "goods"),
    ("Access control unit", "1875.75", "pcs", "goods"),
    ("Sensor kit", "88.888", "kit", "goods"),
    ("Freight", "74.99", "pcs", "service"),
    ("Data migration", "2750.00", "pcs", "service"),
)
REGIONS = ("North", "South", "East", "West")
SUBJECTS = ("Renewal", "Office move", "Spring order", "Spare parts", "New branch", "Framework contract", "")


def companies() -> Iterator[str]:
    """Every pair of words once, then once more with a number."""
    count = len(FIRST) * len(SECOND)
    number = 0
    while True:
        first, second = FIRST[(number * 7) % len(FIRST)], SECOND[(number * 5 + number // 24) % len(SECOND)]
        turn = number // count
        yield f"{first} {second}" if not turn else f"{first} {second} {turn + 1}"
        number += 1


def domain(company: str) -> str:
    return company.lower().replace(" ", "-") + ".example"
