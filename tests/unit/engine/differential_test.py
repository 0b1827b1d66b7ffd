#!/usr/bin/env python3
"""The engine against a second, slow, obvious implementation on random encounters: every statistic,
standards of several checks, and their excuses.

Time is cut into single milliseconds and every one is looked at by itself; fractions are exact.
usage: differential_test.py DRIVER [CASES [SEED]]
"""

import math
import os
import random
import subprocess
import sys
from collections import Counter
from fractions import Fraction

T0 = 1700000000000
NONE, OPEN_LEAST, OPEN_MOST = -(2**63), -(2**63), 2**63 - 1
INFINITE = Fraction(10**30)
(DURATION, MEAN, MIN, MAX, QUANTILE, SHARE, LONGEST, COUNT, RATE, FIRST, LAST) = range(11)
WAITING, OPENING, SERVICE, CLOSING, SPAN = range(5)
ISSUED, CALLED, STARTED, EVENT, ENDED = range(5)
NORMAL, ABANDONED = 1, 4
AUTO_FAIL = 2
FIGURE, ALL, ANY, NOT = range(4)
KINDS = ("figure", "all", "any", "not")
PARTS_MOST, CHECKS_MOST = 8, 24
VERDICTS = ("met", "partly_met", "not_met", "not_applicable", "excused", "insufficient_evidence", "error")
STEP = {DURATION: 1e-3, MEAN: 0.5, MIN: 0.5, MAX: 0.5, QUANTILE: 0.5, SHARE: 1e-4, LONGEST: 1e-3,
        COUNT: 1, RATE: 1e-6, FIRST: 1e-3, LAST: 1e-3}


# ---- random cases

def random_bounds(r, low, high):
    a, b = sorted((r.randint(low, high), r.randint(low, high)))
    return r.choice([(a, OPEN_MOST), (OPEN_LEAST, b), (a, b)])


def random_anchor(r, statistic):
    kinds = [ISSUED, CALLED, STARTED, EVENT, EVENT, ENDED]
    kind = r.choice([k for k in kinds if k != EVENT] if statistic == DURATION else kinds)
    return {"kind": kind, "offset": r.choice([0, 0, r.randint(-12, 12)]), "last": r.randrange(2),
            "own": r.randrange(2), "labels": r.sample(range(6), r.randrange(3))}


def random_spans(r):
    if r.random() < 0.5:
        return [(T0 - 10, T0 + 60)]
    spans, at = [], T0 + r.randint(-5, 5)
    while r.random() < 0.75 and len(spans) < 8:
        to = at + r.randint(1, 25)
        spans.append((at, to))
        at = to + r.randint(1, 8)
    return spans


def random_members(r, events, counts):
    members = set()
    for _ in range(r.choice(counts)):
        value = r.randrange(6) if events else r.randint(-9, 9)
        confidence = r.choice([100, 100, 90, 60, 50, 49, 20, 0])
        members.add((T0 + r.randint(-8, 48), value, confidence))
    members = list(members)
    r.shuffle(members)  # order among equal times must not matter
    return sorted(members, key=lambda m: m[0])


def random_figure(r, s, events, other=0):
    """What statistic s asks of the first series, or of the other one; `events`: the first one's kind."""
    c = {"other_series": other, "statistic": s, "phase": r.randrange(5)}
    if s == DURATION and r.random() < 0.3:
        c["phase"] = WAITING  # which a client may give up
    of_events = other or events
    c["anchors"] = sorted((random_anchor(r, s) for _ in range(2)), key=lambda one: one["kind"])
    c["percent"] = r.choice([1, 10, 25, 50, 75, 90, 99])
    c["band"] = random_bounds(r, -8, 8)
    c["uncertainty"] = 0 if of_events else r.choice([0, 0, 1, 2, 5])
    c["labels"] = r.sample(range(4), r.randrange(3)) if of_events else []
    for anchor in c["anchors"]:
        anchor["own"] &= events
    reach = {SHARE: 10**6, COUNT: 6, RATE: 2 * 10**10}.get(s, 40)
    c["bound"] = random_bounds(r, -8 if s in (MEAN, MIN, MAX, QUANTILE) else 0,
                               8 if s in (MEAN, MIN, MAX, QUANTILE) else reach)
    c["coverage"] = r.choice([0, 100000, 333333, 500000, 800000, 1000000])
    c["confidence"] = r.choice([0, 30, 50, 90])
    c["gap"] = r.choice([1, 3, 10, 100])
    c["degree"] = []
    if r.random() < 0.4:
        ats = sorted(r.sample(range(-8, 40) if s not in (SHARE, RATE) else range(0, reach, 7919),
                              r.randint(2, 5)))
        c["degree"] = [(a, r.choice([0, 250000, 333333, 1000000])) for a in ats]
    return c


