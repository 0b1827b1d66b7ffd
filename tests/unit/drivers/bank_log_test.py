#!/usr/bin/env python3
"""The bank's call log through the queue driver, against the rules of config/gateways/bank-log.yaml
written down a second time, here. Exit status 77: the recording is not on this machine.

    bank_log_test.py PLAY SOURCE_DIR DATA_DIR
"""

import collections
import csv
import datetime
import gzip
import os
import subprocess
import sys
import zoneinfo

ZONE = zoneinfo.ZoneInfo("Asia/Jerusalem")
FILE = "timing/anonymous_bank_1999-02-01_14.tsv.gz"
Encounter = collections.namedtuple("Encounter", "id counter language outcome times server")


def seconds(text):
    hours, minutes, rest = map(int, text.split(":"))
    return (hours * 60 + minutes) * 60 + rest


class Row:
    """The times of one call, in milliseconds of event time."""

    def __init__(self, row, shift_days):
        self.row = row
        text = row["date"]
        day = datetime.date(1900 + int(text[:2]), int(text[2:4]), int(text[4:]))
        self.day = day + datetime.timedelta(days=shift_days)
        self.entry = seconds(row["vru_entry"])
        self.midnight = self.earlier = False

    def at(self, column, duration=None):
        text = self.row[column]
        if text == "0:00:00" and not (duration and int(self.row[duration]) > 0):
            return None
        second = seconds(text)
        tomorrow = second < self.entry - 12 * 3600
        self.midnight |= tomorrow
        self.earlier |= not tomorrow and second < self.entry
        local = datetime.datetime.combine(
            self.day + datetime.timedelta(days=int(tomorrow)), datetime.time(), ZONE
        ) + datetime.timedelta(seconds=second)
        return int(local.timestamp()) * 1000


def encounter(row, shift_days, odd):
    outcome = {"AGENT": "normal", "HANG": "abandoned", "PHANTOM": None}[row["outcome"]]
    if outcome is None:
        odd["ignored"] += 1
        return None
    times = Row(row, shift_days)
    queued, left = times.at("q_start", "q_time"), times.at("q_exit", "q_time")
    issued = queued if queued is not None else times.at("vru_exit")
    started, ended = times.at("ser_start", "ser_time"), times.at("ser_exit", "ser_time")
    odd["over_midnight"] += times.midnight
    odd["before_date_of"] += times.earlier
    name = f"{row['vru+line']}-{row['call_id']}-{times.day.isoformat()}"
    language = "en" if row["type"] == "PE" else "he"
    if outcome == "abandoned":
        if left is None:
            odd["never_queued"] += 1
            return None
        odd["service_of_unserved"] += started is not None
        odd["zero_length"] += left == issued
        return Encounter(name, row["vru+line"].lower(), language, outcome, (issued, None, left),
                         "")
    if started is None or ended is None:
        odd["no_service_time"] += 1
        return None
    if ended < started:
        odd["negative_time"] += 1
        return None
    # The log states each duration itself: the times across midnight must agree with it.
    assert ended - started == int(row["ser_time"]) * 1000, row
    if issued is not None and issued > started:
        odd["issued_after_start"] += 1
        issued = started
    odd["zero_length"] += ended == started
    odd["no_employee"] += row["server"] == "NO_SERVER"
    server = "" if row["server"] == "NO_SERVER" else row["server"]
    return Encounter(name, row["vru+line"].lower(), language, outcome, (issued, started, ended),
                     server)


def expected(path, shift_days):
    odd, moments = collections.Counter(), []
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line, row in enumerate(csv.DictReader(file, delimiter="\t")):
            found = encounter(row, shift_days, odd)
            for at in sorted({t for t in found.times if t is not None}) if found else ():
                moments.append((at, line, found))
    moments.sort(key=lambda moment: moment[:2])
    facts = []
    for at, _, e in moments:
        issued, started, ended = (t if t is not None and t <= at else None for t in e.times)
        server = e.server if started is not None else ""
        outcome = e.outcome if ended is not None else "open"
        facts.append((e.id, e.counter, "phone", e.language, server, outcome, issued, None, started,
                      ended))
    return facts, {name: count for name, count in odd.items() if count}, moments[-1][0]


def played(play, source, data, restart_every, *settings):
    command = [play, f"{source}/config/gateways/bank-log.yaml", f"{source}/config/measures.yaml",
               "Asia/Jerusalem", "0", restart_every, f"drivers.0.path={data}/{FILE}", *settings]
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    facts, odd, watermark = [], {}, None
    for line in out.splitlines():
        kind, *fields = line.split(" ")
        if kind == "F":
            times = [None if t == "-" else int(t) for t in fields[6:]]
            facts.append(tuple(fields[:4]) + (fields[4].replace("-", ""), fields[5], *times))
        elif kind == "O":
            odd[fields[0]] = int(fields[1])
        elif kind == "M":
            watermark = int(fields[0])
        else:
            raise AssertionError("unexpected: " + line)
    return facts, odd, watermark


def compare(want, got):
    facts, odd, last = want
    got_facts, got_odd, watermark = got
    assert len(facts) == len(got_facts), (len(facts), len(got_facts))
    pseudonyms = {"": ""}
    for one, other in zip(facts, got_facts):
        server, pseudonym = one[4], other[4]
        assert pseudonyms.setdefault(server, pseudonym) == pseudonym, (one, other)
        assert one[:4] + one[5:] == other[:4] + other[5:], (one, other)
    assert len(set(pseudonyms.values())) == len(pseudonyms), "two employees, one pseudonym"
    assert odd == got_odd, (odd, got_odd)
    assert watermark == last + 1


def main():
    play, source, data = sys.argv[1:]
    if not os.path.exists(f"{data}/{FILE}"):
        print(f"skipped: {data}/{FILE} is not there; TRESEN_DATA names the folder")
        return 77
    # As it was recorded; and moved to a day, by a gateway that is killed now and then.
    for shift_days, settings in ((0, ("0",)), (10157, ("2", "drivers.0.day=2026-11-23"))):
        want = expected(f"{data}/{FILE}", shift_days)
        compare(want, played(play, source, data, *settings))
        ended = sum(fact[5] != "open" for fact in want[0])
        print(f"{len(want[0])} facts, {ended} encounters ended, {want[1]}")
    return 0


sys.exit(main())
