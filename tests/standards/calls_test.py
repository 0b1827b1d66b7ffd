#!/usr/bin/env python3
"""Real telephone calls, judged here by other means and by the engine.

The calls of Gridspace-Stanford Harper Valley (Apache-2.0, (c) 2020 Gridspace Inc.) become examples
of standards; what each must be judged is worked out here from the raw times, millisecond by
millisecond. `tresenctl standards check` then runs the examples. One wrong expectation must be told.
usage: calls_test.py TRESENCTL [DATA]   (else TRESEN_DATA, or ../shared/data beside the checkout)
"""

import collections
import csv
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
SKIPPED = 77
OPENING_MS = CLOSING_MS = 15_000
MEASURES = """
- {id: audio.speech, kind: samples, unit: "1", resolution: 1, range: [0, 1], uncertainty: 0, legal: P1, text: {de: Sprache, en: Speech}}
"""
HEAD = """
- standard: {id}
  norm: space
  dimension: {dimension}
  status: active
  text: {{de: "{id}", en: "{id}"}}
  source: example
  weight: 1
  severity: normal
  attribution: employee
"""
# What an agent says of somebody's account, and asks before it.
ACCOUNT = ("your checking account", "password reset link")
IDENTITY = ("your phone number", "your account number")
GREETINGS, FAREWELLS = ("hello", "hi "), ("have a great day", "bye")


