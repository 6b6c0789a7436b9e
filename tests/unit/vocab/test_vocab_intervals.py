"""Intervals against an oracle that decides day by day."""

from datetime import date
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from dure.vocab.intervals import FIRST_DAY, LAST_DAY, Span, by_precedence, first_day, last_day

DAYS = st.integers(0, 30)
OFFSET = date(2010, 1, 1).toordinal()


@st.composite
def layers(draw):
    found = []
    for layer in range(draw(st.integers(0, 4))):
        spans = []
        for number in range(draw(st.integers(0, 3))):
            start, end = sorted((draw(DAYS), draw(DAYS)))
            open_start, open_end = draw(st.booleans()), draw(st.booleans())
            spans.append(
                Span(
                    FIRST_DAY if open_start else OFFSET + start, LAST_DAY if open_end else OFFSET + end, (layer, number)
                )
            )
        found.append(spans)
    return found


@settings(deadline=None)
@given(layers(), st.sets(st.integers(OFFSET, OFFSET + 30), max_size=3))
def test_segments_cover_all_days_once_and_precedence_holds(given_layers, cuts):
    segments = by_precedence(given_layers, cuts)

    assert segments[0].start == FIRST_DAY and segments[-1].end == LAST_DAY
    assert all(one.end + 1 == other.start for one, other in pairwise(segments))
    for day in [FIRST_DAY, *range(OFFSET - 2, OFFSET + 34), LAST_DAY]:
        expected = next(
            (
                tuple(span.item for span in layer if span.start <= day <= span.end)
                for layer in given_layers
                if any(span.start <= day <= span.end for span in layer)
            ),
            (),
        )
        assert [segment.items for segment in segments if segment.start <= day <= segment.end] == [expected]
    assert cuts <= {segment.start for segment in segments}
    for one, other in pairwise(segments):
        assert one.items != other.items or other.start in cuts


def test_omop_s_markers_mean_unbounded():
    assert (first_day(date(1970, 1, 1)), last_day(date(2099, 12, 31))) == (FIRST_DAY, LAST_DAY)
    assert (first_day(None), last_day(None)) == (FIRST_DAY, LAST_DAY)
    assert first_day(date(1970, 1, 2)) == date(1970, 1, 2).toordinal()
    segment = by_precedence([])[0]
    assert (segment.start_date, segment.end_date, segment.items) == (None, None, ())
