"""Sealed days: what is known of single encounters goes, every figure stays, whatever comes again."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from cluster import Case, made_up_day, main, until  # noqa: E402

BRANCH, DAY = "musterstadt", "2024-11-25"
GATEWAYS = ("desk", "floor")


class Seal(Case):
    def setUp(self):
        self.cluster = self.own_cluster()
        self.cluster.only_gateways(BRANCH, GATEWAYS)
        self.day = made_up_day(self.cluster.folder / "day")
        self.cluster.start_redis()
        self.cluster.start_broker()
        self.cluster.start_worker("w1")
        self.play()

    def play(self):
        for gateway in GATEWAYS:
            self.cluster.start_shipped_gateway(BRANCH, gateway, self.day, DAY)
        self.cluster.wait(BRANCH)

    def epoch(self):
        entry = self.cluster.gateway_status(BRANCH, "desk")
        return entry["epoch"] if entry["position"] == entry["report"]["spooled"] > 0 else 0

    def test_a_sealed_day_keeps_its_figures_and_nothing_else(self):
        card = self.cluster.ctl("--json", "scorecard", BRANCH)
        encounters = self.cluster.json("explain", BRANCH)
        self.assertEqual(self.cluster.json("--day", "2024-11-24", "seal", BRANCH), [])
        self.assertEqual(self.cluster.ctl("--json", "scorecard", BRANCH), card)

        sealed = self.cluster.json("--day", DAY, "seal", BRANCH)
        self.assertEqual([(one["day"], one["sealed"]) for one in sealed], [(DAY, True)])
        self.assertGreater(sealed[0]["encounters"], 50)
        self.assertEqual(self.cluster.redis("KEYS", f"t:{{{BRANCH}}}:e:*"), [])
        self.assertTrue(encounters)
        self.assertEqual(self.cluster.ctl("--json", "scorecard", BRANCH), card)
        self.assertTrue(self.cluster.json("audit", BRANCH)["fine"])

        # Everything is sent once more, by gateways that have lost their spools.
        before = self.epoch()
        for gateway in GATEWAYS:
            self.assertEqual(self.cluster.processes[f"gateway.{BRANCH}.{gateway}"].stop(), 0)
        for spool in self.cluster.folder.glob("*.spool*"):
            spool.unlink()
        self.play()
        until(lambda: self.epoch() > before, "all is sent under a new epoch")
        self.cluster.wait(BRANCH)
        self.assertEqual(self.cluster.ctl("--json", "scorecard", BRANCH), card)
        self.assertTrue(self.cluster.json("audit", BRANCH)["fine"])
        late = self.cluster.redis("HGET", f"t:{{{BRANCH}}}:counters", "too_late_facts")
        self.assertGreater(int(late), 50)

    def test_what_is_no_day_seals_nothing(self):
        done = self.cluster.ctl_run("--day", "zzzz-99-99", "seal", BRANCH)
        self.assertEqual(done.returncode, 1)
        self.assertIn("no day", done.stderr)


if __name__ == "__main__":
    main()
