"""When refusals are a setting's fault, and what is told of their cause."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connector.core.events import FieldError, Reason, Reject
from connector.core.rejections import FEWEST, LENGTH, MOST, Window, cause


def window(verdicts: str) -> Window:
    """A window after verdicts, "x" for a refusal."""
    made = Window()
    for verdict in verdicts:
        made.refuse("why") if verdict == "x" else made.accept()
    return made


def test_twenty_that_are_half_break_it() -> None:
    """One refusal less, or one record more that was accepted, does not."""
    assert not window("x" * (FEWEST - 1)).broken
    assert window("x" * FEWEST).broken
    assert window("." * FEWEST + "x" * FEWEST).broken
    assert not window("." * (FEWEST + 1) + "x" * FEWEST).broken
    assert window(".x" * FEWEST).broken
    assert not window("..x" * 200).broken


def test_a_good_time_does_not_excuse_fifty_in_a_row() -> None:
    """However much was accepted before; from twenty on a refusal is doubtful, until good records outweigh."""
    good = "." * 3 * LENGTH
    assert not window(good + "x" * (FEWEST - 1)).doubtful
    doubtful = window(good + "x" * FEWEST)
    assert (doubtful.doubtful, doubtful.broken) == (True, False)
    assert not window(good + "x" * (MOST - 1)).broken
    assert window(good + "x" * MOST).broken
    assert window(good + "x" * FEWEST + "." * FEWEST).doubtful
    assert not window(good + "x" * FEWEST + "." * (FEWEST + 1)).doubtful


@given(st.text("x.", max_size=2 * LENGTH))
def test_only_the_last_five_hundred_count(verdicts: str) -> None:
    """The half is that of the last 500; and whatever is broken is doubtful, too."""
    made = window(verdicts)
    recent = verdicts[-LENGTH:]
    if recent.count("x") >= FEWEST and 2 * recent.count("x") >= len(recent):
        assert made.broken
    assert made.doubtful or not made.broken
    assert made.doubtful <= (verdicts.count("x") >= FEWEST)


def test_the_most_frequent_cause_is_told() -> None:
    """The causes of accepted records and of those that left the window are not among them."""
    made = Window()
    for each in ("a", "b", "b", "c"):
        made.refuse(each)
        made.accept()
    assert made.cause() == "b"
    for _ in range(LENGTH):
        made.accept()
    assert made.cause() == ""


def test_the_api_s_words_are_reduced_to_the_rule() -> None:
    """What may be a customer's is left out; an item's index, too, as each record has another."""
    words = "The value 'Ana Lópezé' of ana@example.com is not a valid email address (12 345)."
    reject = Reject(Reason.REJECTED, (FieldError("OrderItems[17].Email", words),))
    assert cause(reject) == "rejected: OrderItems[].Email The value … of … is not a valid email address …."
    assert cause(Reject(Reason.TOO_LARGE, ())) == "too_large"
    own = Reject(Reason.INVALID, (FieldError("Currency", "is a text; expected an ISO 4217 code"),))
    assert cause(own) == "invalid: Currency is a text; expected an ISO 4217 code."
