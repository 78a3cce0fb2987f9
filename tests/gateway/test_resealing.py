import asyncio
import base64

from tests.gateway.test_commands import command
from tests.harness import Gateway

NEW, STRANGE = (base64.b64encode(letter * 32).decode() for letter in (b"n", b"s"))


async def test_tokens_are_sealed_anew_and_then_need_no_older_key(
    own_gateway: Gateway,
) -> None:
    environment = own_gateway.environment()
    old = environment["GATEWAY_SEALING_KEYS"]

    async def resealed(keys: str) -> tuple[int, str]:
        done = await asyncio.to_thread(command, "reseal", **{**environment, "GATEWAY_SEALING_KEYS": keys})
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout.split(" ")[0] or done.stderr

    status, changed = await resealed(f"{NEW},{old}")
    assert status == 0
    assert int(changed) > 0
    assert await resealed(f"{NEW},{old}") == (0, "0")
    assert await resealed(NEW) == (0, "0")
    status, told = await resealed(STRANGE)
    assert status == 1
    assert "put the earlier key back" in told
