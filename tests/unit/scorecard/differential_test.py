#!/usr/bin/env python3
"""Scores and scorecards against a second, slow, obvious implementation, on random ones.

usage: differential_test.py DRIVER [ENCOUNTERS [SEED]]
"""

import collections
import json
import math
import os
import pathlib
import random
import subprocess
import sys
from fractions import Fraction

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
import scoring  # noqa: E402
from scoring import DIMENSIONS, MILLION, OUTCOMES  # noqa: E402

VERDICTS = ("met", "partly_met", "not_met", "not_applicable", "excused", "insufficient_evidence",
            "error", "not_selected")
SEVERITIES = ("normal", "critical", "auto_fail")
KINDS = ("confirm", "excuse", "dispute", "withdraw")
ENDS = ("normal", "no_show", "transferred", "abandoned", "timeout")
# The places of reasons in worker/engine/verdict.h: they are stored, so they never change.
REASONS = {"held": 0, "violated": 1, "coverage": 6, "offering": 7, "agreement": 11, "bad_data": 12,
           "excuse": 17, "unconfirmed": 19, "confirmed": 21, "pardoned": 22, "disputed": 23}
USUAL = {"met": "held", "partly_met": "violated", "not_met": "violated",
         "not_applicable": "offering", "excused": "excuse", "insufficient_evidence": "coverage",
         "error": "bad_data", "not_selected": "agreement"}

Found = collections.namedtuple("Found", "verdict reason degree coverage")


# ---- random scorecards

def random_standards(r):
    """A few that share few dimensions, or one for each, or none at all."""
    some = r.sample(DIMENSIONS, r.randint(1, 6))
    heavy = r.choice([1, 2, 5, 1000])
    return [dict(id=f"s{i:02}", dimension=r.choice(some), weight=r.randint(1, heavy),
                 severity=r.choice(SEVERITIES), shadow=r.random() < 0.2)
            for i in range(r.choice([0, 1, 2, 3, 5, 8, 12, 16]))]


def random_found(r, standard, likely):
    verdict = r.choices(VERDICTS, likely)[0]
    degree = {"met": MILLION, "not_met": 0}.get(verdict, -1)
    if verdict == "partly_met":
        degree = r.choice([1, 250_000, 333_333, 500_000, 666_667, 999_999])
    unconfirmed = verdict == "not_met" and standard["severity"] == "auto_fail"
    coverage = r.choice([-1, 0, 333_333, 500_000, MILLION])
    return Found(verdict, "unconfirmed" if unconfirmed else USUAL[verdict], degree, coverage)


def random_encounter(r, standards, likely):
    decisions = []
    for _ in range(r.choice([0, 0, 1, 2, 5]) if standards else 0):
        place = r.choice([r.randrange(len(standards)), r.randrange(len(standards)), 99])
        decisions.append((place, r.choice(KINDS), r.randint(0, 3)))  # many of equal time
    return dict(outcome=r.choice(ENDS), decisions=decisions,
                found=[random_found(r, standard, likely) for standard in standards])


def random_sets(r):
    """The same standards, some of them on trial or of another severity in the next set."""
    standards = random_standards(r)
    for _ in range(r.choice([1, 1, 2, 3])):
        standards = [dict(one, shadow=one["shadow"] != (r.random() < 0.2),
                          severity=r.choice([one["severity"]] * 4 + list(SEVERITIES)))
                     for one in standards]
        likely = r.choice([
            [5, 2, 2, 1, 1, 1, 1, 1], [1] * 8, [1, 0, 1, 0, 0, 0, 0, 0], [4, 1, 1, 2, 0, 4, 0, 0],
            [0, 0, 0, 1, 1, 1, 1, 1], [0, 0, 0, 0, 0, 1, 0, 0], [0, 0, 0, 1, 0, 0, 0, 0]])
        yield dict(flat=r.random() < 0.4, standards=standards,
                   floor=r.choice([0, 250_000, 333_333, 333_334, 500_000, 500_001, MILLION]),
                   encounters=[random_encounter(r, standards, likely)
                               for _ in range(r.choice([0, 1, 2, 5, 12]))])


