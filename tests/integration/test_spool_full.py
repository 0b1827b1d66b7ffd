"""A spool without room while nothing is applied: it waits, or drops the oldest or the newest and says how
many. A disk without room, or that fails: the gateway ends and says so; when it is well again, nothing it had
reported is lost."""

import contextlib
import gzip
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from cluster import BUILD, PATIENCE, Failure, main, until  # noqa: E402
from faulted_day import BRANCH, DAY, GATEWAYS, FaultedDay  # noqa: E402

# Small batches take more room than large ones: more than the spool has.
FULL = ("batch_observations=8", "held_max=1000000", "batch_linger_ms=50", "spool_bytes_max=1048576")

EX_IOERR = 74
NUMBER_MAX = 2**53 - 1
FRAME_SIZE = 30  # of a Hi-Link LD2450


class SpoolFull(FaultedDay):
    def fill(self, policy, *settings):
        """Read as far as it goes with nobody to apply it; then let a worker come."""
        cluster = self.own_cluster()
        self.bring_key(cluster)
        cluster.only_gateways(BRANCH, GATEWAYS)
        cluster.start_redis()
        cluster.start_broker()
        cluster.day = shutil.copytree(self.day, cluster.folder / "day")
        for gateway in GATEWAYS:
            self.start_full(cluster, gateway, policy, *settings)
        return cluster

    @staticmethod
    def start_full(cluster, gateway, policy, *settings):
        cluster.start_shipped_gateway(BRANCH, gateway, cluster.day, DAY, *FULL,
                                      f"spool_when_full={policy}", *settings)

    @staticmethod
    def record_more(cluster):
        """The radar goes on: its last frame, some more times."""
        path = cluster.day / "radar.bin.gz"
        with gzip.open(path) as frames:
            last = frames.read()[-FRAME_SIZE:]
        with gzip.open(path, "ab") as frames:
            frames.write(20 * last)

    @staticmethod
    def report(cluster):
        entry = cluster.gateway_status(BRANCH, "floor") or {}
        return entry.get("report") or {"spooled": 0, "held": 0, "dropped": 0, "ended": False}

    def balanced(self, cluster):
        """What the audit says of the gateway once it comes to nothing; None: something is on its way."""
        try:
            gateways = cluster.json("audit", BRANCH)["branches"][0]["gateways"]
        except Failure:
            return None
        one = next((gateway for gateway in gateways if gateway["gateway"] == "floor"), {})
        return one if (one.get("held"), one.get("difference")) == (0, 0) else None

    def balance(self, cluster):
        return until(lambda: self.balanced(cluster), "spooled = applied + dead + dropped + held")

    def test_drop_oldest_counts_what_it_drops(self):
        cluster = self.fill("drop_oldest")
        until(lambda: self.report(cluster)["dropped"] > 0 and self.report(cluster)["ended"],
              "the spool is full, the recording at its end")
        cluster.start_worker("w1")
        cluster.wait(BRANCH)
        one = self.balance(cluster)
        self.assertEqual(one["spooled"], one["applied"] + one["dropped"])
        self.assertEqual(one["lost"], one["dropped"], "the store counts the same gap")
        floor, = (item for item in cluster.json("gateways", BRANCH) if item["gateway"] == "floor")
        self.assertEqual(sum(gap["to"] - gap["from"] + 1 for gap in floor["gap_list"]), one["lost"])
        for gap in floor["gap_list"]:
            self.assertEqual(gap["kind"], "numbers")
            self.assertTrue(gap["until"].startswith(DAY), gap)
        self.assertRegex(cluster.ctl("gateways", BRANCH), r"gap: batches \d+ to \d+ are gone, from ")
        self.assertRegex(cluster.ctl("status"), rf"{BRANCH}/floor .* {one['dropped']}\b")

    def test_drop_newest_counts_what_it_drops_and_tells_the_gap(self):
        cluster = self.fill("drop_newest")
        until(lambda: self.report(cluster)["dropped"] > 0 and self.report(cluster)["ended"],
              "the spool is full, the recording at its end")
        before = self.report(cluster)
        cluster.start_worker("w1")
        one = self.balance(cluster)
        self.assertGreaterEqual(one["dropped"], before["dropped"])
        self.assertEqual(one["spooled"], one["applied"] + one["dropped"])
        self.assertEqual(one["lost"], 0, "those dropped have no numbers")
        gaps = cluster.redis("LRANGE", f"t:{{{BRANCH}}}:gaps", 0, -1)
        self.assertEqual(len([gap for gap in gaps if "spool-full" in gap]), 1, gaps)

    def expire(self, policy):
        """Its balance after batches were dropped, others outlived their retention, and the store lost all."""
        how = policy, "spool_retention_ms=1000"
        cluster = self.fill(*how)
        until(lambda: self.report(cluster)["dropped"] > 0 and self.report(cluster)["ended"],
              "the spool is full, the recording at its end")
        cluster.start_worker("w1")
        before = self.balance(cluster)
        self.assertEqual(before["expired"], 0)

        def some_are_gone():
            cluster.processes[f"gateway.{BRANCH}.floor"].stop()
            if self.first_held(cluster) > 1 + before["lost"]:
                return True
            self.start_full(cluster, "floor", *how)
            return False
        until(some_are_gone, "some have outlived the retention", every=0.5)
        cluster.redis("FLUSHALL")
        self.record_more(cluster)  # perhaps all are: the gap is told with the next batch
        self.start_full(cluster, "floor", *how)
        one = self.balance(cluster)
        self.assertGreater(one["expired"], 0)
        self.assertEqual(one["lost"], one["expired"] + one["dropped"] - one["left_out"])
        return one

    @staticmethod
    def first_held(cluster):
        path = cluster.folder / f"gateway.{BRANCH}.floor.spool"
        with contextlib.closing(sqlite3.connect(path)) as spool:
            first, = spool.execute("SELECT min(number) FROM batch").fetchone()
        return first or NUMBER_MAX  # none is held

    def test_what_was_left_out_is_not_among_the_expired(self):
        one = self.expire("drop_newest")
        self.assertGreater(one["left_out"], 0)
        self.assertEqual(one["dropped"], one["left_out"])

    def test_what_was_dropped_is_not_among_the_expired(self):
        one = self.expire("drop_oldest")
        self.assertEqual(one["left_out"], 0)
        self.assertGreater(one["dropped"], 0)

    def test_a_full_disk_ends_the_gateway_and_loses_nothing(self):
        cluster = self.own_cluster()
        disk = cluster.folder / "disk"
        disk.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tresen", disk],
                                 capture_output=True, check=False)
        if mounted.returncode:
            self.skipTest("only root may mount a small disk")
        self.addCleanup(subprocess.run, ["umount", "--lazy", disk], check=False)
        self.bring_key(cluster)
        spool = f"gateway.{BRANCH}.floor.spool"
        (cluster.folder / spool).symlink_to(disk / spool)
        self.start(cluster)
        gateway = cluster.processes[f"gateway.{BRANCH}.floor"]
        self.assertEqual(gateway.popen.wait(30 * PATIENCE), EX_IOERR)
        self.assertIn("no space left", gateway.text())
        subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
        self.start_gateway(cluster, "floor")
        cluster.wait(BRANCH)
        self.assertEqual(self.read_results(cluster), self.results)
        self.assertEqual(self.balance(cluster)["dropped"], 0)

    def test_wait_drops_nothing(self):
        cluster = self.fill("wait")
        held = {}  # by session: each question to the broker is one, and tells

        def stands():
            entry = cluster.gateway_status(BRANCH, "floor")
            if entry and entry["report"]:
                held[entry["session"]] = entry["report"]["held"]
            last = list(held.values())[-3:]
            return len(last) == 3 and last[0] > 0 and len(set(last)) == 1
        until(stands, "the spool is full")
        self.assertFalse(self.report(cluster)["ended"], "there was room for everything")
        cluster.start_worker("w1")
        cluster.wait(BRANCH)
        self.assertEqual(self.read_results(cluster), self.results)
        self.assertEqual(self.balance(cluster)["dropped"], 0)

    def test_a_disk_that_fails_is_seen_at_the_broker_within_a_second(self):
        for call in ("write", "sync"):
            with self.subTest(call):
                self.play(lambda cluster, call=call: self.disk_fails(cluster, call),
                          environment=lambda cluster: {
                              "LD_PRELOAD": str(BUILD / "tests" / "disk_error.so"),
                              "DISK_ERROR": str(cluster.folder / "disk_error"),
                              "ASAN_OPTIONS": "verify_asan_link_order=0"})

    def disk_fails(self, cluster, call):
        floor = cluster.processes[f"gateway.{BRANCH}.floor"]
        refusing = cluster.folder / "disk_error"
        new = cluster.folder / "disk_error.new"
        new.write_text(call)
        new.rename(refusing)
        until(lambda: not floor.running(), f"a {call} has failed")
        ended = time.monotonic()
        self.assertEqual(floor.popen.returncode, EX_IOERR)
        self.assertRegex(floor.text(), "event=spool_failed reason=.*floor.spool")
        until(lambda: (cluster.gateway_status(BRANCH, "floor") or {}).get("trouble"),
              "the broker knows", every=0)
        self.assertLess(time.monotonic() - ended, 1 * PATIENCE)
        troubles = next(one["troubles"] for one in cluster.json("gateways", BRANCH)
                        if one["gateway"] == "floor")
        self.assertRegex(troubles[0], "^failed: .*floor.spool")
        self.assertRegex(cluster.ctl("status"), "(?m)^ +failed: .*floor.spool")

        # Its supervisor starts it again while the disk still fails, and once it is well.
        new.write_text("read")
        new.rename(refusing)
        self.start_gateway(cluster, "floor")
        floor = cluster.processes[f"gateway.{BRANCH}.floor"]
        self.assertEqual(floor.popen.wait(10 * PATIENCE), EX_IOERR)
        self.assertRegex(floor.text(), "event=not_started reason=.*floor.spool")
        refusing.unlink()
        self.start_gateway(cluster, "floor")
        until(lambda: cluster.gateway_status(BRANCH, "floor")["trouble"] is None,
              "it is well again")


if __name__ == "__main__":
    main()
