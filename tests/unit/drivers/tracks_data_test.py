#!/usr/bin/env python3
"""Positions through the tracks driver, against the arithmetic of tracks.c and scene.h written down
a second time, here: the shipped example day and, where they are on this machine, recordings.

    tracks_data_test.py PLAY SOURCE_DIR DATA_DIR
"""

import collections
import csv
import gzip
import math
import os
import subprocess
import sys
import tempfile

Counter = collections.namedtuple("Counter", "name x y reach employees zone")
RESOLUTION = 0.01


def nearest_integer(value):
    whole = math.floor(abs(value))
    whole += abs(value) - whole >= 0.5
    return int(math.copysign(whole, value))


def away(a, b):
    return math.sqrt((a[0] - b[0]) * (a[0] - b[0]) + (a[1] - b[1]) * (a[1] - b[1]))


def nearest(origin, people):
    """The first of those with the least distance; None: there is nobody."""
    return min(people, key=lambda p: away(origin, p[1]), default=None)


def measure(counter, counters, people):
    """[(measure, metres)] of one counter in one frame; people: [(name, (x, y))]."""

    def is_employee(person):
        return any(person[0] in c.employees if c.employees
                   else away(c.zone[:2], person[1]) <= c.zone[2] for c in counters)

    if counter.employees:
        own = [p for p in people
               if p[0] in counter.employees and away((counter.x, counter.y), p[1]) <= counter.reach]
        employee = nearest((counter.x, counter.y), own)
    else:
        own = [p for p in people if away(counter.zone[:2], p[1]) <= counter.zone[2]]
        employee = nearest(counter.zone[:2], own)
    if not employee:
        return []
    visitors = [p for p in people
                if not is_employee(p) and away((counter.x, counter.y), p[1]) <= counter.reach]
    client = nearest(employee[1], visitors)
    if not client:
        return []
    others = [p for p in visitors if p is not client]
    bystander = nearest(client[1], others)
    found = [("distance.client", away(employee[1], client[1]))]
    return found + [("distance.bystander", away(client[1], bystander[1]) if bystander else None)]


def frames(path, time, rate, person, x, y):
    """[(t_ms since start, [(person, (x, y))])] in the file's order."""
    opened = gzip.open(path, "rt") if path.endswith(".gz") else open(path, encoding="utf-8")
    with opened as file:
        found = []
        for row in csv.DictReader(line for line in file if not line.startswith("#")):
            at = float(row[time]) / rate if rate else float(row[time])
            t_ms = nearest_integer(at * 1000)
            if not found or found[-1][0] < t_ms:
                found.append((t_ms, []))
            people = found[-1][1]
            if found[-1][0] == t_ms and row[person] not in (p[0] for p in people):
                people.append((row[person], (float(row[x]), float(row[y]))))
        return found


def expected(found, counters, begin_ms, gap_ms, alone_m):
    lines, spans = set(), collections.defaultdict(list)
    for index, (t_ms, people) in enumerate(found):
        later = found[index + 1][0] if index + 1 < len(found) else None
        to_ms = later if later is not None and later - t_ms <= gap_ms else t_ms + 1
        for counter in counters:
            for name in ("distance.client", "distance.bystander"):
                runs = spans[name, counter.name]
                if runs and runs[-1][1] == t_ms:
                    runs[-1][1] = to_ms
                else:
                    runs.append([t_ms, to_ms])
            for name, metres in measure(counter, counters, people):
                metres = metres if metres is not None else alone_m
                if metres:
                    stored = nearest_integer(metres / RESOLUTION)
                    lines.add(f"S {name} {counter.name} {begin_ms + t_ms} {stored} 100")
    for (name, counter), runs in spans.items():
        for from_ms, to_ms in runs:
            lines.add(f"W {name} {counter} {begin_ms + from_ms} {begin_ms + to_ms}")
    return lines


def compare(what, want, command):
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    got = {line for line in out.splitlines() if line[0] in "SW"}
    assert want == got, (what, sorted(want - got)[:5], sorted(got - want)[:5])
    samples = sum(line[0] == "S" for line in want)
    assert samples > 0, what
    print(f"{what}: {samples} samples, {len(want) - samples} watched spans")


def example_day(play, source):
    counters = [Counter(f"desk-{i + 1}", 3.0 * i, 0.0, 2.2, (), (3.0 * i, -0.5, 0.4))
                for i in range(3)]  # the fourth has a radar: radar_data_test.py
    found = frames(f"{source}/ops/day/floor.csv.gz", "t_s", None, "person", "x_m", "y_m")
    nine_ms = 1795420800000  # 2026-11-23 09:00 in Berlin
    # by a gateway that is killed now and then
    compare("example day", expected(found, counters, nine_ms, 1500, 2.2),
            [play, f"{source}/config/gateways/musterstadt-floor.yaml",
             f"{source}/config/measures.yaml", "Europe/Berlin", "0", "6"])


# file, column of time, rate if that is a frame number, columns, counters
RECORDINGS = [
    ("cocktail_party.csv.gz", "t_s", None, "person", "x_m", "y_m",
     [Counter("desk-1", 2.5, 2.5, 2.5, ("205",), None),
      Counter("desk-2", 1.5, 3.5, 1.0, (), (1.5, 3.5, 0.5))]),
    ("coffee_break_seq1.csv", "frame", 5, "person", "x_m", "y_m",
     [Counter("desk-1", 2.0, 1.5, 3.0, ("1", "4"), None)]),
    ("ucy_students03.csv.gz", "t_s", None, "person", "x_m", "y_m",
     [Counter("desk-1", 5.0, 5.0, 3.0, (), (5.0, 5.0, 1.0))]),
    ("single_file_n56_cam1.csv.gz", "Frame", 25, "ID", "x", "y",
     [Counter("desk-1", 0.0, 0.0, 2.0, (), (0.0, 0.0, 1.0))]),
]


def entry(path, recording):
    _, time, rate, person, x, y, counters = recording
    lines = ["drivers:", "  - driver: tracks", f"    path: {path}",
             "    start: 2026-11-23T09:00:00Z", f"    person: {person}", f"    x: {x}",
             f"    y: {y}", "    gap_ms: 1000"]
    lines += [f"    frame: {time}", f"    rate_hz: {rate}"] if rate else [f"    time: {time}"]
    lines.append("    counters:")
    for c in counters:
        who = ("employees: [" + ", ".join(c.employees) + "]" if c.employees else
               "employee_zone: {x: %s, y: %s, radius: %s}" % c.zone)
        lines.append(f"      - {{counter: {c.name}, x: {c.x}, y: {c.y}, reach: {c.reach}, {who}}}")
    return "\n".join(lines) + "\n"


def recording(play, source, data, row):
    path = f"{data}/distance/{row[0]}"
    if not os.path.exists(path):
        print(f"skipped: {path} is not there; TRESEN_DATA names the folder")
        return
    found = frames(path, *row[1:6])
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as config:
        config.write(entry(path, row))
        config.flush()
        compare(row[0], expected(found, row[6], 1795424400000, 1000, None),
                [play, config.name, f"{source}/config/measures.yaml", "UTC", "0", "0"])


def main():
    play, source, data = sys.argv[1:]
    example_day(play, source)
    for row in RECORDINGS:
        recording(play, source, data, row)


main()
