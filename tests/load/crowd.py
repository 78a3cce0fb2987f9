"""People who ask again as soon as they are answered; who answered what, and when, is kept to be judged afterwards."""

import asyncio
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from random import Random
from time import monotonic, time

import uvloop

from tests.bench.load import Wrong, answered
from tests.load.people import Person
from tests.load.questions import Question


@dataclass
class Kept:
    """Answers one after the other; those alike share one body."""

    who: list[int] = field(default_factory=list)
    what: list[int] = field(default_factory=list)
    sent: "array[float]" = field(default_factory=lambda: array("d"))
    seconds: "array[float]" = field(default_factory=lambda: array("d"))
    body: list[bytes] = field(default_factory=list)
    bodies: dict[bytes, bytes] = field(default_factory=dict)
    """Digest → body."""
    broken: list[str] = field(default_factory=list)
    """Answers that were none."""

    def add(self, who: int, what: int, sent: float, seconds: float, body: bytes) -> None:
        """One more; `sent` in epoch seconds."""
        digest = blake2b(body, digest_size=16).digest()
        self.bodies.setdefault(digest, body)
        self.who.append(who)
        self.what.append(what)
        self.sent.append(sent)
        self.seconds.append(seconds)
        self.body.append(digest)


@dataclass(frozen=True)
class Crowd:
    """Everybody, signed in; `pauses`: about how many seconds each lets pass before asking again."""

    port: int
    people: Sequence[Person]
    headers: Sequence[str]
    questions: Sequence[Question]
    pauses: Sequence[float]

    def ask(self, seconds: float, *, seed: int) -> Kept:
        """Everything that is asked and answered in so many seconds, at random."""
        return uvloop.run(self._asked(seconds, seed))

    def ask_all(self) -> Kept:
        """Everybody who does not pause asks everything once: the first alone, the others together."""
        return uvloop.run(self._once())

    async def _asked(self, seconds: float, seed: int) -> Kept:
        kept, until = Kept(), monotonic() + seconds
        lanes = [self._lane(kept, who, until, Random(seed + who), self.pauses[who]) for who in range(len(self.people))]
        await asyncio.gather(*lanes)
        return kept

    async def _once(self) -> Kept:
        kept = Kept()
        first, *others = (who for who, pause in enumerate(self.pauses) if not pause)
        await self._through(kept, first)
        await asyncio.gather(*(self._through(kept, who) for who in others))
        return kept

    async def _lane(self, kept: Kept, who: int, until: float, chance: Random, pause: float) -> None:
        line = await asyncio.open_connection("127.0.0.1", self.port)
        requests = self._requests(who)
        while monotonic() < until:
            what = chance.randrange(len(requests))
            await self._one(kept, line, who, what, requests[what])
            if pause:
                line[1].close()
                await asyncio.sleep(pause * chance.uniform(0.5, 1.5))
                line = await asyncio.open_connection("127.0.0.1", self.port)
        line[1].close()

    async def _through(self, kept: Kept, who: int) -> None:
        line = await asyncio.open_connection("127.0.0.1", self.port)
        for what, request in enumerate(self._requests(who)):
            await self._one(kept, line, who, what, request)
        line[1].close()

    @staticmethod
    async def _one(
        kept: Kept,
        line: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        who: int,
        what: int,
        request: bytes,
    ) -> None:
        sent, began = time(), monotonic()
        line[1].write(request)
        try:
            body = await answered(line[0])
        except Wrong as error:
            kept.broken.append(str(error))
        else:
            kept.add(who, what, sent, monotonic() - began, body)

    def _requests(self, who: int) -> list[bytes]:
        head = (
            "POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"Accept: application/json\r\nAuthorization: {self.headers[who]}\r\nContent-Length: "
        )
        return [f"{head}{len(one.body)}\r\n\r\n".encode() + one.body for one in self.questions]
