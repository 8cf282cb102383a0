from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tradekit.data._coverage import Coverage

MOMENTS = st.integers(-20, 20)
WINDOWS = st.tuples(MOMENTS, MOMENTS).map(sorted).filter(lambda window: window[0] < window[1])
ANSWERS = st.lists(st.tuples(WINDOWS, st.integers(0, 3)), max_size=8)


def covering(answers):
    coverage = Coverage()
    for (start, end), dropped in answers:
        coverage = coverage.with_answer(start, end, dropped)
    return coverage


@given(ANSWERS, WINDOWS)
def test_it_is_a_set_of_moments(answers, window):
    known = {moment for each, _ in answers for moment in range(*each)}
    gaps = covering(answers).gaps(*window)
    assert [m for gap in gaps for m in range(*gap)] == [m for m in range(*window) if m not in known]


@given(ANSWERS)
def test_intervals_and_gaps_are_as_few_as_can_be(answers):
    coverage = covering(answers)
    for intervals in (coverage.intervals, coverage.gaps(-30, 30)):
        ends = [moment for interval in intervals for moment in interval]
        assert ends == sorted(set(ends))


@given(ANSWERS)
def test_what_is_written_is_read(answers):
    coverage = covering(answers)
    assert Coverage.from_json(coverage.to_json()) == coverage


def test_what_is_to_stay_apart_keeps_what_the_new_answer_does_not_cover():
    coverage = covering([((0, 10), 0), ((20, 30), 0)])
    apart = coverage.with_answer(5, 20, apart=[(0, 10), (20, 30)])
    assert apart.intervals == ((0, 5), (5, 20), (20, 30))
    assert apart.with_answer(0, 40).intervals == ((0, 40),)
    assert coverage.with_answer(5, 20, apart=[(20, 30)]).intervals == ((0, 20), (20, 30))
    inner = Coverage(((0, 30),)).with_answer(10, 20, apart=[(0, 30)])
    assert inner.intervals == ((0, 10), (10, 20), (20, 30))


@given(ANSWERS, WINDOWS)
def test_what_is_known_of_a_window_and_its_gaps_make_the_window(answers, window):
    coverage = covering(answers)
    parts = sorted([*coverage.within(*window), *coverage.gaps(*window)])
    assert [m for part in parts for m in range(*part)] == [*range(*window)]


def test_rows_that_were_dropped_count_where_their_answer_reaches():
    coverage = covering([((0, 10), 2), ((10, 20), 3)])
    assert coverage.intervals == ((0, 20),)
    assert [coverage.dropped_in(0, 5), coverage.dropped_in(5, 15), coverage.dropped_in(20, 30)] == [
        *(2, 5, 0),
    ]


def test_a_new_answer_forgets_what_older_ones_within_it_had_dropped():
    coverage = covering([((0, 10), 2), ((10, 20), 3)])
    assert coverage.with_answer(0, 10).dropped_in(0, 20) == 3
    assert coverage.with_answer(5, 20, 1).dropped_in(0, 20) == 2 + 1  # the 2 may lie before 5
    assert coverage.with_answer(-5, 25).dropped_in(-5, 25) == 0
