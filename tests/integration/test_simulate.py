"""Simulated branches through the real programs: verdicts, and encounters made of presence, against
what was true. All 200 seeds, without programs: tests/unit/simulate/truth_test.c."""

import datetime
import json
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from cluster import BUILD, Case, main, until, write_yaml  # noqa: E402

EXACT, NOISY = "beispiel", "musterstadt"  # sensors without error; with the one that they state
WALK_IN = "walk-in"  # no queue system: a distance is all there is
GATEWAYS = {EXACT: "door", NOISY: "desk", WALK_IN: "radar"}
DAY = datetime.date(2026, 11, 23)


class Simulate(Case):
    @classmethod
    def set_up(cls):
        cls.new_cluster()
        cluster = cls.cluster
        for branch in (EXACT, NOISY):
            cluster.only_gateways(branch, [GATEWAYS[branch]])
        write_yaml(cluster.config / "branches" / f"{WALK_IN}.yaml", {
            "branch": WALK_IN, "name": "Walk in", "region": "north", "country": "DE",
            "zone": "Europe/Berlin", "counters": ["bar-1", "bar-2"],
            "gateways": [{"gateway": GATEWAYS[WALK_IN], "opens": True}]})
        cluster.start_redis()
        cluster.start_broker()
        for name in ("w1", "w2"):
            cluster.start_worker(name)
        cls.simulate(EXACT, noise=0, clients_an_hour=12)
        cls.simulate_and_kill(NOISY, noise=1)
        cls.simulate_and_kill(
            WALK_IN, noise=1, clients_an_hour=25, encounters=False, measures=["distance.client"],
            more={"presence_measure": "distance.client", "presence_offering": "cash",
                  "presence_enter_m": 4.5, "presence_enter_ms": 1000, "presence_leave_m": 5,
                  "presence_leave_ms": 3000})
        cluster.wait(EXACT, NOISY, WALK_IN)

    @classmethod
    def simulate_and_kill(cls, branch, **settings):
        """Killed in the middle of it: what is told twice is the same."""
        cls.simulate(branch, **settings)
        gateway = GATEWAYS[branch]
        until(lambda: (cls.cluster.gateway_status(branch, gateway) or {}).get("position"),
              "something is applied")
        cls.cluster.processes[f"gateway.{branch}.{gateway}"].kill()
        cls.simulate(branch, **settings)

    @classmethod
    def simulate(cls, branch, more=None, **settings):
        cls.cluster.start_gateway(
            branch, GATEWAYS[branch], legal_most="P3", **(more or {}),
            # Slow enough to be killed in the middle of it.
            drivers=[{"driver": "simulate", "seed": 11, "day": str(DAY), "speed": 10000,
                      "truth": str(cls.cluster.folder / branch), **settings}])

    def truth(self, branch):
        """What was true, by encounter."""
        truth = {}
        for line in (self.cluster.folder / branch).read_text().splitlines():
            row = json.loads(line)
            self.assertEqual(truth.setdefault(row["encounter"], row), row)
        return truth

    def pairs(self, branch):
        """(true standard or None, verdict) of every encounter and standard of which there is truth."""
        truth = self.truth(branch)
        known = {standard for row in truth.values() for standard in row["standards"]}
        self.assertGreaterEqual(len(known), 18)
        encounters = {one["encounter"]: one for one in self.cluster.json("explain", branch)}
        self.assertEqual(set(encounters), set(truth))
        self.assertGreater(len(truth), 25)
        for name, row in truth.items():
            self.assertEqual(encounters[name]["outcome"], row["outcome"])
            for verdict in encounters[name]["verdicts"]:
                if verdict["verdict"] != "not_selected" and verdict["standard"] in known:
                    yield row["standards"].get(verdict["standard"]), verdict

    def test_without_error_the_verdict_is_the_truth(self):
        seen = set()
        for true, verdict in self.pairs(EXACT):
            name = verdict["verdict"]
            if true is None:
                self.assertEqual(name, "not_applicable", verdict)
                continue
            seen.add((verdict["dimension"], true["met"]))
            if true["met"]:
                self.assertEqual(name, "met", (true, verdict))
            else:  # measures.yaml states an uncertainty all the same
                self.assertTrue(name in ("partly_met", "not_met")
                                or verdict["reason"] == "guard_band", (true, verdict))
            if true["value"] is not None:
                self.assertAlmostEqual(verdict["measured"], true["value"], delta=1e-3)
        self.assertEqual(len({dimension for dimension, _ in seen}), 6)
        self.assertGreater(len(seen), 10)

    def test_with_error_next_to_nobody_is_accused(self):
        met = accused = right = 0
        for true, verdict in self.pairs(NOISY):
            if true is None:
                self.assertEqual(verdict["verdict"], "not_applicable", verdict)
                continue
            violated = verdict["verdict"] in ("partly_met", "not_met")
            met += true["met"]
            accused += true["met"] and violated
            right += violated != true["met"] and verdict["verdict"] != "insufficient_evidence"
        self.assertGreater(met, 500)
        self.assertLessEqual(accused, 0.025 * met)
        self.assertGreater(right, 0.9 * met)

    def test_presence_finds_the_services_that_took_place(self):
        served = sorted((row["counter"], row["started"], row["ended"])
                        for row in self.truth(WALK_IN).values() if row["started"])
        encounters = self.cluster.json("explain", WALK_IN)
        found = sorted((one["counter"], one["started"], one["ended"]) for one in encounters)
        self.assertGreater(len(served), 40)
        self.assertEqual(len(found), len(served), (found, served))
        for true, seen in zip(served, found):
            self.assertEqual(true[0], seen[0])
            for at, seen_at in zip(true[1:], seen[1:]):
                late = (datetime.datetime.fromisoformat(seen_at)
                        - datetime.datetime.fromisoformat(at)).total_seconds()
                self.assertLessEqual(abs(late), 3, (true, seen))
        for one in encounters:
            self.assertEqual(one["encounter"], f"{one['counter']}-{one['started']}")
            self.assertEqual(one["outcome"], "normal")
            verdicts = {verdict["standard"]: verdict["verdict"] for verdict in one["verdicts"]}
            self.assertIn(verdicts["proxemics.mean"], ("met", "partly_met", "not_met",
                                                       "insufficient_evidence"))

    def test_presence_that_cannot_be_is_told_before(self):
        for wrong, said in ((["presence_measure=audio.loudness"], "no distance in m called"),
                            (["presence_measure=distance.client", "presence_leave_m=1"],
                             "presence_leave_m is below presence_enter_m"),
                            (["presence_measure=distance.client", "presence_offering=A B"],
                             "presence_offering: 'A B'")):
            done = subprocess.run(
                [BUILD / "tresen-gateway", "--config",
                 self.cluster.folder / f"gateway.{WALK_IN}.{GATEWAYS[WALK_IN]}.yaml", "--check",
                 *(word for setting in wrong for word in ("--set", setting))],
                capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(said, done.stderr)


if __name__ == "__main__":
    main()
