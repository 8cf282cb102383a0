from __future__ import annotations

from tradekit.execution import Broker, PaperBroker


def test_the_paper_broker_is_a_broker():
    assert isinstance(PaperBroker(), Broker)


def test_something_without_orders_is_none():
    assert not isinstance(object(), Broker)
