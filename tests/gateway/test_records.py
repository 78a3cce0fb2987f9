"""The copy as jobs and commands keep it."""

from datetime import timedelta

from gateway.wiring.recording import Recording, check, lines, rebuild
from services.policy import Product
from services.sandbox.faults import Fault
from tests.harness import Demo


async def test_a_job_goes_on_with_every_module_and_none_before_it_is_due(demo: Demo) -> None:
    async with demo.assembly() as (assembly, sandbox):
        copy = assembly.services.copy
        organization = (await assembly.services.directory.organizations())[0]
        async with assembly.jobs.open() as jobs:
            for source in copy.sources:
                await jobs.pull_soon(organization, source.module)
            await jobs.work_off()
        assert all(state.as_of for state in await copy.states(organization))
        sandbox.clear_calls()
        await Recording(copy).pull(organization, "plans")
        assert sandbox.calls(product="billing") == []
        await Recording(copy, factor=0).pull(organization, "plans")
        assert [call.path for call in sandbox.calls(product="billing")] == ["/billing/v1/plans"]


async def test_a_job_compares_the_copy_with_the_product_once_that_is_due(demo: Demo) -> None:
    async with demo.assembly() as (assembly, _sandbox):
        copy = assembly.services.copy
        organization = (await assembly.services.directory.organizations())[0]
        recording = Recording(copy, checked=timedelta(0))
        await recording.pull(organization, "plans")
        assert (await copy.state(organization, "plans")).checked_at is None
        await recording.pull(organization, "plans")
        assert (await copy.state(organization, "plans")).checked_at


async def test_why_a_module_cannot_be_copied_is_kept(demo: Demo) -> None:
    async with demo.assembly() as (assembly, sandbox):
        copy, recording = assembly.services.copy, Recording(assembly.services.copy)
        organization = (await assembly.services.directory.organizations())[0]
        sandbox.fault(Fault(path="/billing/v1/plans", kind="status", status=403))
        await recording.pull(organization, "plans")
        assert (await copy.state(organization, "plans")).last_error
        sandbox.clear_faults()
        await recording.pull(organization, "plans")
        assert (await copy.state(organization, "plans")).last_error is None


async def test_one_command_rebuilds_the_copy_and_another_finds_no_drift(demo: Demo) -> None:
    async with demo.assembly() as (assembly, sandbox):
        copy = assembly.services.copy
        organization = (await assembly.services.directory.organizations())[0]
        rebuilt = await rebuild(copy, organization)
        assert {state.module: state.rows > 0 for state in rebuilt} == dict.fromkeys(
            (source.module for source in copy.sources), True
        )
        checked = await check(copy, organization)
        assert {state.module: state.drift for state in checked if state.drift} == {}
        assert all(state.checked_at for state in checked)
        assert all("drift: none" in line for line in lines(await copy.states(organization)))
        owners = {call.email for call in sandbox.calls(product=Product.BILLING.lower())}
        assert owners == {"owner@demo.example"}