def read(folder):
    """[(call, segments in the order of time)]"""
    segments = collections.defaultdict(list)
    with open(folder / "harper_valley_segments.tsv", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            segments[row["sid"]].append(row)
    with open(folder / "harper_valley_calls.jsonl", encoding="utf-8") as file:
        calls = [json.loads(line) for line in file]
    return [(call, sorted(segments[call["sid"]], key=lambda one: int(one["start_timestamp_ms"])))
            for call in calls]


def said(segments, words, zero):
    """When the agent said one of the words, in ms of the call."""
    return [int(one["start_timestamp_ms"]) - zero for one in segments
            if one["role"] == "agent" and any(word in one["human_text"] + " " for word in words)]


def speech(segments, zero, length):
    """For each millisecond of the call whether anybody speaks."""
    speaking = bytearray(length)
    for one in segments:
        begin = max(0, int(one["start_timestamp_ms"]) - zero)
        end = min(length, begin + int(one["duration_ms"]))
        if one["human_text"].strip():
            speaking[begin:end] = b"\1" * max(0, end - begin)
    return speaking


def longest_silence(speaking):
    best = run = 0
    for one in speaking:
        run = 0 if one else run + 1
        best = max(best, run)
    return best


def told_too_early(told, asked):
    """Whether an account was talked of before anything was asked; None: it never was."""
    return not any(at < min(told) for at in asked) if told else None


def seconds(ms):
    return f"{ms / 1000:.3f}"


def changes(speaking):
    """Samples: one whenever it changes, from 0 on."""
    return [(at, speaking[at]) for at in range(len(speaking))
            if at == 0 or speaking[at] != speaking[at - 1]]


def example(call, verdict, seen, issued=False):
    times = f"started: 0, ended: {seconds(call['end_time_ms'] - call['start_time_ms'])}"
    if issued:
        times = "issued: 0, started: " + seconds(issued) + ", ended: 3600"
    return f"    - {{given: {{{times}{seen}}}, expect: {verdict}}}\n"


def standards(calls):
    """The standards with an example a call; and the number of each verdict."""
    wait = HEAD.format(id="calls.wait", dimension="timing") + \
        "  during: waiting\n  statistic: duration\n  unit: s\n  bound: {most: 3.5}\n  tests:\n"
    heard = "  measure: audio.phrase\n  labels: [{label}]\n  during: {during}\n" \
        "  statistic: count\n  unit: \"1\"\n  bound: {{least: 1}}\n" \
        "  evidence: {{coverage: 0.9, confidence: 0.5}}\n  tests:\n"
    greeting = HEAD.format(id="calls.greeting", dimension="wording") + \
        heard.format(label="greeting", during="opening")
    farewell = HEAD.format(id="calls.farewell", dimension="wording") + \
        heard.format(label="farewell", during="closing")
    silence = HEAD.format(id="calls.silence", dimension="wording") + \
        "  measure: audio.speech\n  during: service\n  statistic: longest_outside\n" \
        "  band: {least: 1}\n  unit: s\n  bound: {most: 9}\n" \
        "  evidence: {coverage: 0.9, confidence: 0.5, gap_s: 3600}\n  tests:\n"
    identity = HEAD.format(id="calls.identity", dimension="safety") + heard.format(
        label="identity_check",
        during="{from: started, to: {first: audio.phrase, labels: [account_talk]}}")
    seen = collections.Counter()

    def note(call, good, *rest, **keys):
        verdict = "met" if good else "not_met"
        seen[verdict] += 1
        return example(call, verdict, *rest, **keys)
    for call, segments in calls:
        zero, length = call["start_time_ms"], call["end_time_ms"] - call["start_time_ms"]
        waited = call["agent_arrival_ms"] - call["caller_arrival_ms"]
        wait += note(call, waited <= 3500, "", issued=waited)
        hellos, byes = said(segments, GREETINGS, zero), said(segments, FAREWELLS, zero)
        events = ", events: [{}]".format(", ".join(
            f"[{seconds(at)}, {label}]"
            for at, label in sorted([(at, "greeting") for at in hellos] +
                                    [(at, "farewell") for at in byes]) if 0 <= at < length))
        greeting += note(call, any(0 <= at < OPENING_MS for at in hellos), events)
        farewell += note(call, any(length - CLOSING_MS <= at < length for at in byes), events)
        told, asked = said(segments, ACCOUNT, zero), said(segments, IDENTITY, zero)
        early = told_too_early(told, asked)
        events = ", events: [{}]".format(", ".join(f"[{seconds(at)}, {label}]" for at, label in sorted(
            [(at, "account_talk") for at in told] + [(at, "identity_check") for at in asked])))
        if early is None:
            seen["not_applicable"] += 1
            identity += example(call, "not_applicable", events)
        else:
            identity += note(call, not early, events)
        speaking = speech(segments, zero, length)
        samples = ", ".join(f"[{seconds(at)}, {value}]" for at, value in changes(speaking))
        silence += note(call, longest_silence(speaking) <= 9000, f", samples: [{samples}]")
    nobody = "    - {given: {started: 0, ended: 60, watched: []}, expect: insufficient_evidence}\n"
    silent = "    - {given: {started: 0, ended: 60}, expect: not_met}\n"
    return wait + greeting + silent + nobody + farewell + nobody + silence + nobody + \
        identity + nobody, seen


def check(tresenctl, text):
    with tempfile.TemporaryDirectory() as scratch:
        config = pathlib.Path(scratch, "config")
        shutil.copytree(HERE / "config", config)
        (config / "standards/calls.yaml").write_text(text)
        with open(config / "measures.yaml", "a", encoding="utf-8") as file:
            file.write(MEASURES)
        run = subprocess.run([tresenctl, "standards", "check", str(config)], capture_output=True,
                             text=True, check=False)
        return run.returncode, run.stdout + run.stderr


def main():
    beside = HERE.parents[1].parent / "shared/data"
    data = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else os.environ.get("TRESEN_DATA", beside))
    if not (data / "dialogue/harper_valley_calls.jsonl").exists():
        print(f"skipped: {data}/dialogue has no Harper Valley calls; set TRESEN_DATA")
        sys.exit(SKIPPED)
    calls = read(data / "dialogue")
    text, seen = standards(calls)
    status, told = check(sys.argv[1], text)
    if status != 0:
        sys.exit(told)
    if min(seen["met"], seen["not_met"]) < 4 or seen["not_applicable"] != 2:
        sys.exit(f"too few of a kind to mean anything: {dict(seen)}")
    for turned in ("met", "not_met"):  # the check can fail
        other = "met" if turned == "not_met" else "not_met"
        wrong = text.replace(f"expect: {turned}}}", f"expect: {other}}}", 1)
        status, told = check(sys.argv[1], wrong)
        if status == 0 or "correct the example or the standard" not in told:
            sys.exit(f"a wrong expectation was not told:\n{told}")
    print(f"{len(calls)} calls: {seen['met']} met, {seen['not_met']} not met, "
          f"{seen['not_applicable']} not applicable, as expected")


if __name__ == "__main__":
    main()
