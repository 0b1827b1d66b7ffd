"""The shipped day, played by the real programs: standards are judged, sums are sums, and what is
sent again changes nothing."""

import collections
import gzip
import pathlib
import sqlite3
import sys

import msgpack

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from cluster import Case, made_up_day, main, until  # noqa: E402

BRANCH, DAY = "musterstadt", "2024-11-25"
GATEWAYS = ("desk", "floor", "eye", "ear", "form")


def plant_emotions(path):
    """What py-feat infers from a face, as further columns of its file."""
    with gzip.open(path, "rt") as text:
        lines = text.read().splitlines()
    with gzip.open(path, "wt") as out:
        for line in lines:
            more = ",Happy,Anger,valence,arousal" if line.startswith("frame") else ",0,1,-1,0.9"
            out.write(line + ("" if line.startswith("#") else more) + "\n")


class Day(Case):
    """One play; the tests run in the order of their names."""

    @classmethod
    def set_up(cls):
        cls.new_cluster()
        cls.day = made_up_day(cls.cluster.folder / "day")
        plant_emotions(cls.day / "eye-1.csv.gz")
        cls.cluster.start_redis()
        cls.cluster.start_broker()
        for name in ("w1", "w2"):
            cls.cluster.start_worker(name)
        cls.start_gateways()
        cls.cluster.wait(BRANCH)
        cls.card_text = cls.cluster.ctl("--json", "scorecard", BRANCH)
        cls.card = cls.cluster.json("scorecard", BRANCH)
        cls.encounters = cls.cluster.json("explain", BRANCH)

    @classmethod
    def start_gateways(cls):
        for gateway in GATEWAYS:
            cls.cluster.start_shipped_gateway(BRANCH, gateway, cls.day, DAY)

    def stop_gateways(self):
        for gateway in GATEWAYS:
            self.assertEqual(self.cluster.processes[f"gateway.{BRANCH}.{gateway}"].stop(), 0)

    def positions(self):
        return {gateway: (entry["epoch"], entry["position"], entry["report"]["spooled"])
                for gateway in GATEWAYS
                for entry in [self.cluster.gateway_status(BRANCH, gateway)]}

    def dimension(self, name):
        return next(one for one in self.card["dimensions"] if one["dimension"] == name)

    def test_1_every_dimension_is_judged_both_ways(self):
        self.assertEqual(len(self.card["dimensions"]), 6)
        for dimension in self.card["dimensions"]:
            name, verdicts = dimension["dimension"], dimension["verdicts"]
            self.assertGreaterEqual(len(dimension["standards"]), 3, name)
            self.assertGreaterEqual(verdicts["met"], 5, name)
            self.assertGreaterEqual(verdicts["partly_met"] + verdicts["not_met"], 1, name)
        self.assertEqual(self.card["provisional"], 0)

    def test_1_every_total_is_the_sum_of_the_encounters(self):
        outcomes = collections.Counter(one["outcome"] for one in self.encounters)
        self.assertEqual(self.card["encounters"], len(self.encounters))
        self.assertEqual({key: count for key, count in self.card["outcomes"].items() if count},
                         dict(outcomes))
        scores = [one["score"] for one in self.encounters if one["score"] is not None]
        self.assertEqual(self.card["scored"], len(scores))
        if scores:
            self.assertAlmostEqual(self.card["score"], sum(scores) / len(scores), delta=1e-6)
        sums = collections.defaultdict(collections.Counter)
        for encounter in self.encounters:
            for verdict in encounter["verdicts"]:
                sums[verdict["standard"]][verdict["verdict"]] += 1
        standards = [one for dimension in self.card["dimensions"]
                     for one in dimension["standards"]] + self.card["shadow"]
        self.assertEqual({one["id"] for one in standards}, set(sums))
        for one in standards:
            self.assertEqual({key: count for key, count in one["verdicts"].items() if count},
                             dict(sums[one["id"]]), one["id"])

    def test_1_grave_standards_are_also_counted_by_themselves(self):
        sums = collections.Counter()
        for dimension in self.card["dimensions"]:
            for one in dimension["standards"]:
                if one["severity"] == "critical":
                    sums.update(one["verdicts"])
        critical = self.card["severities"]["critical"]
        self.assertGreater(sum(critical["verdicts"].values()), 0)
        self.assertEqual(critical["verdicts"], dict(sums))

    def test_1_the_audit_is_clean(self):
        self.cluster.ctl("audit", BRANCH)

    def test_1_every_row_of_the_log_is_an_encounter_or_counted(self):
        rows = [line for line in (self.day / "desk.csv").read_text().splitlines()
                if not line.startswith("#")][1:]
        self.assertGreaterEqual(len(rows), 80)
        counts = self.cluster.counted(BRANCH, "desk")
        refused = sum(counts.get(name, 0) for name in (
            "torn_line", "bad_outcome", "ignored", "bad_key", "repeated_key", "bad_counter",
            "bad_date", "bad_time", "no_service_time", "never_queued", "negative_time"))
        self.assertEqual(len(rows) - refused, len(self.encounters))

    def test_2_a_gateway_on_the_same_spool_sends_nothing_again(self):
        before = self.positions()
        self.stop_gateways()
        sent = self.cluster.status()["counters"]["batches"]
        sessions = {gateway: self.cluster.gateway_status(BRANCH, gateway)["session"]
                    for gateway in GATEWAYS}
        self.start_gateways()
        for gateway in GATEWAYS:
            until(lambda g=gateway: self.cluster.gateway_status(BRANCH, g)["session"]
                  > sessions[g], f"{gateway} asks again")
        self.cluster.wait(BRANCH)
        self.assertEqual(self.positions(), before)
        self.assertEqual(self.cluster.status()["counters"]["batches"], sent)
        self.assertEqual(self.cluster.ctl("--json", "scorecard", BRANCH), self.card_text)

    def test_3_without_its_spool_the_day_is_sent_again_and_no_figure_changes(self):
        before = self.positions()
        self.stop_gateways()
        for spool in self.cluster.folder.glob("*.spool*"):
            spool.unlink()
        self.start_gateways()
        for gateway in GATEWAYS:
            def again(g=gateway):
                epoch, position, spooled = self.positions()[g]
                return epoch > before[g][0] and position == spooled > 0
            until(again, f"{gateway} has sent everything under a new epoch")
        self.cluster.wait(BRANCH)
        self.assertEqual(self.cluster.ctl("--json", "scorecard", BRANCH), self.card_text)
        self.cluster.ctl("audit", BRANCH)

    def test_4_of_a_face_only_the_agreed_measures_leave_the_gateway(self):
        allowed = {"vision.smile", "vision.facing", "vision.gaze", "vision.nod"}
        self.assertEqual(self.cluster.processes[f"gateway.{BRANCH}.eye"].stop(), 0)
        spool = sqlite3.connect(f"file:{self.cluster.folder}/gateway.{BRANCH}.eye.spool?mode=ro",
                                uri=True)
        bodies = [msgpack.unpackb(body) for body, in spool.execute("SELECT body FROM batch")]
        spool.close()
        series = [one for body in bodies for one in body.get("series", [])]
        seen = {one["measure"] for one in series}
        self.assertTrue({"vision.smile", "vision.facing", "vision.gaze"} <= seen <= allowed, seen)


if __name__ == "__main__":
    main()
