"""Real telephone calls as phrases heard at a counter, through a gateway to a verdict: what the shipped
list of phrases and the shipped standards make of them is worked out here from the raw transcript.

The calls are of Gridspace-Stanford Harper Valley (Apache-2.0, (c) 2020 Gridspace Inc.)."""

import collections
import csv
import datetime
import json
import pathlib
import sqlite3
import sys
import unittest

import yaml

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from cluster import ROOT, Case, data_folder, main, write_yaml  # noqa: E402

BRANCH, GATEWAY, COUNTER, DEAF, MEASURE = "calls", "line", "line-1", "line-2", "audio.phrase"
OFFERING = "advice"
PHONE, SPEECH, EVERY_MS = "line-3", "audio.speech", 1000
LATENESS_MS = 120_000  # when a call is over it is told when somebody listened
COMPLETE, ONLY_HELLO, NO_FAREWELL = "0002f70f7386445b", "01f7ec3700424bc0", "05b6534dc3294138"
GREETING, FAREWELL, IDENTITY = "wording.greeting", "wording.farewell", "safety.identity"
DEAD_AIR = "wording.dead_air"
FEELINGS = ("emo_negative", "emo_neutral", "emo_positive")  # inferred from the voice


def config(name):
    return yaml.safe_load((ROOT / "config" / name).read_text())


def shipped(dimension, identity):
    return next(one for one in config(f"standards/{dimension}.yaml") if one["standard"] == identity)


def clock(at):
    utc = datetime.datetime.fromtimestamp(at / 1000, datetime.timezone.utc)
    return utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Call:
    def __init__(self, told, segments, phrases):
        self.id = told["sid"]
        self.issued = told["caller_arrival_ms"]
        self.started, self.ended = told["start_time_ms"], told["end_time_ms"]
        self.feelings = [(int(one["start_timestamp_ms"]), name, float(one[name]))
                         for one in segments for name in FEELINGS if one["role"] == "agent"]
        self.spoken = [(int(one["start_timestamp_ms"]),
                        int(one["start_timestamp_ms"]) + int(one["duration_ms"]))
                       for one in segments if one["human_text"].strip()]
        self.heard = sorted(
            (int(one["start_timestamp_ms"]), phrase)
            for one in segments if one["role"] == "agent"
            for phrase, wordings in phrases.items()
            if any(f" {wording} " in f" {one['human_text']} " for wording in wordings))

    def lines(self):
        """[(time, line)]"""
        fact = {"fact": "encounter", "id": self.id, "counter": COUNTER, "offering": OFFERING,
                "language": "en", "issued": self.issued, "started": self.started}
        yield self.started, fact
        for at, phrase in self.heard:
            yield at, {"t": at, "measure": MEASURE, "counter": COUNTER, "label": phrase}
        for at, name, value in self.feelings:
            yield at, {"t": at, "measure": name.replace("_", "."), "counter": COUNTER,
                       "value": value}
        yield self.ended, {"watch": {"measure": MEASURE, "counter": COUNTER, "from": self.started,
                                     "to": self.ended}}
        yield self.ended, dict(fact, outcome="normal", ended=self.ended)

    def phoned(self):
        """The same call at the telephone, with whether anybody speaks: whenever that changes, and
        every second."""
        for at, line in self.lines():
            moved = json.loads(json.dumps(line).replace(COUNTER, PHONE).replace(self.id, self.phone_id))
            yield at, dict(moved, offering="phone") if "fact" in moved else moved
        before = None
        for i, speaks in enumerate(self.speech()):
            if speaks != before or i % EVERY_MS == 0:
                at, before = self.started + i, speaks
                yield at, {"t": at, "measure": SPEECH, "counter": PHONE, "value": speaks}
        yield self.ended, {"watch": {"measure": SPEECH, "counter": PHONE, "from": self.started,
                                     "to": self.ended}}

    @property
    def phone_id(self):
        return f"{self.id}-phone"

    def speech(self):
        """Of each millisecond, 1: somebody speaks."""
        speaking = [0] * (self.ended - self.started)
        for begin, end in self.spoken:
            for at in range(max(begin, self.started), min(end, self.ended)):
                speaking[at - self.started] = 1
        return speaking

    def silence(self):
        """The longest one: (from, to)"""
        best, since = (0, 0), None
        for at, speaks in enumerate([*self.speech(), 1]):
            if speaks:
                if since is not None and at - since > best[1] - best[0]:
                    best = since, at
                since = None
            elif since is None:
                since = at
        return self.started + best[0], self.started + best[1]

    def seconds_to(self, labels, end):
        """From the start of service to the first of these phrases before `end`, or None."""
        return next(((at - self.started) / 1000 for at, phrase in self.heard
                     if phrase in labels and self.started <= at < end), None)

    def expected(self):
        """{standard: (verdict, measured)}"""
        phases = next(one for one in config("offerings.yaml")["offerings"]
                      if one["offering"] == OFFERING)
        opening_ends = min(self.ended, self.started + 1000 * phases["opening_s"])
        closing_begins = max(self.started, self.ended - 1000 * phases["closing_s"])
        wait, greeting = shipped("timing", "timing.wait"), shipped("wording", GREETING)
        farewell, identity = shipped("wording", FAREWELL), shipped("safety", IDENTITY)

        def soon(standard, end):
            first = self.seconds_to(standard["labels"], end)
            good = first is not None and first <= standard["bound"]["most"]
            return "met" if good else "not_met", first
        byes = sum(phrase in farewell["labels"] and closing_begins <= at < self.ended
                   for at, phrase in self.heard)
        rude = sum(phrase == "forbidden" and self.started <= at < self.ended
                   for at, phrase in self.heard)
        waited = (self.started - self.issued) / 1000
        assert waited <= wait["bound"]["most"], "nobody waited long in these calls"
        return {"timing.wait": ("met", waited),
                GREETING: soon(greeting, opening_ends),
                IDENTITY: soon(identity, self.ended),
                FAREWELL: ("met" if byes >= farewell["bound"]["least"] else "not_met", byes),
                "wording.forbidden": ("not_met" if rude else "met", rude)}