def line_of(sets):
    out = [len(sets)]
    for one in sets:
        out += [int(one["flat"]), one["floor"], len(one["standards"])]
        for standard in one["standards"]:
            out += [DIMENSIONS.index(standard["dimension"]), standard["weight"],
                    SEVERITIES.index(standard["severity"]), int(standard["shadow"])]
        out.append(len(one["encounters"]))
        for encounter in one["encounters"]:
            out.append(1 + ENDS.index(encounter["outcome"]))
            for found in encounter["found"]:
                out += [VERDICTS.index(found.verdict), REASONS[found.reason], found.degree,
                        found.coverage]
            out.append(len(encounter["decisions"]))
            for place, kind, decided in encounter["decisions"]:
                out += [place, KINDS.index(kind), decided]
    return " ".join(map(str, out))


# ---- the obvious implementation

def decided(found, decisions, place):
    """What becomes of what was found, by the table in config/standards/README.md."""
    about = sorted((at, KINDS.index(kind)) for one, kind, at in decisions if one == place)
    if not about or found.verdict not in OUTCOMES:
        return found
    kind = KINDS[about[-1][1]]
    if kind == "confirm":
        return found._replace(reason="confirmed")
    if kind == "dispute":
        return found._replace(verdict="insufficient_evidence", reason="disputed", degree=-1)
    if kind == "excuse" and found.verdict != "met":
        return found._replace(verdict="excused", reason="pardoned", degree=-1)
    return found


def settled(one, encounter):
    """What is printed of an encounter, and what the scorecard needs of it."""
    now = [decided(found, encounter["decisions"], place)
           for place, found in enumerate(encounter["found"])]
    judged = [scoring.Judged(standard["dimension"], standard["weight"], standard["shadow"],
                             found.verdict, found.degree)
              for standard, found in zip(one["standards"], now)]
    overall, dimensions, coverage = scoring.score(judged, Fraction(one["floor"], MILLION),
                                                  one["flat"])
    waits = any(found.reason in ("unconfirmed", "disputed") and not standard["shadow"]
                for standard, found in zip(one["standards"], now))
    scores = [overall, *(dimensions[name] for name in DIMENSIONS)]
    text = " ".join(str(-1 if share is None else share) for share in (*scores, coverage))
    for found in now:
        text += f" {found.verdict} {found.reason} {found.degree}"
    head = text.split(" ")
    head.insert(8, str(int(waits)))
    return " ".join(head), scores, now


def counts(founds):
    """All eight verdicts, what a person has yet to confirm, the share of what is met and its 95 % interval (Wilson 1927)."""
    sums = collections.Counter(found.verdict for found in founds)
    judged, met = sum(sums[name] for name in OUTCOMES), sums["met"]
    out = {"verdicts": {name: sums[name] for name in VERDICTS}, "share_met": None,
           "interval": None, "unconfirmed": sum(one.reason == "unconfirmed" for one in founds)}
    if judged:
        z, p = 1.959963984540054, met / judged
        root = z * math.sqrt(p * (1 - p) / judged + z * z / (4 * judged * judged))
        out["share_met"] = p
        out["interval"] = [max(0, (p + z * z / (2 * judged) - root) / (1 + z * z / judged)),
                           min(1, (p + z * z / (2 * judged) + root) / (1 + z * z / judged))]
    return out


def mean(values):
    values = [value for value in values if value is not None and value >= 0]
    return float(Fraction(sum(values), len(values) * MILLION)) if values else None


def card_of(sets, results):
    """The whole scorecard from every single verdict."""
    scores, ends, rows, graves = [], collections.Counter(), {}, collections.defaultdict(list)
    for one, encounters in zip(sets, results):
        for encounter, (_, found_scores, now) in zip(one["encounters"], encounters):
            scores.append(found_scores)
            ends[encounter["outcome"]] += 1
            for standard, found in zip(one["standards"], now):
                row = rows.setdefault((standard["id"], standard["shadow"]), (standard, []))
                row[1].append(found)
                if not standard["shadow"]:
                    graves[standard["severity"]].append(found)

    def row_json(standard, founds):
        return {"id": standard["id"], "norm": "n", "value": "v", "text": {},
                "status": "shadow" if standard["shadow"] else "active",
                "severity": standard["severity"], **counts(founds),
                "degree": mean(found.degree for found in founds),
                "coverage": mean(found.coverage for found in founds)}
    counted = [row for (_, shadow), row in sorted(rows.items()) if not shadow]
    on_trial = [row for (_, shadow), row in sorted(rows.items()) if shadow]

    def all_of(dimension):
        return counts([found for standard, founds in counted
                       if standard["dimension"] == dimension for found in founds])
    return {
        "branch": "b", "days": [], "sets": [f"set-{i}" for i in range(len(sets))],
        "encounters": len(scores), "provisional": 0,
        "outcomes": {name: ends[name] for name in ENDS},
        "score": mean(one[0] for one in scores), "scored": sum(one[0] is not None for one in scores),
        "dimensions": [{
            "dimension": name, **all_of(name),
            "score": mean(one[1 + i] for one in scores),
            "scored": sum(one[1 + i] is not None for one in scores),
            "standards": [row_json(*row) for row in counted if row[0]["dimension"] == name]}
            for i, name in enumerate(DIMENSIONS)],
        "severities": {name: counts(graves[name]) for name in ("critical", "auto_fail")},
        "shadow": [dict(row_json(*row), dimension=row[0]["dimension"]) for row in on_trial]}


