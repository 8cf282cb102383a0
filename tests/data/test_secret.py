from __future__ import annotations

import copy
import pickle

from tradekit.data._secret import Secret


def test_a_key_is_a_text_to_whoever_uses_it():
    key = Secret("hush-hush")
    assert key == "hush-hush"
    assert f"{key}" == "hush-hush"
    assert key.encode() == b"hush-hush"
    assert {key: 1}["hush-hush"] == 1


def test_a_key_is_not_shown():
    key = Secret("hush-hush")
    shown = f"{key!r} {[key]} { {'key': key} } {(key,)}"
    assert "hush-hush" not in shown
    for twin in (copy.deepcopy(key), pickle.loads(pickle.dumps(key))):
        assert twin == key
        assert repr(twin) == "***"


def test_no_key_stays_none():
    assert Secret.of(None) is None
    assert Secret.of("") == ""
    assert repr(Secret.of("hush-hush")) == "***"
