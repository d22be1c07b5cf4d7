"""Why the service does not score what it was sent: a status of HTTP, a kind for the metrics, a sentence."""

from __future__ import annotations


class Refusal(Exception):  # noqa: N818 (it is an answer, not a fault)
    """A request that gets no verdict.

    Args:
        status: of HTTP.
        kind: what the metrics count it as.
        sentence: for people.
    """

    def __init__(self, status: int, kind: str, sentence: str) -> None:
        super().__init__(sentence)
        self.status, self.kind, self.sentence = status, kind, sentence


def malformed(why: str) -> Refusal:
    """The request is not what is asked for."""
    return Refusal(400, "malformed", f"expected one photo as the body, or as a file of a form, {why}.")


def too_slow(seconds: float) -> Refusal:
    """The request did not arrive in time."""
    return Refusal(408, "too_slow", f"expected the photo within {seconds:g} s; send it again.")


def too_large(found: str, limit: str) -> Refusal:
    """More bytes or pixels than the service takes."""
    return Refusal(413, "too_large", f"expected a photo of at most {limit}, got {found}; send a smaller one.")


def no_photo(why: str) -> Refusal:
    """Something that cannot be decoded."""
    return Refusal(422, "no_photo", f"expected a photo, but this {why}; send a JPEG, PNG, BMP, TIFF or WEBP.")


def busy(waiting: int) -> Refusal:
    """As many requests are in work as the service takes."""
    return Refusal(503, "busy", f"{waiting} requests are waiting already; send it again in a second.")


def broken() -> Refusal:
    """A fault of ours; the log of the service tells more."""
    return Refusal(500, "internal", "the service failed to score this photo; its log says why.")
