from __future__ import annotations

import dataclasses
import re
from abc import abstractmethod
from typing import ClassVar, final

import attrs
import pytest

from tradekit._core.doors import Author, Interface, answer_of, breach
from tradekit._core.errors import ContractError, UsageError


class Shop(Interface):
    _doors: ClassVar[dict[str, str]] = {"sell": "_sell"}
    _kit: ClassVar[str] = "check_shop"

    @final
    def sell(self):
        return self._sell()

    def _sell(self):
        return "bread"


class Swallows:
    def __init_subclass__(cls, **kwargs):
        """Says nothing to the next in line."""


class Sells:
    def sell(self):
        return "nothing"


@pytest.mark.parametrize("given", [((7,), {}), ((), {"clock": None})])
def test_what_nobody_would_keep_is_refused(given):
    with pytest.raises(UsageError, match="Shop takes nothing"):
        Shop(*given[0], **given[1])


def test_a_hook_may_be_written():
    class Bakery(Shop):
        def _sell(self):
            return "cake"

    assert Bakery().sell() == "cake"


def test_a_subclass_that_overrides_a_door_cannot_be_made():
    message = (
        "Thief overrides Shop.sell: expected sell to stay as it is: it checks what goes in and "
        "comes out, got another sell. Try: write _sell instead"
    )
    with pytest.raises(ContractError, match=f"^{re.escape(message)}$"):

        class Thief(Shop):
            def sell(self):
                return "air"


def test_a_mixin_in_front_that_overrides_a_door_is_named():
    with pytest.raises(ContractError, match=r"Thief overrides Shop\.sell through Sells"):

        class Thief(Sells, Shop):
            pass


def test_a_mixin_behind_changes_nothing():
    class Honest(Shop, Sells):
        pass

    assert Honest().sell() == "bread"


def test_a_mixin_behind_is_announced_to_as_well():
    class Registry:
        seen: ClassVar[list[str]] = []

        def __init_subclass__(cls, **kwargs):
            Registry.seen.append(cls.__name__)

    class Known(Shop, Registry):
        pass

    assert Registry.seen == ["Known"]


def test_an_instance_shows_its_class():
    assert repr(Shop()) == "Shop()"


def test_a_door_that_is_overridden_further_up_is_found_below():
    class Middle(Swallows, Shop):
        def sell(self):
            return "air"

    class Below(Middle):
        pass

    with pytest.raises(ContractError, match=r"Below overrides Shop\.sell through Middle"):
        Below()


def test_a_mixin_that_swallows_the_announcement_gains_no_instance():
    class Thief(Swallows, Shop):
        def sell(self):
            return "air"

    with pytest.raises(ContractError, match=r"Thief overrides Shop\.sell:"):
        Thief()


def test_a_class_that_is_patched_later_gains_no_instance():
    class Patched(Shop):
        pass

    Patched.sell = lambda self: "air"
    with pytest.raises(ContractError, match=r"Patched overrides Shop\.sell:"):
        Patched()


def test_a_list_of_doors_of_its_own_opens_no_door():
    with pytest.raises(ContractError, match=r"Forgetful overrides Shop\.sell"):

        class Forgetful(Shop):
            _doors: ClassVar[dict[str, str]] = {}

            def sell(self):
                return "air"


@pytest.mark.parametrize(
    "decorate",
    [
        attrs.frozen,
        attrs.frozen(slots=False),
        attrs.define,
        dataclasses.dataclass,
        dataclasses.dataclass(frozen=True),
        dataclasses.dataclass(slots=True),
    ],
)
def test_decorated_classes_keep_their_doors_and_their_own_repr(decorate):
    @decorate
    class Kiosk(Shop):
        size: int = 3

    assert Kiosk(4).sell() == "bread"
    assert repr(Kiosk(4)).endswith("Kiosk(size=4)")
    with pytest.raises(ContractError, match="overrides"):

        @decorate
        class Thief(Shop):
            size: int = 3

            def sell(self):
                return "air"


def test_a_class_may_stay_abstract_and_be_finished_below():
    class Half(Shop):
        @abstractmethod
        def _price(self): ...

        def _sell(self):
            return f"bread for {self._price()}"

    class Whole(Half):
        def _price(self):
            return 3

    assert Whole().sell() == "bread for 3"
    with pytest.raises(TypeError, match="abstract"):
        Half()


def test_an_author_signs_with_its_class_parameters_and_version():
    class Plain(Author):
        pass

    class Tuned(Author):
        version = "3"

        def __init__(self, period):
            self.period, self._seen = period, []

    @attrs.frozen
    class Frozen(Author):
        period: int = 14

    assert Plain()._signature == "Plain/1"
    assert Tuned(5)._signature == "Tuned(period=5)/3"
    assert Frozen(9)._signature.endswith("Frozen(period=9)/1")


def test_what_a_hook_raises_is_told_with_its_author_and_its_cause():
    def _sell():
        raise ZeroDivisionError("no flour")

    with pytest.raises(ContractError) as caught:
        answer_of(Shop(), "_sell", _sell)
    assert str(caught.value) == (
        "Shop: _sell raised: expected an answer, got ZeroDivisionError: no flour. "
        "Try: tradekit.testing.check_shop(...) tries it in every way"
    )
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert caught.value.author == "Shop"


def test_a_broken_contract_is_told_once():
    broken = breach(Shop(), "no stock", "bread", "none")
    with pytest.raises(ContractError) as caught:
        answer_of(Shop(), "_sell", _raiser(broken))
    assert caught.value is broken


def test_an_interruption_is_no_fault_of_a_hook():
    with pytest.raises(KeyboardInterrupt):
        answer_of(Shop(), "_sell", _raiser(KeyboardInterrupt()))


def test_a_hook_gets_its_arguments_and_gives_its_answer():
    assert answer_of(Shop(), "_sell", max, 1, 2) == 2


def _raiser(error):
    def hook():
        raise error

    return hook
