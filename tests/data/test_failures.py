from __future__ import annotations

import traceback
from datetime import UTC, datetime

import pytest

from tradekit import CredentialsError, FixedClock, NoDataError, RateLimitError, SourceError
from tradekit.data._failures import Failures

NOW = FixedClock(datetime(2024, 3, 8, 18, tzinfo=UTC))


class Shop(Failures):
    name, clock, _timeout, _secrets = "shop", NOW, 4.0, ("hush-hush",)


@pytest.mark.parametrize(
    ("status", "said", "kind", "fault", "retryable"),
    [
        (401, "unauthorized.", CredentialsError, "credentials", False),
        (403, "forbidden.", CredentialsError, "credentials", False),
        (
            403,
            "subscription does not permit querying recent SIP data",
            CredentialsError,
            "entitlement",
            False,
        ),
        (
            403,
            "You do not have permission to access the IEX API",
            CredentialsError,
            "entitlement",
            False,
        ),
        (404, "Not found.", NoDataError, "unknown_symbol", False),
        (408, "", SourceError, "transient", True),
        (422, "unprocessable", SourceError, "unable", False),
        (429, "", RateLimitError, "rate_limit", True),
        (500, "", SourceError, "transient", True),
        (504, "", SourceError, "transient", True),
    ],
)
def test_a_status_is_sorted_by_whose_turn_it_is(status, said, kind, fault, retryable):
    error = Shop()._refusal(status, said, {}, "SPY")
    assert (type(error), error.fault, error.retryable) == (kind, fault, retryable)


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (ConnectionResetError("gone"), "transient"),
        (TimeoutError("late"), "transient"),
        (ImportError("no module"), "unable"),
        (ImportError(), "unable"),
        (ValueError("no json"), "bad_data"),
        (AttributeError("None has no items"), "bad_data"),
    ],
)
def test_what_a_client_raises_is_sorted_too(error, fault):
    failure = Shop()._failure(error, "SPY")
    assert (failure.fault, failure.source) == (fault, "shop")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "30"}, 30.0),
        ({"retry-after": "-1"}, 0.0),
        ({"Retry-After": "Fri, 08 Mar 2024 18:02:00 GMT"}, 120.0),
        ({"X-RateLimit-Reset": f"{NOW.at.timestamp() + 12:.0f}"}, 12.0),
        ({"Retry-After": "Fri Mar  8 18:02:00 2024"}, 120.0),  # HTTP's oldest date has no zone
        ({"X-RateLimit-Reset": f"{NOW.at.timestamp() * 1000 + 12_000:.0f}"}, 12.0),
        ({"X-RateLimit-Reset": f"{NOW.at.timestamp() - 1:.0f}"}, 0.0),
        ({"Retry-After": "86400"}, 86400.0),
        ({"Retry-After": "soon", "X-RateLimit-Reset": f"{NOW.at.timestamp() + 12:.0f}"}, 12.0),
        ({"Retry-After": "soon"}, None),
        ({}, None),
    ],
)
def test_how_long_to_wait_is_read_as_it_is_told(headers, seconds):
    assert Shop()._refusal(429, "", headers).retry_after == seconds


BEYOND = ["inf", "1e300", "1e15", "86401", "Sun, 10 Mar 2024 18:00:00 GMT"]
MEANINGLESS = ["nan", "-inf", "", "٣ days"]


def test_who_asks_for_more_than_a_day_is_left_alone_for_a_day():
    for told in BEYOND:
        assert Shop()._refusal(429, "", {"Retry-After": told}).retry_after == 86400
    for told in MEANINGLESS:
        assert Shop()._refusal(429, "", {"Retry-After": told}).retry_after is None


def test_a_window_that_ends_beyond_a_day_is_no_statement():
    for told in BEYOND + MEANINGLESS:
        assert Shop()._refusal(429, "", {"X-RateLimit-Reset": told}).retry_after is None


def test_a_server_that_is_busy_for_so_long_is_left_alone_for_so_long():
    busy = Shop()._refusal(503, "", {"Retry-After": "30"})
    assert (busy.fault, busy.retry_after) == ("rate_limit", 30)
    assert Shop()._refusal(503, "", {}).fault == "transient"


def failed(send):
    """What becomes of an error whose frames, and whose own cause, know a key."""
    try:
        try:
            send({"Authorization": "Token hush-hush"})
        except ConnectionError as error:
            raise OSError("the socket closed") from error
    except OSError as error:
        return Shop()._failure(error)


def told(failure):
    report = traceback.TracebackException.from_exception(failure, capture_locals=True)
    return f"{failure} {failure!r} {''.join(report.format())}"


def test_keys_are_in_no_frame():
    def send(headers):
        raise ConnectionError("reset by peer")

    failure = failed(send)
    assert isinstance(failure.__cause__.__cause__, ConnectionError)
    assert "hush-hush" not in told(failure)


def test_who_tells_keys_is_left_out():
    def send(headers):
        raise ConnectionError(f"{headers} were not wanted")

    failure = failed(send)
    assert failure.__cause__ is None
    assert "hush-hush" not in told(failure)


def test_what_was_waited_for_is_said():
    failure = Shop()._failure(TimeoutError("no answer within 6 s"))
    assert str(failure) == (
        "shop cannot be reached: expected an answer within 4 s, "
        "got TimeoutError: no answer within 6 s. "
        "Try: look at the network and its proxy; SimulatedSource needs none"
    )
