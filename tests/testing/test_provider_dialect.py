from __future__ import annotations

import asyncio
import json
from types import MappingProxyType

import pytest

from tradekit.testing._provider_dialect import Asked, Dialect, Refused, reply


class Terse(Dialect):
    """Says nothing but what it must."""

    name, null = "terse", None
    refusals = MappingProxyType({401: {"detail": "who are you?"}})

    async def answer(self, asked, warp):
        raise Refused({"detail": asked.path}, 400)

    def serves_bars(self, asked):
        return False


def test_a_reply_is_json_and_a_text_stays_as_it_is():
    assert json.loads(reply({"a": [1, None]}).body) == {"a": [1, None]}
    assert reply("fake.crumb").body == "fake.crumb"


def test_numbers_that_json_does_not_have_are_not_sent():
    with pytest.raises(ValueError, match="not JSON compliant"):
        reply({"close": float("nan")})


def test_refusals_have_their_words_or_those_of_their_status():
    assert (Terse().refusal(401).status, Terse().refusal(401).body) == (
        401,
        '{"detail": "who are you?"}',
    )
    assert Terse().refusal(503).body == "Service Unavailable"
    assert Terse().limited().status == 429


def test_a_refusal_on_its_way_carries_its_reply():
    with pytest.raises(Refused) as caught:
        asyncio.run(Terse().answer(Asked("/x", {}, {}), lambda rows: rows))
    assert (caught.value.reply.status, caught.value.reply.body) == (400, '{"detail": "/x"}')
