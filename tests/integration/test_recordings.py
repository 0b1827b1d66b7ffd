"""Recordings of real people, played at once by the real programs, against figures computed from the
raw files by recompute.py."""

import collections
import datetime
import json
import pathlib
import sys
import unittest
import zoneinfo

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import recompute  # noqa: E402
from cluster import Case, data_folder, main, write_yaml  # noqa: E402

BANK = "bank-phone"
START = "2024-11-25T10:00:00Z"
START_MS = int(datetime.datetime.fromisoformat(START.replace("Z", "+00:00")).timestamp()) * 1000

# branch: file, the driver's own settings, columns, length of an encounter in s, how far apart two
# of them begin. The employee is the person who is seen most, or whoever stands in a zone.
PLACES = {
    "cocktail-party": dict(file="cocktail_party.csv.gz", at=(3.0, 3.0), reach=8, employees=2,
                           settings={"gap_ms": 500}, length_s=40, every_s=45),
    "coffee-break": dict(file="coffee_break_seq1.csv", at=(1.0, 3.0), reach=10, employees=1,
                         settings={"frame": "frame", "rate_hz": 1, "gap_ms": 1500},
                         length_s=8, every_s=9),
    "zara": dict(file="ucy_zara01.csv.gz", at=(0.0, 11.0), reach=6, zone=1.5,
                 settings={"gap_ms": 500}, length_s=12, every_s=10),
    "students": dict(file="ucy_students03.csv.gz", at=(1.0, 0.0), reach=3, zone=1.0,
                     settings={"gap_ms": 500}, length_s=8, every_s=7),
}


class Place:
    """A recording of positions as a branch: its counters, its invented encounters."""

    def __init__(self, branch, data, settings):
        self.branch = branch
        self.settings = settings
        self.path = data / "distance" / settings["file"]
        self.recording = recompute.frames(self.path, START_MS, settings["settings"].get("rate_hz"))
        self.counters = self._counters()
        self.encounters = list(self._encounters())

    def _counters(self):
        x, y = self.settings["at"]
        if "zone" in self.settings:
            zone = {"x": x, "y": y, "radius": self.settings["zone"]}
            return [{"counter": "spot-1", "x": x, "y": y, "reach": self.settings["reach"],
                     "employee_zone": zone}]
        seen = recompute.most_seen(self.recording)[:self.settings["employees"]]
        return [{"counter": f"spot-{i + 1}", "x": x, "y": y, "reach": self.settings["reach"],
                 "employees": [person]} for i, person in enumerate(seen)]

    def _encounters(self):
        length, every = self.settings["length_s"] * 1000, self.settings["every_s"] * 1000
        first, last = self.recording[0][0], self.recording[-1][0]
        for counter in self.counters:
            for i, started in enumerate(range(first - first % 1000, last - length, every)):
                yield dict(id=f"{counter['counter']}-{i}", counter=counter["counter"],
                           outcome="normal", issued=None, started=started, ended=started + length)

    def lines(self):
        """The encounters as JSON lines in the order of time: opened, then ended."""
        told = []
        for one in self.encounters:
            fact = {"fact": "encounter", "id": one["id"], "counter": one["counter"],
                    "offering": "advice", "started": one["started"]}
            told.append((one["started"], 0, fact))
            told.append((one["ended"], 1, dict(fact, outcome="normal", ended=one["ended"])))
        told.sort(key=lambda item: (item[0], item[1], item[2]["id"]))
        return "".join(json.dumps(item[2]) + "\n" for item in told)

    def expected(self):
        series, watched = recompute.distances(self.recording, self.counters,
                                              self.settings["settings"]["gap_ms"])
        spans = {}
        for one in self.encounters:  # only the frames around it: judging looks at no others
            near = [span for span in watched
                    if span[1] > one["started"] and span[0] < one["ended"]]
            spans[one["id"]] = recompute.judge(one, series, near)
        return spans

    def registry(self):
        return {"branch": self.branch, "name": self.branch, "region": "recordings",
                "country": "IT", "zone": "Europe/Rome",
                "counters": [one["counter"] for one in self.counters],
                "gateways": [{"gateway": "log", "opens": True}, {"gateway": "floor"}]}

    def floor_driver(self):
        return {"driver": "tracks", "path": str(self.path), "start": START,
                "counters": self.counters, **self.settings["settings"]}