def random_tree(r, parts, room, depth=3):
    """(kind, inner ones...) or (FIGURE, part), of at most so many checks."""
    if depth == 0 or room < 4 or r.random() < 0.25:
        return FIGURE, r.randrange(parts)
    if r.random() < 0.3:
        return NOT, random_tree(r, parts, room - 1, depth - 1)
    inner = r.randint(1, 3)
    return r.choice([ALL, ANY]), *(random_tree(r, parts, (room - 1) // inner, depth - 1)
                                   for _ in range(inner))


def add_checks(r, c):
    """Several checks instead of a figure, or excuses, or both."""
    for _ in range(r.randint(1, 4)):
        other = int(r.random() < 0.3)
        kinds = [COUNT, RATE, FIRST, LAST] if other or c["events"] else \
            [MEAN, MIN, MAX, QUANTILE, SHARE, LONGEST, FIRST, LAST]
        c["parts"].append(random_figure(r, r.choice([DURATION] * 4 + 2 * kinds), c["events"], other))
        if r.random() < 0.5:  # as they mostly are: of one phase, with one kind of evidence
            for key in ("phase", "anchors", "coverage", "confidence", "gap"):
                if key != "anchors" or DURATION not in (c["figure"]["statistic"], c["parts"][-1]["statistic"]):
                    c["parts"][-1][key] = c["figure"][key]
    def tree():
        return random_tree(r, len(c["parts"]), CHECKS_MOST)
    if r.random() < 0.8:
        c["checks"] = tree()
    if not c["checks"] or r.random() < 0.4:
        c["excuses"] = [tree() for _ in range(r.randint(1, 3))]


def random_case(r):
    s = r.randrange(11)
    events = int(s in (COUNT, RATE) or (s in (FIRST, LAST) and r.random() < 0.5))
    c = {"events": events, "severity": r.choice([0, 0, 1, 2]), "figure": random_figure(r, s, events),
         "parts": [], "checks": None, "excuses": []}
    if r.random() < 0.4:
        add_checks(r, c)

    times = [T0 + t for t in sorted(r.randint(0, 40) for _ in range(4))]
    for i in range(4):
        if r.random() < 0.05:
            times[i] = NONE
    if r.random() < 0.02:
        r.shuffle(times)
    c["times"] = times
    c["outcome"] = NORMAL
    if r.random() < (0.2 if c["parts"] else 0.1):
        c["outcome"] = ABANDONED
        if r.random() < 0.7:
            times[2] = NONE
    c["clock_error"], c["times_error"] = r.choice([0, 0, 1, 3]), r.choice([0, 0, 2, 7])
    c["opening"], c["closing"] = r.choice([5, 10, 100]), r.choice([5, 10, 100])
    c["series"] = [random_series(r, events, [0, 1, 2, 5, 12, 40, 80]),
                   random_series(r, 1, [0, 1, 2, 5, 12])]
    if not events and r.random() < 0.15:
        make_unbroken(r, c)
    return c


def random_series(r, events, counts):
    return {"events": events, "series_error": r.choice([0, 0, 1, 4]),
            "has_series": int(r.random() < 0.95), "spans": random_spans(r),
            "members": random_members(r, events, counts)}


def make_unbroken(r, c):
    """Many samples without a break: what the engine looks at by blocks."""
    length = r.choice([40, 100, 200])
    if NONE not in c["times"]:
        c["times"] = [T0 + t for t in sorted(r.randint(0, length) for _ in range(4))]
    for one in (c["figure"], *c["parts"]):
        one["gap"] = r.choice([3, 100])
    spans, members = [(T0 - r.randint(15, 30), T0 + length + r.randint(-20, 30))], []
    c["series"][0].update(spans=spans, members=members)
    at, value = spans[0][0] + r.randint(-1, 30), r.randint(-9, 9)
    while at < spans[0][1] - r.randint(-1, 10) and len(members) < 250:
        members.append((at, value, 100))
        at += r.choice([1, 1, 1, 2, 3])
        if r.random() < 0.3:
            value = max(-9, min(9, value + r.randint(-6, 6)))


def figure_line(c):
    out = [c["other_series"], c["statistic"], c["phase"]]
    for one in c["anchors"]:
        out += [one["kind"], one["offset"], one["last"], one["own"], len(one["labels"]),
                *one["labels"]]
    out += [c["percent"], *c["band"], c["uncertainty"], len(c["labels"]), *c["labels"],
            *c["bound"], c["coverage"], c["confidence"], c["gap"], len(c["degree"])]
    return out + [x for point in c["degree"] for x in point]


def checks_line(tree):
    """Each check, then those inside it: (kind, size, part)."""
    if tree[0] == FIGURE:
        return [(FIGURE, 1, tree[1])]
    inner = [check for one in tree[1:] for check in checks_line(one)]
    return [(tree[0], 1 + len(inner), 0), *inner]


def line_of(c):
    out = [c["events"], c["severity"], *figure_line(c["figure"]), len(c["parts"])]
    out += [x for part in c["parts"] for x in figure_line(part)]
    trees = [checks_line(tree) if tree else [] for tree in (c["checks"], *c["excuses"])]
    assert max(map(len, trees)) <= CHECKS_MOST
    for i, checks in enumerate(trees):
        out += [len(checks)] + [x for check in checks for x in check]
        out += [len(c["excuses"])] if i == 0 else []
    out += [*c["times"], c["outcome"], c["clock_error"], c["times_error"], c["opening"],
            c["closing"]]
    for series in c["series"]:
        out += [series["has_series"], series["series_error"], len(series["spans"])]
        out += [x for span in series["spans"] for x in span]
        out.append(len(series["members"]))
        out += [x for member in series["members"] for x in member]
    return " ".join(map(str, out))


# ---- the obvious implementation

def chosen(events, anchor, service):
    """The first or last of the events in the service."""
    inside = [t for t in events if service[0] <= t < service[1]]
    return (max(inside) if anchor["last"] else min(inside)) if inside else None


def time_of(c, anchor):
    """As event_of, of a time of the encounter."""
    at = c["times"][anchor["kind"] - (anchor["kind"] > EVENT)]
    return None if at == NONE else (at, False, None)


def event_of(c, anchor):
    """(when it was, whether it may be another one, why it is not known); None: not applicable"""
    service = (c["times"][2], c["times"][3])
    if NONE in service or service[0] == service[1]:
        return None
    series = c["series"][0 if anchor["own"] else 1]
    if not series["has_series"]:
        return None, False, ("no_sensor", 0)
    events = [t for t, label, confidence in series["members"] if confidence >= c["confidence"]
              and (not anchor["labels"] or label in anchor["labels"])]
    at = chosen(events, anchor, service)
    error = c["clock_error"] + series["series_error"]
    choices = set()
    for d in range(-error, error + 1):  # what if the clock is wrong by so much
        there = chosen([t + d for t in events], anchor, service)
        choices.add(None if there is None else there - d)
    stretch = range(*service) if at is None else \
        range(at, service[1]) if anchor["last"] else range(service[0], at)
    watched = sum(any(a <= ms < b for a, b in series["spans"]) for ms in stretch)
    unseen = None
    if stretch and watched == 0:
        unseen = ("no_sensor", 0)
    elif stretch and Fraction(watched, len(stretch)) < Fraction(c["coverage"], 10**6):
        unseen = ("coverage", 10**6 * watched // len(stretch))
    if at is None and not unseen:
        return None
    return at, len(choices) > 1, unseen


def phase_of(c):
    issued, called, started, ended = c["times"]
    if c["phase"] == WAITING:
        a, b = issued, started
    elif c["phase"] == SPAN:
        if None in c["anchored"] or ended == NONE:
            return None
        a, b = [at for at, _, _ in c["anchored"]]
        a = max(a + c["anchors"][0]["offset"], min(t for t in c["times"] if t != NONE))
        b = min(b + c["anchors"][1]["offset"], ended)
    else:
        a, b = started, ended
        if NONE in (a, b):
            return None
        if c["phase"] == OPENING:
            b = min(b, a + c["opening"])
        if c["phase"] == CLOSING:
            a = max(a, b - c["closing"])
    return None if NONE in (a, b) or a > b else (a, b)


def usable_of(c):
    members = [m for m in c["members"] if m[2] >= c["confidence"]]
    if c["events"]:
        return [m for m in members if not c["labels"] or m[1] in c["labels"]]
    speaking = {}
    for t, value, confidence in members:
        speaking[t] = min(speaking.get(t, (0, 0)), (-confidence, value)) \
            if t in speaking else (-confidence, value)
    return [(t, speaking[t][1], -speaking[t][0]) for t in sorted(speaking)]


def held_values(c, usable, phase):
    """For each covered millisecond of the phase the value that speaks for it."""
    held = {}
    for ms in range(*phase):
        if not any(a <= ms < b for a, b in c["spans"]):
            continue
        if c["events"]:
            held[ms] = None
            continue
        before = [m for m in usable if m[0] <= ms]
        if before and ms < before[-1][0] + c["gap"]:
            held[ms] = before[-1][1]
    return held


def in_band(band, value):
    return band[0] <= value <= band[1]


def could_be(band, value, u, every):
    """The value, moved by at most u, lies in the band: for some move, or for every one."""
    moves = [in_band(band, value + d) for d in range(-u, u + 1)]
    return all(moves) if every else any(moves)


def longest_run(held, phase, outside):
    best, run, where, start = 0, 0, None, None
    for ms in range(phase[0], phase[1] + 1):
        if ms in held and outside(held[ms]):
            start = ms if run == 0 else start
            run += 1
            if run > best:
                best, where = run, (start, start + run)
        else:
            run = 0
    return best, where


def figures_of(c, usable, held, phase):
    """(measured, low, high) in steps, or None without a sample."""
    s, u, band = c["statistic"], c["uncertainty"], c["band"]
    inside = [m for m in usable if phase[0] <= m[0] < phase[1]]
    told = [c["clock_error"]]  # by whom the ends of the phase were told
    if c["phase"] == SPAN:
        told += [c["series"][0 if one["own"] else 1]["series_error"] for one in c["anchors"]
                 if one["kind"] == EVENT]
    error = c["times_error"] if s == DURATION else max(told) + c["series_error"]
    if s == DURATION:
        length = phase[1] - phase[0]
        return Fraction(length), Fraction(max(0, length - error)), Fraction(length + error)
    wide, narrow = (phase[0] - error, phase[1] + error), (phase[0] + error, phase[1] - error)
    if s in (MEAN, MIN, MAX, QUANTILE):
        def figure(values):
            values = sorted(values)
            return {MEAN: lambda: Fraction(sum(values), len(values)),
                    MIN: lambda: Fraction(values[0]), MAX: lambda: Fraction(values[-1]),
                    QUANTILE: lambda: Fraction(
                        values[math.ceil(Fraction(c["percent"], 100) * len(values)) - 1])}[s]()
        if not inside:
            return None
        sure = [m[1] for m in usable if narrow[0] <= m[0] < narrow[1]]
        maybe = sorted(m[1] for m in usable if wide[0] <= m[0] < wide[1]
                       and not narrow[0] <= m[0] < narrow[1])
        # which of them belong: the lowest or highest few, however many
        low = [figure(sure + maybe[:k]) for k in range(len(maybe) + 1) if sure or (k and s == MIN)]
        high = [figure(sure + maybe[k:]) for k in range(len(maybe) + 1)
                if sure or (k < len(maybe) and s == MAX)]
        return (figure([m[1] for m in inside]), min(low) - u if low else None,
                max(high) + u if high else None)
    if s == SHARE:
        def inside_outside(span, test):
            held_there = held_values(c, usable, span).values()
            return sum(test(v) for v in held_there), sum(not test(v) for v in held_there)

        def share(a, b):
            return Fraction(10**6 * a, a + b) if a + b else None
        certainly, perhaps = (lambda v: could_be(band, v, u, True),
                              lambda v: could_be(band, v, u, False))
        return (share(*inside_outside(phase, lambda v: in_band(band, v))),
                share(inside_outside(narrow, certainly)[0], inside_outside(wide, certainly)[1]),
                share(inside_outside(wide, perhaps)[0], inside_outside(narrow, perhaps)[1]))
    if s == LONGEST:
        return tuple(
            Fraction(longest_run(held_values(c, usable, span), span, lambda v: not test(v))[0])
            for span, test in ((phase, lambda v: in_band(band, v)),
                               (narrow, lambda v: could_be(band, v, u, False)),
                               (wide, lambda v: could_be(band, v, u, True))))
    if s in (COUNT, RATE):
        surely = sum(phase[0] + error <= m[0] < phase[1] - error for m in usable)
        maybe = sum(phase[0] - error <= m[0] < phase[1] + error for m in usable)
        scale = Fraction(60000 * 10**6, len(held)) if s == RATE else 1
        return len(inside) * scale, surely * scale, maybe * scale

    def distance(m, moved):
        return max(0, (m[0] - phase[0] if s == FIRST else phase[1] - m[0]) + moved)

    def hits(margin, every):
        return [m for m in usable if phase[0] - margin <= m[0] < phase[1] + margin and
                (c["events"] or could_be(band, m[1], u, every))]
    plain = [m for m in inside if c["events"] or in_band(band, m[1])]
    pick = (lambda ms, moved: Fraction(distance((ms[0] if s == FIRST else ms[-1]), moved))
            if ms else INFINITE)
    return pick(plain, 0), pick(hits(error, False), -error), pick(hits(-error, True), error)


def degree_of(c, measured):
    points = c["degree"]
    if not points or measured == INFINITE:
        return 0
    if measured <= points[0][0]:
        return points[0][1]
    for (a, y), (b, z) in zip(points, points[1:]):
        if measured <= b:
            return math.floor(y + (z - y) * (measured - a) / (b - a))
    return points[-1][1]


def given_up(c):
    """The wait of a client who left unserved, up to then; None if it is not such a case."""
    to_started = c["phase"] == WAITING or (c["phase"] == SPAN and c["anchors"][1]["kind"] == STARTED)
    if c["outcome"] != ABANDONED or c["times"][2] != NONE or c["statistic"] != DURATION or \
            not to_started:
        return None
    waited = dict(c, times=c["times"][:2] + [c["times"][3]] * 2)
    waited["anchored"] = [time_of(waited, one) for one in c["anchors"]]
    return phase_of(waited)


def expected_given_up(c, phase, denied):
    nan, (least, most) = float("nan"), c["bound"]
    length, step = phase[1] - phase[0], STEP[DURATION]
    if most == OPEN_MOST:
        return ["not_applicable", "left_early", length * step, nan, -1, -1, NONE, NONE, 0]
    said = [length * step, most * step]
    if length <= most:
        return ["not_applicable", "left_early", *said, -1, -1, NONE, NONE, 0]
    if length - c["times_error"] <= most and not denied:
        return ["insufficient_evidence", "guard_band", *said, 10**6, -1, *phase, 0]
    return ["not_met", "gave_up", *said, 10**6, 0, *phase, 0]


def expected(c):
    """As found, unless an excuse holds; what is not met of a standard so grave (auto_fail) a person
    has yet to confirm."""
    want = whole(c, c["checks"]) if c["checks"] else found(view(c, c["figure"]))
    if want[0] in ("not_met", "partly_met") and \
            any(whole(c, tree)[0] == "met" for tree in c["excuses"]):
        want[0], want[1], want[5] = "excused", "excuse", -1
    if want[0] == "not_met" and c["severity"] == AUTO_FAIL:
        want[1] = "unconfirmed"
    return want


def view(c, figure):
    """The case as one figure sees it."""
    return {**c, **figure, **c["series"][figure["other_series"]]}


STRENGTH = {ALL: ["not_met", "error", "insufficient_evidence", "partly_met", "met", "not_applicable"],
            ANY: ["met", "error", "insufficient_evidence", "partly_met", "not_met", "not_applicable"]}
OPPOSITE = {"met": "not_met", "not_met": "met"}


def spoken(c, tree, denied=False):
    """(verdict, degree, what the figure that speaks has found, whether nots turn it around). A not
    turns what is inside it around, whatever it is; `denied`: an odd number of them is around."""
    if tree[0] == FIGURE:
        record = found(view(c, c["parts"][tree[1]]), denied)
        return record[0], record[5], record, denied
    if tree[0] == NOT:
        verdict, degree, record, turned = spoken(c, tree[1], not denied)
        return OPPOSITE.get(verdict, verdict), degree if degree < 0 else 10**6 - degree, record, turned

    def strength(one):  # a lower degree is stronger in `all`, a higher one in `any`
        return STRENGTH[tree[0]].index(one[0]), one[1] if tree[0] == ALL else -one[1]
    return min((spoken(c, inner, denied) for inner in tree[1:]), key=strength)  # the first of equals


def whole(c, tree):
    """As found, of all checks together: what the one that speaks has found, with their verdict."""
    verdict, degree, record, turned = spoken(c, tree)
    if turned:
        record = list(record)
        if degree >= 0:
            record[1] = "held" if verdict == "met" else "violated"
        if verdict not in ("not_met", "partly_met") and record[1] != "guard_band":
            record[6:8] = [NONE, NONE]
    return [verdict, *record[1:5], degree, *record[6:]]


def found(c, denied=False):
    """[verdict, reason, measured, limit, coverage, degree, worst from, worst to, points]; `denied`: of
    a bound that must not hold, so that doubt speaks against it."""
    nan, nothing = float("nan"), [NONE, NONE]
    known = [t for t in c["times"] if t != NONE]
    if known != sorted(known):
        return ["error", "bad_data", nan, nan, -1, -1, *nothing, 0]
    waited = given_up(c)
    if waited:
        return expected_given_up(c, waited, denied)
    doubtful = False
    if c["phase"] == SPAN:
        c["anchored"] = [event_of(c, one) if one["kind"] == EVENT else time_of(c, one)
                         for one in c["anchors"]]
        if None in c["anchored"]:
            return ["not_applicable", "phase_missing", nan, nan, -1, -1, *nothing, 0]
        for _, _, unseen in c["anchored"]:
            if unseen:
                return ["insufficient_evidence", unseen[0], nan, nan, unseen[1], -1, *nothing, 0]
        doubtful = any(event[1] for event in c["anchored"])
    phase, s = phase_of(c), c["statistic"]
    if phase is None or (phase[0] == phase[1] and s != DURATION):
        return ["not_applicable", "phase_missing", nan, nan, -1, -1, *nothing, 0]
    usable = usable_of(c) if c["has_series"] and s != DURATION else []
    held = held_values(c, usable, phase) if c["has_series"] and s != DURATION else {}
    points = min(64, sum(phase[0] <= m[0] < phase[1] for m in usable))
    figures, measured, limit = None, nan, nan
    if s == DURATION or held:
        figures = figures_of(c, usable, held, phase)
    least, most = c["bound"]
    if figures:
        figure = figures[0]
        measured = nan if figure == INFINITE else float(figure) * STEP[s]
        if most == OPEN_MOST:
            limit = least
        elif least == OPEN_LEAST:
            limit = most
        else:
            limit = most if figure - least > most - figure else least
        limit *= STEP[s]
    if s == DURATION:
        coverage = 10**6
    else:
        length = phase[1] - phase[0]
        coverage = 10**6 * len(held) // length
        watched = any(a <= ms < b for a, b in c["spans"] for ms in range(*phase))
        reason = None
        if not c["has_series"] or not watched:
            reason = "no_sensor"
        elif not held:
            reason = "no_sample"
        elif Fraction(len(held), length) < Fraction(c["coverage"], 10**6):
            reason = "coverage"
        elif figures is None:
            reason = "no_sample"
        if reason:
            return ["insufficient_evidence", reason, measured, limit, coverage, -1, *nothing, points]
    figure, low, high = figures
    holds = least <= figure <= most or (figure == INFINITE and most == OPEN_MOST)
    surely_holds = (most == OPEN_MOST or (high is not None and high <= most)) and \
        (least == OPEN_LEAST or (low is not None and low >= least))
    if denied and holds and (doubtful or not surely_holds):
        return ["insufficient_evidence", "guard_band", measured, limit, coverage, -1, *phase, points]
    if holds:
        return ["met", "held", measured, limit, coverage, 10**6, *(phase if denied else nothing), points]
    band = c["bound"] if s in (MEAN, MIN, MAX, QUANTILE) else c["band"]
    worst = phase
    if s in (MEAN, MIN, MAX, QUANTILE, SHARE, LONGEST):
        worst = longest_run(held, phase, lambda v: not in_band(band, v))[1] or nothing
    if denied:
        worst = phase
    certain = (most != OPEN_MOST and low is not None and low > most) or \
        (high is not None and high < least)
    if not denied and (not certain or doubtful):
        return ["insufficient_evidence", "guard_band", measured, limit, coverage, -1, *worst, points]
    degree = degree_of(c, figure)
    reason = "not_observed" if figure == INFINITE or (s in (COUNT, RATE) and figure == 0) \
        else "violated"
    return ["partly_met" if degree > 0 else "not_met", reason, measured, limit, coverage, degree,
            *worst, points]


# ---- comparison

def same(a, b):
    if isinstance(a, float) or isinstance(b, float):
        a, b = float(a), float(b)
        return math.isnan(a) and math.isnan(b) or math.isclose(a, b, rel_tol=1e-12, abs_tol=1e-12)
    return str(a) == str(b)


def main():
    driver = sys.argv[1]
    usual = 100_000 if os.environ.get("TRESEN_LONG") else 20_000
    count = int(sys.argv[2]) if len(sys.argv) > 2 else usual
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    r = random.Random(seed)
    cases = [random_case(r) for _ in range(count)]
    lines = [line_of(c) for c in cases]
    run = subprocess.run([driver], input="\n".join(lines) + "\n", capture_output=True, text=True,
                         check=True)
    answers = run.stdout.splitlines()
    if len(answers) != count:
        sys.exit(f"{len(answers)} answers to {count} cases")
    seen = Counter()
    for c, line, answer in zip(cases, lines, answers):
        want, got = expected(c), answer.split()
        seen[want[0], want[1]] += 1
        seen[want[0], f"({KINDS[c['checks'][0] if c['checks'] else FIGURE]})"] += 1
        if not all(same(w, g) for w, g in zip(want, got)):
            sys.exit(f"seed {seed}\n{c}\ncase     {line}\nexpected {want}\ngot      {got}")
    for (verdict, reason), number in sorted(seen.items()):
        print(f"{number:7} {verdict} {reason}")
    if count >= usual and not all(seen[verdict, f"({kind})"] for kind in KINDS for verdict in VERDICTS):
        sys.exit("some verdict of some kind of standard was not tried")
    print(f"{count} cases of seed {seed} agree")


if __name__ == "__main__":
    main()
