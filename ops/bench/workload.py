"""The configuration of the benchmark: many branches, a gateway for each of a few measures, and
standards of every kind about them. It is written into a folder of its own, on the company's norms,
values and offerings as they are."""

import json
import os
import re
import shutil

KINDS = ("mean", "min", "max", "quantile", "share", "longest_outside")  # of standards, a measure
OPENER = 0  # which measure's gateway tells the encounters


def measures(config, count):
    """The first `count` sampled measures that say nothing about a person but place and level."""
    text = open(os.path.join(config, "measures.yaml"), encoding="utf-8").read()
    found = []
    for block in re.split(r"^(?=- id: )", text, flags=re.M)[1:]:
        row = dict(re.findall(r"^(?:- |  )(\w+): +(.*?)(?: +#.*)?$", block, flags=re.M))
        if row["kind"] == "samples" and row["legal"] in ("P0", "P1"):
            row["range"] = json.loads(row["range"])
            row["resolution"] = float(row["resolution"])
            row["unit"] = row["unit"].strip('"')
            found.append(row)
    if len(found) < count:
        raise SystemExit(f"ops/bench/run: config/measures.yaml has only {len(found)} such measures")
    return found[:count]


def example(figure, expect, watched=None):
    given = {"started": 0, "ended": 60,
             "samples": [{"from": 0, "to": 60, "every": 1, "value": figure}]}
    if watched is not None:
        given.update(watched=watched, samples=[])
    return {"given": given, "expect": expect}


def standard(measure, kind, norm, again=0):
    """Half of them ask for little, half for much of the measure. again: the how manyth like it."""
    least, most = measure["range"]
    middle = (least + most) / 2
    name = measure["id"].replace("_", "-").replace(".", "-")
    suffix = f"-{again + 1}" if again else ""
    row = {"standard": f"{name}.{kind}{suffix}", "norm": norm, "dimension": "timing", "status": "active",
           "text": {"de": f"{kind}", "en": f"{kind}"}, "source": "The benchmark.",
           "measure": measure["id"], "during": "service", "statistic": kind,
           "unit": measure["unit"],
           "evidence": {"coverage": 0.9, "confidence": 0.5, "gap_s": 2}, "weight": 1,
           "severity": "normal", "attribution": "team"}
    good, bad = least, most
    if kind in ("mean", "min"):
        row["bound"] = {"least": middle}
        row["degree"] = [[least, 0], [middle, 1]]
        good, bad = most, least
    elif kind in ("max", "quantile"):
        row["bound"] = {"most": middle}
    else:
        row["band"] = {"most": middle}
        row["unit"] = "%" if kind == "share" else "s"
        row["bound"] = {"least": 50} if kind == "share" else {"most": 30}
    if kind == "quantile":
        row["percent"] = 50
    row["tests"] = [example(good, "met"), example(bad, "not_met"),
                    example(good, "insufficient_evidence", [])]
    return row


def write(config, folder, branches, count, standards=None):
    """count: measures, each with a gateway; standards: as many instead of six a measure. Returns
    the ids of the branches and the measures."""
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(os.path.join(folder, "branches"))
    os.makedirs(os.path.join(folder, "standards"))
    for name in ("measures", "values", "norms", "offerings", "scoring"):
        shutil.copy(os.path.join(config, f"{name}.yaml"), folder)
    chosen = measures(config, count)
    norms = open(os.path.join(config, "norms.yaml"), encoding="utf-8").read()
    norm = re.search(r"^- norm: *(\S+)", norms, flags=re.M)[1]
    standards = standards or count * len(KINDS)
    again = -(-standards // (count * len(KINDS)))
    rows = [standard(measure, kind, norm, turn)
            for turn in range(again) for kind in KINDS for measure in chosen][:standards]
    rows.sort(key=lambda row: row["measure"])
    with open(os.path.join(folder, "standards", "bench.yaml"), "w", encoding="utf-8") as out:
        json.dump(rows, out, indent=1)
    names = [re.sub("[._]", "-", measure["id"]) for measure in chosen]
    ids = [f"branch-{number:05d}" for number in range(branches)]
    for branch in ids:
        row = {"branch": branch, "name": branch, "region": "bench", "country": "DE",
               "zone": "Europe/Berlin", "counters": ["desk"],
               "gateways": [{"gateway": name, "opens": place == OPENER}
                            for place, name in enumerate(names)]}
        with open(os.path.join(folder, "branches", f"{branch}.yaml"), "w",
                  encoding="utf-8") as out:
            json.dump(row, out)
    return ids, chosen
