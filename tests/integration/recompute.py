"""What Tresen must find in a recording, computed from the raw file by other means: rows, exact
fractions, no batches, no store. Written from the rules that the drivers state (queue_log.h, scene.h,
tracks.c) and from config/standards/README.md; shares no code with the programs.
"""

import collections
import csv
import datetime
import fractions
import gzip
import math
import zoneinfo

MILLION = 1_000_000
Fraction = fractions.Fraction

# What is asked of the recordings. One file of standards is written from this table, so that these
# figures stand in one place only. Times in ms, distances in whole centimetres, shares in percent.
NORMS = {"timing": "short-waits", "proxemics": "personal-space"}
UNCERTAINTY_CM = 5
STANDARDS = [
    dict(id="timing.wait", statistic="duration", during="waiting", most=120_000,
         degree=[(120_000, 1), (300_000, 0)]),
    dict(id="timing.service", statistic="duration", during="service", least=10_000, most=600_000,
         degree=[(0, 0), (10_000, 1), (600_000, 1), (1_200_000, 0)],
         outcomes=["normal", "transferred"]),
    dict(id="proxemics.mean", statistic="mean", least=75, most=210,
         degree=[(45, 0), (75, 1), (210, 1), (360, 0)]),
    dict(id="proxemics.closest", statistic="min", least=45),
    dict(id="proxemics.farthest", statistic="max", most=250),
    dict(id="proxemics.median", statistic="quantile", percent=50, least=70, most=150),
    dict(id="proxemics.zone", statistic="share", band=(45, 210), least=80,
         degree=[(50, 0), (80, 1)]),
    dict(id="proxemics.discretion", statistic="share", measure="distance.bystander",
         band=(60, None), least=90, gap_ms=1_000),
    dict(id="proxemics.away", statistic="longest_outside", band=(None, 150), most=5_000),
]
COVERAGE = Fraction(6, 10)
GAP_MS = 2_000


# ---------------------------------------------------------------------- the log of a bank

def _rows(path, separator):
    opened = gzip.open(path, "rt", newline="") if str(path).endswith(".gz") else open(path)
    with opened as stream:
        yield from csv.DictReader(stream, delimiter=separator)


def _clock_s(text):
    hours, minutes, seconds = text.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + int(seconds)


BANK_LOG = "timing/anonymous_bank_1999-02-01_14.tsv.gz"


def bank_driver(path, **settings):
    """As config/gateways/bank-log.yaml has it, with some settings of another kind."""
    return {"driver": "queue", "path": str(path), "key": ["vru+line", "call_id", "date"],
            "date": "date", "date_form": "yymmdd", "date_of": "vru_entry", "absent": ["0:00:00"],
            "absent_unless": {"q_start": "q_time", "q_exit": "q_time", "ser_start": "ser_time",
                              "ser_exit": "ser_time"},
            "issued": ["q_start", "vru_exit"], "started": ["ser_start"], "ended": ["ser_exit"],
            "left": ["q_exit"],
            "outcome": {"column": "outcome",
                        "map": {"AGENT": "normal", "HANG": "abandoned", "PHANTOM": "ignore"}},
            "counter": {"column": "vru+line"}, "offering": {"default": "phone"},
            "language": {"column": "type", "map": {"PE": "en"}, "default": "he"},
            "employee": "server", "nobody": ["NO_SERVER"], **settings}


def bank_encounters(path, zone_name="Asia/Jerusalem", offering=None):
    """The bank's calls as encounters, by id, and what was odd about them; the offering is what a
    column says, else `phone`."""
    zone = zoneinfo.ZoneInfo(zone_name)
    found, odd = {}, collections.Counter()
    for row in _rows(path, "\t"):
        call = _bank_call(row, zone, odd)
        if call is None:
            continue
        call["offering"] = row[offering].lower() if offering else "phone"
        if call["id"] in found:
            odd["repeated_key"] += 1
        else:
            found[call["id"]] = call
    return found, odd


