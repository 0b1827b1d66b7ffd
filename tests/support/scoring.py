"""Scores and rates a second time, written from the words of config/standards/README.md and
config/scoring.yaml in exact fractions; shares no code with the programs."""

import collections
import math
from fractions import Fraction

MILLION = 1_000_000
DIMENSIONS = ("expression", "wording", "proxemics", "appearance", "timing", "safety")
OUTCOMES = ("met", "partly_met", "not_met")  # what a mean can be made of
OWED = ("insufficient_evidence", "error")  # applied, but nobody knows

Judged = collections.namedtuple("Judged", "dimension weight shadow verdict degree")


def _share(judged):
    """Which part of the weight that applied has an outcome; None: nothing applied."""
    known = sum(one.weight for one in judged if one.verdict in OUTCOMES)
    applied = known + sum(one.weight for one in judged if one.verdict in OWED)
    return Fraction(known, applied) if applied else None


def _mean(judged, floor):
    """Weighted mean of the degrees in whole millionths; None: too little is known."""
    known = [one for one in judged if one.verdict in OUTCOMES]
    if not known or _share(judged) < floor:
        return None
    return math.floor(Fraction(sum(one.weight * one.degree for one in known),
                               sum(one.weight for one in known)))


def score(judged, floor, flat=False):
    """(overall, {dimension: score}, coverage) of one encounter in millionths; None: none.

    judged  the encounter's Judged, on trial or not
    floor   exact share of the weight that must have an outcome
    flat    all standards in one mean, instead of the mean of the dimensions'
    """
    counted = [one for one in judged if not one.shadow]
    dimensions = {name: _mean([one for one in counted if one.dimension == name], floor)
                  for name in DIMENSIONS}
    scored = [value for value in dimensions.values() if value is not None]
    share = _share(counted)
    overall = None
    if flat:
        overall = _mean(counted, floor)
    elif scored and share >= floor:
        overall = math.floor(Fraction(sum(scored), len(scored)))
    return overall, dimensions, None if share is None else math.floor(MILLION * share)