class Recordings(Case):
    @classmethod
    def set_up(cls):
        data = data_folder()
        if data is None:
            raise unittest.SkipTest("the recordings are not here; TRESEN_DATA names their folder")
        cls.log = data / recompute.BANK_LOG
        cls.places = {branch: Place(branch, data, one) for branch, one in PLACES.items()}
        cls.new_cluster()
        cls.configure()
        cls.play()

    @classmethod
    def configure(cls):
        cls.cluster.only_standards("recordings", recompute.standards_file())
        cls.cluster.only_branches(BANK)
        for branch, place in cls.places.items():
            write_yaml(cls.cluster.config / "branches" / f"{branch}.yaml", place.registry())

    @classmethod
    def play(cls):
        cluster = cls.cluster
        cluster.start_redis()
        cluster.start_broker()
        for name in ("w1", "w2"):
            cluster.start_worker(name)
        cluster.start_gateway(BANK, "log", [recompute.bank_driver(cls.log)])
        for branch, place in cls.places.items():
            lines = cluster.folder / f"{branch}.jsonl"
            lines.write_text(place.lines())
            cluster.start_gateway(branch, "log", [{"driver": "jsonl", "path": str(lines)}])
            cluster.start_gateway(branch, "floor", [place.floor_driver()])
        cluster.wait(BANK, *cls.places)
        cls.found = {branch: {one["encounter"]: one for one in cluster.json("explain", branch)}
                     for branch in (BANK, *cls.places)}

    # ------------------------------------------------------------------ comparing

    def compare(self, branch, identity, expected):
        """One encounter's verdicts, figures and coverage, exactly."""
        found = {one["standard"]: one for one in self.found[branch][identity]["verdicts"]}
        self.assertEqual(set(found), set(expected))
        for standard in recompute.STANDARDS:
            name = standard["id"]
            verdict, measured, coverage = expected[name]
            what = f"{branch} {identity} {name}: {found[name]}"
            self.assertEqual(found[name]["verdict"], verdict, what)
            if measured is None:
                self.assertIsNone(found[name]["measured"], what)
            else:
                _, scale = recompute.unit_of(standard)
                self.assertAlmostEqual(found[name]["measured"], float(measured / scale),
                                       delta=1e-9 * max(1, float(measured)), msg=what)
            covered = found[name]["coverage"]
            self.assertEqual(None if covered is None else round(covered * 1_000_000), coverage,
                             what)

    def compare_card(self, branch, expected):
        """The scorecard's counts against those of the expected verdicts."""
        sums = collections.defaultdict(collections.Counter)
        for verdicts in expected.values():
            for name, (verdict, _, _) in verdicts.items():
                sums[name][verdict] += 1
        card = self.cluster.json("scorecard", branch)
        self.assertEqual(card["encounters"], len(expected))
        found = {one["id"]: {key: count for key, count in one["verdicts"].items() if count}
                 for dimension in card["dimensions"] for one in dimension["standards"]}
        self.assertEqual(found, {name: dict(counts) for name, counts in sums.items()})
        return card

    # ------------------------------------------------------------------ the tests

    def test_the_banks_calls(self):
        calls, odd = recompute.bank_encounters(self.log)
        found = self.found[BANK]
        self.assertGreater(len(calls), 16_000)
        self.assertEqual(set(found), set(calls))
        expected = {}
        for identity, call in calls.items():
            one = found[identity]
            self.assertEqual((one["counter"], one["outcome"], one["offering"]),
                             (call["counter"], call["outcome"], call["offering"]), identity)
            for time in ("issued", "started", "ended"):
                self.assertEqual(milliseconds(one[time]), call[time], f"{identity} {time}")
            expected[identity] = recompute.judge(call, {}, [])
            self.compare(BANK, identity, expected[identity])
        card = self.compare_card(BANK, expected)
        self.assertEqual({key: count for key, count in card["outcomes"].items() if count},
                         dict(collections.Counter(call["outcome"] for call in calls.values())))
        self.assertEqual(self.cluster.processes[f"gateway.{BANK}.log"].stop(), 0)
        self.assertEqual(self.cluster.counted(BANK, "log"),
                         {name: count for name, count in odd.items() if count})

    def test_the_banks_waits_over_the_limit(self):
        calls, _ = recompute.bank_encounters(self.log)
        limit = next(one["most"] for one in recompute.STANDARDS if one["id"] == "timing.wait")
        longer = {identity for identity, call in calls.items()
                  if (call["started"] or call["ended"]) - call["issued"] > limit}
        found = {identity for identity, one in self.found[BANK].items()
                 for verdict in one["verdicts"]
                 if verdict["standard"] == "timing.wait"
                 and verdict["verdict"] in ("partly_met", "not_met")}
        self.assertGreater(len(longer), 100)
        self.assertEqual(found, longer)

    def test_the_banks_days(self):
        calls, _ = recompute.bank_encounters(self.log)
        zone = zoneinfo.ZoneInfo("Asia/Jerusalem")
        days = collections.defaultdict(lambda: collections.defaultdict(collections.Counter))
        for call in calls.values():
            start = call["started"] if call["started"] is not None else call["issued"]
            day = datetime.datetime.fromtimestamp(start / 1000, zone).date().isoformat()
            for name, (verdict, _, _) in recompute.judge(call, {}, []).items():
                days[day][name][verdict] += 1
        self.assertGreaterEqual(len(days), 14)
        for day, sums in days.items():
            card = self.cluster.json("scorecard", BANK, "--day", day)
            found = {one["id"]: {key: count for key, count in one["verdicts"].items() if count}
                     for dimension in card["dimensions"] for one in dimension["standards"]}
            self.assertEqual(found, {name: dict(counts) for name, counts in sums.items()}, day)

    def test_the_audit_is_clean(self):
        self.cluster.ctl("audit", BANK, *self.places)


def milliseconds(text):
    if text is None:
        return None
    return round(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


def _place_test(branch):
    def test(self):
        place = self.places[branch]
        expected = place.expected()
        self.assertEqual(set(self.found[branch]), set(expected))
        for identity, verdicts in expected.items():
            self.compare(branch, identity, verdicts)
        self.compare_card(branch, expected)
        kinds = collections.Counter(
            verdict for verdicts in expected.values() for name, (verdict, _, _) in verdicts.items()
            if name.startswith("proxemics."))
        self.assertGreater(kinds["met"], 0, kinds)
    return test


for _branch in PLACES:
    setattr(Recordings, f"test_{_branch.replace('-', '_')}", _place_test(_branch))

if __name__ == "__main__":
    main()
