"""Which modules faults are planted in, and where the tests are that have to notice them."""

from tests.mutation.session import Target

TARGETS = (
    Target(
        ("services/policy.py", "services/grants.py"), ("tests/services/test_policy.py", "tests/services/test_grants.py")
    ),
    Target(("services/outcomes.py",), ("tests/services/test_outcomes.py",)),
    Target(
        (
            "services/migration/states.py",
            "services/migration/plan.py",
            "services/migration/values.py",
            "services/migration/ledger.py",
            "services/migration/runs.py",
            "services/migration/moves.py",
            "services/migration/work.py",
            "services/migration/undo.py",
            "services/migration/closing.py",
            "services/migration/capabilities.py",
        ),
        ("tests/services/migration",),
    ),
)
