"""A product that keeps failing is left alone for a while."""

from dataclasses import dataclass
from time import monotonic

from services.errors import UpstreamUnavailable
from services.upstream.budget import Key


@dataclass(slots=True)
class _State:
    failures: int = 0
    open_until: float = 0.0


class Circuits:
    """One circuit a product and organization.

    After `threshold` failures on end it opens for `rest` seconds; then one call tries, and the others are let through
    once that has worked.
    """

    def __init__(self, threshold: int = 5, rest: float = 5.0) -> None:
        self._threshold = threshold
        self._rest = rest
        self._states: dict[Key, _State] = {}

    def check(self, key: Key) -> None:
        """Raise `UpstreamUnavailable` while the circuit is open; the first to ask after its rest may try."""
        state = self._states.get(key)
        if state is None or state.failures < self._threshold:
            return
        now = monotonic()
        if now < state.open_until:
            raise UpstreamUnavailable(product=key[0], retryAfter=max(1, round(state.open_until - now)))
        state.open_until = now + self._rest

    def failed(self, key: Key) -> None:
        """A call found nobody, or an error of the server."""
        state = self._states.setdefault(key, _State())
        state.failures += 1
        if state.failures >= self._threshold:
            state.open_until = monotonic() + self._rest

    def worked(self, key: Key) -> None:
        """A call was answered."""
        if self._states:
            self._states.pop(key, None)
