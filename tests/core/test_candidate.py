from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from tradekit._core.candidate import Candidate
from tradekit._core.errors import UsageError

FACTS = {
    "symbol": "NVDA",
    "category": "trending",
    "rank": 1,
    "score": 3.2,
    "reason": "3.2 ATR above its mean",
    "source": "screen",
    "asof": datetime(2024, 3, 8, 21, tzinfo=UTC),
}


def test_a_candidate_says_why_and_since_when():
    found = Candidate(**FACTS)
    assert {name: getattr(found, name) for name in FACTS} == FACTS


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("rank", 0, "candidates are ranked: expected a whole number from 1, got 0"),
        ("rank", 1.5, "a whole number from 1, got 1.5"),
        ("score", float("nan"), "Candidate needs score: expected a finite number, got nan"),
        ("score", None, "Candidate needs score"),
        ("symbol", "", "a candidate is a symbol: expected its name, got ''"),
        ("asof", datetime(2024, 3, 8), "a time needs a zone"),  # noqa: DTZ001
    ],
)
def test_what_cannot_be_ranked_is_refused(name, value, sentence):
    with pytest.raises(UsageError, match=sentence):
        Candidate(**FACTS | {name: value})


def test_ranks_and_scores_may_come_out_of_a_frame():
    found = Candidate(**FACTS | {"rank": np.int64(2), "score": np.float64(0.5)})
    assert (found.rank, found.score) == (2, 0.5)


def test_the_moment_is_kept_in_utc():
    moment = datetime.fromisoformat("2024-03-08T16:00-05:00")
    assert str(Candidate(**FACTS | {"asof": moment}).asof) == "2024-03-08 21:00:00+00:00"