def _bank_call(row, zone, odd):
    outcome = {"AGENT": "normal", "HANG": "abandoned", "PHANTOM": None}[row["outcome"]]
    if outcome is None:
        odd["ignored"] += 1
        return None
    text = row["date"]
    day = datetime.date(1900 + int(text[:2]), int(text[2:4]), int(text[4:]))
    entry_s = _clock_s(row["vru_entry"])
    marks = set()

    def instant(column, length=None):
        if row[column] == "0:00:00" and not (length and float(row[length]) > 0):
            return None
        at_s = _clock_s(row[column])
        on = day
        if at_s < entry_s - 12 * 3600:
            marks.add("over_midnight")
            on = day + datetime.timedelta(days=1)
        elif at_s < entry_s:
            marks.add("before_date_of")
        local = datetime.datetime(on.year, on.month, on.day, at_s // 3600, at_s // 60 % 60,
                                  at_s % 60, tzinfo=zone)
        return int(local.timestamp()) * 1000

    queued = instant("q_start", "q_time")
    issued = queued if queued is not None else instant("vru_exit")
    started = instant("ser_start", "ser_time")
    ended = instant("ser_exit", "ser_time")
    left = instant("q_exit", "q_time")
    for mark in marks:
        odd[mark] += 1
    call = dict(id=f"{row['vru+line']}-{row['call_id']}-{day.isoformat()}",
                counter=row["vru+line"].lower(), outcome=outcome)
    if outcome == "normal":
        if started is None or ended is None:
            odd["no_service_time"] += 1
            return None
        if ended < started:
            odd["negative_time"] += 1
            return None
        if issued is not None and issued > started:
            odd["issued_after_start"] += 1
            issued = started
        odd["zero_length"] += ended == started
        odd["no_employee"] += row["server"] == "NO_SERVER"
        return dict(call, issued=issued, started=started, ended=ended)
    if issued is None or left is None:
        odd["never_queued"] += 1
        return None
    if left < issued:
        odd["negative_time"] += 1
        return None
    odd["service_of_unserved"] += started is not None
    odd["zero_length"] += left == issued
    return dict(call, issued=issued, started=None, ended=left)


# ---------------------------------------------------------------------- positions of people

def frames(path, begin_ms, rate_hz=None):
    """[(time in ms, [(person, x, y), ...])] of a recording sorted by time."""
    out = []
    for row in _rows(path, ","):
        seconds = float(row["frame"]) / rate_hz if rate_hz else float(row["t_s"])
        at = begin_ms + math.floor(seconds * 1000 + 0.5)
        if not out or out[-1][0] < at:
            out.append((at, []))
        if out[-1][0] > at or any(one[0] == row["person"] for one in out[-1][1]):
            continue
        out[-1][1].append((row["person"], float(row["x_m"]), float(row["y_m"])))
    return out


def most_seen(recording):
    """The persons by how many frames they are in, most first."""
    seen = collections.Counter(one[0] for _, people in recording for one in people)
    return [person for person, _ in sorted(seen.items(), key=lambda item: (-item[1], item[0]))]


def _away(a, b):
    return math.sqrt((a[1] - b[1]) * (a[1] - b[1]) + (a[2] - b[2]) * (a[2] - b[2]))


def _nearest(people, place, wanted):
    near = None
    for one in people:
        if wanted(one) and (near is None or _away(one, place) < _away(near, place)):
            near = one
    return near


def _employees(people, counters):
    def is_one(one):
        for counter in counters:
            if "employee_zone" in counter:
                zone = counter["employee_zone"]
                if _away(one, (None, zone["x"], zone["y"])) <= zone["radius"]:
                    return True
            elif one[0] in counter["employees"]:
                return True
        return False
    return {one[0] for one in people if is_one(one)}


def _centimetres(metres):
    """The nearest hundredth, as the gateway writes it; None: outside the measure's range."""
    return math.floor(metres / 0.01 + 0.5) if 0 <= metres <= 20 else None


def distances(recording, counters, gap_ms):
    """{(measure, counter): [(t, cm), ...]} and the spans in which the sensor watched."""
    series = collections.defaultdict(list)
    watched = []
    for i, (at, people) in enumerate(recording):
        to = at + 1
        if i + 1 < len(recording) and recording[i + 1][0] - at <= gap_ms:
            to = recording[i + 1][0]
        watched.append((at, to))
        employees = _employees(people, counters)
        for counter in counters:
            pair = _at_counter(people, employees, counter)
            for measure, metres in zip(("distance.client", "distance.bystander"), pair):
                value = None if metres is None else _centimetres(metres)
                if value is not None:
                    series[measure, counter["counter"]].append((at, value))
    return series, watched


