"""People decide about verdicts: the office's gateway brings it, scorecards follow, and a store that
was emptied, or fell back, decides the same again."""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from cluster import DEADLINE_S, Case, main, until, write_yaml  # noqa: E402

BRANCH = "musterstadt"
NINE_MS = 1732521600000  # 2024-11-25, 09:00 in Berlin
MINUTE_MS = 60000
CLIENTS = 6
HUNG_UP, GRAVE = "A9", {
    "standard": "timing.hung_up", "norm": "enough-time", "dimension": "timing", "status": "active",
    "text": {"de": "Eine Bedienung dauert mindestens {least}.",
             "en": "A service takes at least {least}."},
    "source": "made up", "during": "service", "statistic": "duration", "unit": "s",
    "bound": {"least": 5}, "weight": 1, "severity": "auto_fail", "attribution": "employee",
    "tests": [{"given": {"started": 0, "ended": 5}, "expect": "met"},
              {"given": {"started": 0, "ended": 4}, "expect": "not_met"}]}


def encounters():
    """The first half waits for an hour, the second for a minute."""
    for i in range(CLIENTS):
        issued = NINE_MS + i * 10 * MINUTE_MS
        started = issued + (60 if i < CLIENTS // 2 else 1) * MINUTE_MS
        yield {"fact": "encounter", "id": f"A{i}", "counter": "desk-1", "offering": "cash",
               "outcome": "normal", "issued": issued, "called": started - 1000,
               "started": started, "ended": started + MINUTE_MS}
    issued = NINE_MS + 2 * 60 * MINUTE_MS
    yield {"fact": "encounter", "id": HUNG_UP, "counter": "desk-1", "offering": "cash",
           "outcome": "normal", "issued": issued, "started": issued, "ended": issued + 2000}


class Decisions(Case):
    @classmethod
    def set_up(cls):
        cls.new_cluster()
        cls.cluster.only_gateways(BRANCH, {"desk", "office"})
        write_yaml(cls.cluster.config / "standards" / "grave.yaml", [GRAVE])
        cls.path = cls.cluster.folder / "decisions" / f"{BRANCH}.jsonl"
        cls.cluster.start_redis()
        cls.cluster.start_broker()
        cls.cluster.start_worker("w1")
        recording = cls.cluster.folder / "desk.jsonl"
        recording.write_text("".join(json.dumps(one) + "\n" for one in encounters()))
        cls.cluster.start_gateway(BRANCH, "desk", [{"driver": "jsonl", "path": str(recording),
                                                   "speed": 0}])
        cls.cluster.wait(BRANCH)
        cls.start_office()
        cls.standard = cls.find_standard()

    @classmethod
    def start_office(cls):
        cls.cluster.start_gateway(BRANCH, "office", [
            {"driver": "decisions", "path": str(cls.path), "poll_ms": 50}])

    @classmethod
    def find_standard(cls):
        """One that the late clients broke and that the others kept."""
        broken = {one["standard"] for one in cls.verdicts("A0") if one["verdict"] == "not_met"}
        kept = {one["standard"] for one in cls.verdicts("A5") if one["verdict"] == "met"}
        return sorted(broken & kept)[0]

    @classmethod
    def verdicts(cls, encounter):
        return cls.cluster.json("explain", BRANCH, encounter)["verdicts"]

    def counts(self):
        return next(one["verdicts"] for dimension in self.cluster.json("scorecard", BRANCH)["dimensions"]
                    for one in dimension["standards"] if one["id"] == self.standard)

    def verdict(self, encounter, standard):
        return next(one for one in self.verdicts(encounter) if one["standard"] == standard)

    def decide(self, kind, encounter, standard, why="seen on site"):
        done = self.cluster.json(kind, encounter, standard, "--reason", why, "--by", "e.richter",
                                 "--seconds", DEADLINE_S)
        self.assertTrue(done["applied"])

    def until_verdict(self, encounter, standard, verdict, reason):
        until(lambda: (one := self.verdict(encounter, standard))["verdict"] == verdict
              and one["reason"] == reason, f"{encounter} is {verdict}, {reason}")

    def card(self):
        return self.cluster.ctl("--json", "scorecard", BRANCH), \
            self.cluster.ctl("--json", "explain", BRANCH)

    def settled(self):
        """Nothing is on its way to be judged."""
        return self.cluster.redis("EXISTS", f"t:{{{BRANCH}}}:due") == 0

    def test_0_a_grave_violation_is_none_before_a_person_has_confirmed_it(self):
        def told():
            card = self.cluster.json("scorecard", BRANCH)
            return card["severities"]["auto_fail"], card["undecided"]
        grave, undecided = told()
        self.assertEqual((grave["verdicts"]["met"], grave["verdicts"]["not_met"],
                          grave["unconfirmed"], undecided), (CLIENTS, 1, 1, [HUNG_UP]))
        self.assertIn("auto_fail: 0 violations in 7 judgements, and 1 that a person has yet to confirm",
                      self.cluster.ctl("scorecard", BRANCH))
        self.cluster.ctl("audit", BRANCH)
        self.decide("confirm", HUNG_UP, GRAVE["standard"])
        self.until_verdict(HUNG_UP, GRAVE["standard"], "not_met", "confirmed")
        grave, undecided = told()
        self.assertEqual((grave["verdicts"]["not_met"], grave["unconfirmed"], undecided), (1, 0, []))
        self.assertIn("auto_fail: 1 violations in 7 judgements\n", self.cluster.ctl("scorecard", BRANCH))
        self.cluster.ctl("audit", BRANCH)

    def test_1_decisions_of_final_encounters_change_their_scorecard(self):
        standard = self.standard
        self.assertEqual(self.cluster.json("explain", BRANCH, "A0")["state"], "final")
        before = self.counts()
        self.decide("excuse", "A0", standard, "fire drill")
        self.until_verdict("A0", standard, "excused", "pardoned")
        one = self.verdict("A0", standard)
        self.assertEqual(one["found"]["verdict"], "not_met")
        self.assertEqual([(d["decision"], d["by"], d["why"]) for d in one["decisions"]],
                         [("excuse", "e.richter", "fire drill")])
        self.assertEqual(self.counts(), {**before, "not_met": before["not_met"] - 1,
                                         "excused": before["excused"] + 1})

        self.decide("dispute", "A1", standard)
        self.until_verdict("A1", standard, "insufficient_evidence", "disputed")
        self.assertEqual(self.cluster.json("scorecard", BRANCH)["undecided"], ["A1"])
        self.assertIn("wait for a person", self.cluster.ctl("scorecard", BRANCH))
        self.decide("dispute", "A2", standard)
        self.decide("confirm", "A2", standard, "the camera agrees")
        self.until_verdict("A2", standard, "not_met", "confirmed")
        self.assertIn("confirm by e.richter", self.cluster.ctl("explain", BRANCH, "A2"))
        self.cluster.ctl("audit", BRANCH)

    def test_2_an_emptied_store_decides_the_same_again(self):
        until(self.settled, "all is settled")
        before = self.card()
        self.cluster.redis("FLUSHALL")
        until(lambda: self.cluster.ctl_run("explain", BRANCH, "A5").returncode == 0
              and self.settled() and self.card() == before, "the same stands there again")
        self.cluster.ctl("audit", BRANCH)

    def test_3_a_store_that_fell_back_decides_the_same_again(self):
        standard = self.standard
        until(self.settled, "all is settled")
        keys = {key: self.cluster.redis("DUMP", key)
                for key in self.cluster.redis("KEYS", f"t:{{{BRANCH}}}:*")}
        self.decide("withdraw", "A0", standard, "a mistake")
        self.decide("excuse", "A1", standard)
        self.until_verdict("A0", standard, "not_met", "violated")
        self.until_verdict("A1", standard, "excused", "pardoned")
        until(self.settled, "all is settled")
        after = self.card()
        # At once, as a store falls back: an emptied one would be filled in between.
        self.cluster.redis_at_once(
            [("DEL", *self.cluster.redis("KEYS", f"t:{{{BRANCH}}}:*"))]
            + [("RESTORE", key, 0, dump.encode(errors="surrogateescape"))
               for key, dump in keys.items()])
        until(lambda: self.settled() and self.card() == after, "the same stands there again")
        self.cluster.ctl("audit", BRANCH)

    def test_4_a_decision_is_kept_while_the_office_is_away(self):
        standard = self.standard
        self.cluster.processes[f"gateway.{BRANCH}.office"].stop()
        done = self.cluster.json("excuse", "A2", standard, "--reason", "later", "--by", "e.richter",
                                 "--seconds", "0")
        self.assertFalse(done["applied"])
        self.assertEqual(self.verdict("A2", standard)["verdict"], "not_met")
        self.start_office()
        self.until_verdict("A2", standard, "excused", "pardoned")

    def test_5_what_cannot_be_decided_is_said(self):
        standard, size = self.standard, self.path.stat().st_size
        for words, said in ((("confirm", "A0", standard), "--reason"),
                            (("confirm", "A0", "nonsense", "--reason", "x"), "not judged"),
                            (("confirm", BRANCH, "Z9", standard, "--reason", "x"), "no encounter"),
                            (("confirm", "A0", standard, "--reason", "x", "--by", "a b"), "--by")):
            done = self.cluster.ctl_run(*words)
            self.assertEqual(done.returncode, 1, words)
            self.assertIn(said, done.stderr)
        self.assertEqual(self.path.stat().st_size, size)

    def test_6_a_sensor_that_decides_is_refused_and_named(self):
        line = json.loads(self.path.read_text().splitlines()[0])
        odd = self.cluster.folder / "odd.jsonl"
        odd.write_text(json.dumps({**line, "decided": line["decided"] + 10**9}) + "\n")
        before = self.card()
        self.cluster.processes[f"gateway.{BRANCH}.desk"].stop()
        self.cluster.start_gateway(BRANCH, "desk", [{"driver": "decisions", "path": str(odd)}],
                                   spool=str(self.cluster.folder / "odd.spool"))
        until(lambda: f"gateway desk decides about encounter {line['encounter']}"
              in self.cluster.processes[f"gateway.{BRANCH}.desk"].text(), "it is refused")
        self.assertEqual(self.card(), before)


if __name__ == "__main__":
    main()