def read(folder):
    phrases = {one["phrase"]: one["en"] for one in config("phrases.yaml")}
    segments = collections.defaultdict(list)
    with open(folder / "harper_valley_segments.tsv", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            segments[row["sid"]].append(row)
    with open(folder / "harper_valley_calls.jsonl", encoding="utf-8") as file:
        return [Call(told, segments[told["sid"]], phrases) for told in map(json.loads, file)]


class Calls(Case):
    @classmethod
    def set_up(cls):
        data = data_folder()
        if data is None or not (data / "dialogue" / "harper_valley_segments.tsv").exists():
            raise unittest.SkipTest("the calls are not here; TRESEN_DATA names the folder of "
                                    "dialogue/harper_valley_segments.tsv")
        cls.calls = {call.id: call for call in read(data / "dialogue")}
        cls.new_cluster()
        write_yaml(cls.cluster.config / "branches" / f"{BRANCH}.yaml", {
            "branch": BRANCH, "name": "Harper Valley", "region": "telephone", "country": "US",
            "zone": "America/Los_Angeles", "counters": [COUNTER, DEAF, PHONE],
            "gateways": [{"gateway": GATEWAY, "opens": True}]})
        lines = [line for call in cls.calls.values() for line in (*call.lines(), *call.phoned())]
        lines += cls.unheard()
        path = cls.cluster.folder / "calls.jsonl"
        path.write_text("".join(json.dumps(line) + "\n"
                                for _, line in sorted(lines, key=lambda one: one[0])))
        cls.cluster.start_redis()
        cls.cluster.start_broker()
        cls.cluster.start_worker("w1")
        cls.cluster.start_gateway(BRANCH, GATEWAY, [
            {"driver": "jsonl", "path": str(path), "measures": [MEASURE, SPEECH],
             "lateness_ms": LATENESS_MS}])
        cls.cluster.wait(BRANCH)
        cls.found = {one["encounter"]: {verdict["standard"]: verdict
                                        for verdict in one["verdicts"]}
                     for one in cls.cluster.json("explain", BRANCH)}

    @classmethod
    def unheard(cls):
        """The call without a farewell once more, at a counter where nobody listened."""
        for at, line in cls.calls[NO_FAREWELL].lines():
            if "fact" in line:
                yield at, dict(line, id="unheard", counter=DEAF)

    def verdict(self, call, standard):
        return self.found[call][standard]["verdict"]

    def test_each_call_is_judged_as_its_transcript_says(self):
        self.assertEqual(set(self.found), {*self.calls, "unheard",
                                           *(call.phone_id for call in self.calls.values())})
        for identity, call in self.calls.items():
            for standard, (verdict, measured) in call.expected().items():
                found = self.found[identity][standard]
                what = f"{identity} {standard}: {found}"
                self.assertEqual(found["verdict"], verdict, what)
                if measured is None:
                    self.assertIsNone(found["measured"], what)
                else:
                    self.assertAlmostEqual(found["measured"], measured, delta=1e-9, msg=what)

    def test_the_complete_call_greets_and_says_goodbye(self):
        self.assertEqual(self.verdict(COMPLETE, GREETING), "met")
        self.assertEqual(self.verdict(COMPLETE, FAREWELL), "met")

    def test_the_call_without_a_farewell_fails_only_that(self):
        self.assertEqual(self.verdict(NO_FAREWELL, GREETING), "met")
        self.assertEqual(self.verdict(NO_FAREWELL, FAREWELL), "not_met")

    def test_hello_alone_is_no_greeting(self):
        self.assertEqual(self.verdict(ONLY_HELLO, GREETING), "not_met")
        self.assertEqual(self.verdict(ONLY_HELLO, FAREWELL), "met")

    def test_at_the_telephone_each_fails_what_it_lacks_and_the_report_says_when(self):
        limit = shipped("wording", DEAD_AIR)["bound"]["most"]
        for identity, failed in ((COMPLETE, set()), (ONLY_HELLO, {GREETING, DEAD_AIR}),
                                 (NO_FAREWELL, {FAREWELL, DEAD_AIR})):
            call = self.calls[identity]
            self.assertEqual({one for one in (GREETING, FAREWELL, DEAD_AIR)
                              if self.verdict(call.phone_id, one) == "not_met"}, failed)
            begin, end = call.silence()
            dead_air = self.found[call.phone_id][DEAD_AIR]
            self.assertEqual(end - begin > 1000 * limit, DEAD_AIR in failed)
            self.assertAlmostEqual(dead_air["measured"], (end - begin) / 1000, delta=1e-9)
            if DEAD_AIR in failed:
                self.assertIn(f"worst {clock(begin)} to {clock(end)}",
                              self.cluster.ctl("explain", BRANCH, call.phone_id))

    def test_where_nobody_listened_nobody_is_accused(self):
        for standard in (GREETING, FAREWELL, IDENTITY, "wording.forbidden"):
            self.assertEqual(self.verdict("unheard", standard), "insufficient_evidence")

    def test_when_it_stops_no_inferred_feeling_has_left_the_gateway(self):
        offered = 2 * sum(len(call.feelings) for call in self.calls.values())
        self.assertGreater(offered, 50)
        self.assertEqual(self.cluster.processes[f"gateway.{BRANCH}.{GATEWAY}"].stop(), 0)
        self.assertEqual(self.cluster.counted(BRANCH, GATEWAY)["undeclared_measure"], offered)
        spool = sqlite3.connect(f"file:{self.cluster.folder}/gateway.{BRANCH}.{GATEWAY}.spool"
                                "?mode=ro", uri=True)
        bodies = b"".join(body for body, in spool.execute("SELECT body FROM batch"))
        spool.close()
        self.assertIn(MEASURE.encode(), bodies)
        self.assertNotIn(b"emo", bodies)

    def test_the_audit_is_clean(self):
        self.cluster.ctl("audit", BRANCH)


if __name__ == "__main__":
    main()