def _at_counter(people, employees, counter):
    here = (None, counter["x"], counter["y"])

    def within(one):
        return _away(one, here) <= counter["reach"]
    if "employee_zone" in counter:
        zone = counter["employee_zone"]
        centre = (None, zone["x"], zone["y"])
        employee = _nearest(people, centre, lambda one: _away(one, centre) <= zone["radius"])
    else:
        employee = _nearest(people, here,
                            lambda one: one[0] in counter["employees"] and within(one))
    if employee is None:
        return None, None
    client = _nearest(people, employee, lambda one: one[0] not in employees and within(one))
    if client is None:
        return None, None
    other = _nearest(people, client, lambda one: one[0] not in employees and one is not client
                     and within(one))
    return _away(employee, client), None if other is None else _away(client, other)


# ---------------------------------------------------------------------- judging

def judge(encounter, series, watched):
    """{standard: (verdict, measured as fraction in its unit or None, covered millionths or None)}"""
    return {one["id"]: judge_one(one, encounter, series, watched) for one in STANDARDS}


def _phase(standard, encounter):
    if standard.get("during") == "waiting":
        return encounter["issued"], encounter["started"]
    return encounter["started"], encounter["ended"]


def judge_one(standard, encounter, series, watched):
    nothing = ("not_applicable", None, None)
    outcomes = standard.get("outcomes")
    if outcomes and encounter["outcome"] not in outcomes:
        return nothing
    begin, end = _phase(standard, encounter)
    if encounter["outcome"] == "abandoned" and standard.get("during") == "waiting":
        waited = encounter["ended"] - encounter["issued"]  # at least: who gave up did not start
        gave_up = waited > standard["most"]
        if not gave_up:
            return "not_applicable", Fraction(waited), None
        return "not_met", Fraction(waited), MILLION
    if begin is None or end is None:
        return nothing
    if standard["statistic"] == "duration":
        return _decide(standard, Fraction(end - begin), Fraction(end - begin),
                       Fraction(end - begin)) + (MILLION,)
    if begin >= end:
        return nothing
    first = min(time for time in (encounter["issued"], encounter["started"]) if time is not None)
    samples = [(at, value) for at, value in
               series.get((standard.get("measure", "distance.client"), encounter["counter"]), [])
               if first <= at < encounter["ended"]]
    held = stretches(standard, samples, watched, begin, end)
    covered = sum(to - at for at, to, _ in held)
    share = covered * MILLION // (end - begin)
    if covered == 0 or covered < standard.get("coverage", COVERAGE) * (end - begin):
        figures = _figures(standard, samples, held, begin, end) if covered else None
        return "insufficient_evidence", figures and figures[0], share
    figures = _figures(standard, samples, held, begin, end)
    if figures is None:
        return "insufficient_evidence", None, share
    return _decide(standard, *figures) + (share,)


def stretches(standard, samples, watched, begin, end):
    """[(from, to, value)]: how long each sample speaks, where the sensor watched."""
    gap = standard.get("gap_ms", GAP_MS)
    spans = []
    for start, stop in watched:
        start, stop = max(start, begin), min(stop, end)
        if start >= stop:
            continue
        if spans and spans[-1][1] == start:
            spans[-1] = (spans[-1][0], stop)
        else:
            spans.append((start, stop))
    held = []
    for i, (at, value) in enumerate(samples):
        until = at + gap
        if i + 1 < len(samples):
            until = min(until, samples[i + 1][0])
        for start, stop in spans:
            low, high = max(at, start), min(until, stop)
            if low < high:
                held.append((low, high, value))
    return held


def in_band(value, band, margin=0):
    low, high = band
    return (low is None or value >= low - margin) and (high is None or value <= high + margin)


def _share(held, band, margin):
    inside = sum(to - at for at, to, value in held if in_band(value, band, margin))
    return Fraction(100 * inside, sum(to - at for at, to, _ in held))


def _longest(held, band, margin):
    best, stretch = 0, None
    for at, to, value in held:
        if in_band(value, band, margin):
            continue
        stretch = (stretch[0], to) if stretch and stretch[1] == at else (at, to)
        best = max(best, stretch[1] - stretch[0])
    return Fraction(best)


