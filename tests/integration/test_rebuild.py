"""tresenctl rebuild: the store forgets days, the gateways bring them again, every figure is as before."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from cluster import Case, made_up_day, main, until  # noqa: E402

BRANCH, DAY, DAY_AFTER = "musterstadt", "2024-11-25", "2024-11-26"
GATEWAYS = ("desk", "floor")
SPOOLS = ("--set", "spool_days=3650")  # the day lies years back


class Rebuild(Case):
    def setUp(self):
        self.cluster = self.own_cluster()
        self.cluster.only_gateways(BRANCH, GATEWAYS)
        self.day = made_up_day(self.cluster.folder / "day")
        self.cluster.start_redis()
        self.cluster.start_broker()
        self.cluster.start_worker("w1")
        for gateway in GATEWAYS:
            self.cluster.start_shipped_gateway(BRANCH, gateway, self.day, DAY)
        self.cluster.wait(BRANCH)

    def position(self):
        return self.cluster.gateway_status(BRANCH, "desk")["position"]

    def test_all_that_the_spools_hold_comes_again_and_counts_once(self):
        card = self.cluster.ctl("--json", "scorecard", BRANCH)
        before = self.position()
        done = self.cluster.json(*SPOOLS, "--from", DAY, "rebuild", BRANCH)
        self.assertEqual((done["branch"], done["from"]), (BRANCH, DAY))
        self.assertGreater(done["encounters"], 50)
        until(lambda: self.cluster.ctl("--json", "scorecard", BRANCH) == card,
              "every figure is as it was")
        until(lambda: self.position() == before, "the positions are as they were")
        self.cluster.wait(BRANCH)
        audit = self.cluster.json("audit", BRANCH)
        self.assertTrue(audit["fine"], audit)

        # What began before the day named stays, and nothing of it counts twice.
        done = self.cluster.json(*SPOOLS, "--from", DAY_AFTER, "rebuild", BRANCH)
        self.assertEqual(done["encounters"], 0)
        until(lambda: self.position() == before, "the positions are as they were once more")
        self.assertEqual(self.cluster.ctl("--json", "scorecard", BRANCH), card)
        self.assertTrue(self.cluster.json("audit", BRANCH)["fine"])

    def test_what_the_spools_may_not_hold_stays(self):
        for wrong, reason in (((BRANCH, "--from", DAY), "spools go back 7 days"),
                              ((BRANCH, "--from", "zzzz-99-99"), "is no day"),
                              (("nowhere",), "no branch nowhere")):
            done = self.cluster.ctl_run("rebuild", *wrong)
            self.assertEqual(done.returncode, 1, done)
            self.assertIn(reason, done.stderr)
        self.assertEqual(self.cluster.json("--day", DAY, "seal", BRANCH)[0]["sealed"], True)
        done = self.cluster.ctl_run(*SPOOLS, "--from", DAY, "rebuild", BRANCH)
        self.assertIn("is sealed", done.stderr)


if __name__ == "__main__":
    main()
