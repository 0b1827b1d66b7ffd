"""Simulated branches through the real programs: verdicts against what was true. All 200 seeds, without
programs: tests/unit/simulate/truth_test.c."""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from cluster import Case, main, until  # noqa: E402

EXACT, NOISY = "beispiel", "musterstadt"  # sensors without error; with the one that they state
GATEWAYS = {EXACT: "door", NOISY: "desk"}


class Simulate(Case):
    @classmethod
    def set_up(cls):
        cls.new_cluster()
        cluster = cls.cluster
        for branch, gateway in GATEWAYS.items():
            cluster.only_gateways(branch, [gateway])
        cluster.start_redis()
        cluster.start_broker()
        for name in ("w1", "w2"):
            cluster.start_worker(name)
        cls.simulate(EXACT, noise=0, clients_an_hour=12)
        cls.simulate(NOISY, noise=1)
        # Killed in the middle of it: what is told twice is the same.
        noisy = cluster.processes[f"gateway.{NOISY}.{GATEWAYS[NOISY]}"]
        until(lambda: (cluster.gateway_status(NOISY, GATEWAYS[NOISY]) or {}).get("position"),
              "something is applied")
        noisy.kill()
        cls.simulate(NOISY, noise=1)
        cluster.wait(EXACT, NOISY)

    @classmethod
    def simulate(cls, branch, **settings):
        cls.cluster.start_gateway(branch, GATEWAYS[branch], legal_most="P3", drivers=[
            {"driver": "simulate", "seed": 11, "truth": str(cls.cluster.folder / branch),
             **settings}])

    def pairs(self, branch):
        """(true standard or None, verdict) of every standard and encounter."""
        truth = {}
        for line in (self.cluster.folder / branch).read_text().splitlines():
            row = json.loads(line)
            self.assertEqual(truth.setdefault(row["encounter"], row), row)
        encounters = {one["encounter"]: one for one in self.cluster.json("explain", branch)}
        self.assertEqual(set(encounters), set(truth))
        self.assertGreater(len(truth), 25)
        for name, row in truth.items():
            self.assertEqual(encounters[name]["outcome"], row["outcome"])
            for verdict in encounters[name]["verdicts"]:
                if verdict["verdict"] != "not_selected":
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


if __name__ == "__main__":
    main()