def _figures(standard, samples, held, begin, end):
    """The figure as measured, as low and as high as the sensor's uncertainty lets it be."""
    kind, u = standard["statistic"], standard.get("uncertainty", UNCERTAINTY_CM)
    if kind == "share":
        return tuple(_share(held, standard["band"], margin) for margin in (0, -u, u))
    if kind == "longest_outside":
        return tuple(_longest(held, standard["band"], margin) for margin in (0, u, -u))
    values = sorted(value for at, value in samples if begin <= at < end)
    if not values:
        return None
    if kind == "mean":
        figure = Fraction(sum(values), len(values))
    elif kind == "quantile":
        figure = Fraction(values[-(-len(values) * standard["percent"] // 100) - 1])
    else:
        figure = Fraction(values[0] if kind == "min" else values[-1])
    return figure, figure - u, figure + u


def _violated(standard, low, high):
    most, least = standard.get("most"), standard.get("least")
    return (most is not None and low > most) or (least is not None and high < least)


def _decide(standard, measured, low, high):
    if not _violated(standard, measured, measured):
        return "met", measured
    if not _violated(standard, low, high):
        return "insufficient_evidence", measured
    return ("partly_met" if _degree(standard, measured) > 0 else "not_met"), measured


def _degree(standard, figure):
    """In whole millionths, rounded down."""
    corners = standard.get("degree")
    if not corners:
        return 0
    if figure <= corners[0][0]:
        return corners[0][1] * MILLION
    for (x0, y0), (x1, y1) in zip(corners, corners[1:]):
        if figure <= x1:
            return math.floor(MILLION * (y0 + (y1 - y0) * (figure - x0) / (x1 - x0)))
    return corners[-1][1] * MILLION


# ---------------------------------------------------------------------- the same as a file

UNITS = {"duration": ("s", 1000), "longest_outside": ("s", 1000), "share": ("%", 1)}


def unit_of(standard):
    """Unit of bound and figure, and how many of this table's units make one."""
    return UNITS.get(standard["statistic"], ("m", 100))


def standards_file():
    """config/standards/recordings.yaml: STANDARDS as the programs read them."""
    return [_entry(one) for one in STANDARDS]


def _bounds(low, high, scale):
    return {key: value / scale for key, value in (("least", low), ("most", high))
            if value is not None}


def _entry(standard):
    dimension = standard["id"].split(".")[0]
    unit, scale = unit_of(standard)
    entry = {"standard": standard["id"], "norm": NORMS[dimension], "dimension": dimension,
             "status": "active", "text": {"de": standard["id"], "en": standard["id"]},
             "source": "tests/integration/recompute.py", "statistic": standard["statistic"],
             "during": standard.get("during", "service"), "unit": unit,
             "bound": _bounds(standard.get("least"), standard.get("most"), scale),
             "weight": 1, "severity": "normal", "attribution": "team",
             "tests": _examples(standard)}
    if standard["statistic"] != "duration":
        entry["measure"] = standard.get("measure", "distance.client")
        entry["evidence"] = {"coverage": float(COVERAGE), "confidence": 0.5,
                             "gap_s": standard.get("gap_ms", GAP_MS) / 1000}
    if "band" in standard:
        entry["band"] = _bounds(*standard["band"], 100)
    if "percent" in standard:
        entry["percent"] = standard["percent"]
    if "degree" in standard:
        entry["degree"] = [[x / scale, y] for x, y in standard["degree"]]
    if "outcomes" in standard:
        entry["applies"] = {"outcomes": standard["outcomes"]}
    return entry


def _examples(standard):
    """Every standard carries examples: one that it meets, one that it does not, one unseen."""
    if standard["statistic"] == "duration":
        anchors = ("issued", "started") if standard.get("during") == "waiting" else ("started",
                                                                                     "ended")
        def given(seconds):
            times = {anchors[0]: 0, anchors[1]: seconds}
            times.setdefault("ended", seconds + 60)
            return times
        return [{"given": given(60), "expect": "met"}, {"given": given(2000), "expect": "not_met"}]

    def constant(value):
        return {"started": 0, "ended": 60, "samples": [{"from": 0, "to": 60, "every": 1,
                                                        "value": value}]}
    bad = {"proxemics.mean": 5, "proxemics.closest": 0.1, "proxemics.farthest": 5,
           "proxemics.median": 5, "proxemics.zone": 5, "proxemics.discretion": 0.1,
           "proxemics.away": 5}[standard["id"]]
    return [{"given": constant(1), "expect": "met"}, {"given": constant(bad), "expect": "not_met"},
            {"given": {"started": 0, "ended": 60, "watched": []},
             "expect": "insufficient_evidence"}]