# ---- comparison

def difference(want, got, path="scorecard"):
    """Where they differ first, as a sentence; None: nowhere."""
    if isinstance(want, dict) and isinstance(got, dict) and want.keys() == got.keys():
        return next(filter(None, (difference(want[key], got[key], f"{path}.{key}")
                                  for key in want)), None)
    if isinstance(want, list) and isinstance(got, list) and len(want) == len(got):
        return next(filter(None, (difference(*pair, f"{path}[{i}]")
                                  for i, pair in enumerate(zip(want, got)))), None)
    if isinstance(want, float) and isinstance(got, float):
        if math.isclose(want, got, rel_tol=1e-12, abs_tol=1e-12):
            return None
    elif want == got:
        return None
    return f"{path}\nexpected {want}\ngot      {got}"


def by_id(card):
    """Standards stand in the order of first sight in the sums, sorted by who collects them."""
    for dimension in card["dimensions"]:
        dimension["standards"].sort(key=lambda one: one["id"])
    card["shadow"].sort(key=lambda one: one["id"])
    return card


def main():
    usual = 100_000 if os.environ.get("TRESEN_LONG") else 20_000
    least = int(sys.argv[2]) if len(sys.argv) > 2 else usual
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    r, cases, encounters = random.Random(seed), [], 0
    while encounters < least:
        cases.append(list(random_sets(r)))
        encounters += sum(len(one["encounters"]) for one in cases[-1])
    run = subprocess.run([sys.argv[1]], input="".join(line_of(sets) + "\n" for sets in cases),
                         capture_output=True, text=True, check=True)
    answers = iter(run.stdout.splitlines())
    seen = collections.Counter()
    for sets in cases:
        results = [[settled(one, encounter) for encounter in one["encounters"]] for one in sets]
        for one, settled_ones in zip(sets, results):
            for encounter, (text, scores, _) in zip(one["encounters"], settled_ones):
                got = next(answers)
                model = "flat" if one["flat"] else "hierarchical"
                seen[model, "scored" if scores[0] is not None else "no score"] += 1
                seen["waits for a person"] += text.split(" ")[8] == "1"
                if got != text:
                    sys.exit(f"seed {seed}\n{ {**one, 'encounters': [encounter]} }\n"
                             f"expected {text}\ngot      {got}")
        want, got = card_of(sets, results), by_id(json.loads(next(answers)))
        seen["scorecards with a rate of their own for criticals"] += \
            want["severities"]["critical"]["share_met"] is not None
        seen["scorecards with something to confirm"] += \
            want["severities"]["auto_fail"]["unconfirmed"] > 0
        seen["scorecards with standards on trial"] += bool(want["shadow"])
        seen["dimensions without anything measured"] += \
            sum(one["score"] is None for one in want["dimensions"])
        wrong = difference(want, got)
        if wrong:
            sys.exit(f"seed {seed}\ncase     {line_of(sets)}\n{wrong}")
    if next(answers, None) is not None:
        sys.exit("more answers than cases")
    for what, number in seen.items():
        print(f"{number:7} {what if isinstance(what, str) else ' '.join(what)}")
    if len(seen) != 9 or not all(seen.values()):
        sys.exit("some kind was not tried")
    print(f"{encounters} encounters in {len(cases)} scorecards of seed {seed} agree")


if __name__ == "__main__":
    main()
