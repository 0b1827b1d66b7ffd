"""Sealed days: what is known of single encounters goes, every figure stays, whatever comes again."""

import pathlib
import re
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from cluster import BUILD, ROOT, Case, made_up_day, main, until  # noqa: E402

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

    def test_the_timers_service_seals_every_branch(self):
        """As systemd would start it, but for the folders; days of 2024 are older than any term."""
        unit = (ROOT / "ops/systemd/tresen-seal.service").read_text()
        program, _, config, *words = re.search(r"^ExecStart=(.+)$", unit, re.M)[1].split()
        self.assertEqual((program, config), ("/usr/bin/tresenctl", "/etc/tresen/tresenctl.yaml"))
        card = self.cluster.ctl("--json", "scorecard", BRANCH)
        said = self.cluster.ctl(*words)
        self.assertRegex(said, rf"{BRANCH} {DAY}: \d+ encounters are gone")
        self.assertEqual(self.cluster.redis("KEYS", f"t:{{{BRANCH}}}:e:*"), [])
        self.assertEqual(self.cluster.ctl("--json", "scorecard", BRANCH), card)
        self.assertIn("nothing is old enough", self.cluster.ctl(*words))
        done = self.cluster.ctl_run(*words, "nowhere", BRANCH)
        self.assertEqual(done.returncode, 1)
        self.assertIn("nowhere is neither in the configuration nor in the store", done.stderr)

    @unittest.skipUnless(shutil.which("systemd-analyze"), "no systemd")
    def test_systemd_takes_the_units(self):
        folder = self.cluster.folder / "units"
        shutil.copytree(ROOT / "ops/systemd", folder)
        service = folder / "tresen-seal.service"
        service.write_text(service.read_text().replace("/usr/bin/tresenctl", str(BUILD / "tresenctl"))
                           .replace("User=tresen", "User=root"))
        done = subprocess.run(["systemd-analyze", "verify", *folder.glob("tresen-*")],
                              capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))

    def test_what_is_no_day_seals_nothing(self):
        done = self.cluster.ctl_run("--day", "zzzz-99-99", "seal", BRANCH)
        self.assertEqual(done.returncode, 1)
        self.assertIn("no day", done.stderr)


if __name__ == "__main__":
    main()
