"""Dead letters: what could not be applied is shown, mended by a person, and counted for ever."""

import pathlib
import struct
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from cluster import Case, made_up_day, main, until  # noqa: E402

try:
    import msgpack
except ImportError:
    msgpack = None

BRANCH, DAY = "musterstadt", "2024-11-25"
GATEWAYS = ("desk", "floor")
NOON_MS = 1732618800000  # the day after, so that it lies before nobody's mark


def letter(reason, body):
    """As KEYS.md says: store's time, tag, reason, body."""
    return (struct.pack("<Q8sB", NOON_MS, b"tag of 8", len(reason)) + reason.encode()
            + struct.pack("<I", len(body)) + body)


@unittest.skipIf(msgpack is None, "python3-msgpack is not installed")
class Letters(Case):
    def setUp(self):
        self.cluster = self.own_cluster()
        self.cluster.only_gateways(BRANCH, GATEWAYS)
        day = made_up_day(self.cluster.folder / "day")
        self.cluster.start_redis()
        self.cluster.start_broker()
        self.cluster.start_worker("w1")
        for gateway in GATEWAYS:
            self.cluster.start_shipped_gateway(BRANCH, gateway, day, DAY)
        self.cluster.wait(BRANCH)
        self.position = self.audited()["gateways"]
        encounter = {"fact": "encounter", "id": "replayed", "counter": "desk-1",
                     "offering": "cash", "started": NOON_MS, "ended": NOON_MS + 60000,
                     "outcome": "normal"}
        body = msgpack.packb({"facts": [encounter]})
        self.plant("desk:1:900001", letter("crash", body))
        self.plant("desk:1:900002", letter("torn", body[:-3]))

    def plant(self, entry, value):
        self.cluster.redis("HSET", f"t:{{{BRANCH}}}:dead", entry, value)

    def audited(self):
        return self.cluster.json("audit", BRANCH)["branches"][0]

    def entries(self):
        return {one["entry"]: one["reason"] for one in self.cluster.json("dead", "list", BRANCH)}

    def counted(self, name):
        return int(self.cluster.redis("HGET", f"t:{{{BRANCH}}}:counters", name) or 0)

    def test_letters_are_shown_replayed_and_dropped(self):
        self.assertEqual(self.entries(), {"desk:1:900001": "crash", "desk:1:900002": "torn"})
        shown = self.cluster.json("dead", "show", BRANCH, "desk:1:900001")
        self.assertEqual((shown["applicable"], shown["facts"], shown["number"]), (True, 1, 900001))
        shown = self.cluster.json("dead", "show", BRANCH, "desk:1:900002")
        self.assertFalse(shown["applicable"])
        self.assertTrue(shown["problem"])

        total = self.cluster.json("scorecard", BRANCH)["encounters"]
        self.cluster.ctl("dead", "replay", BRANCH, "desk:1:900001")
        until(lambda: self.cluster.json("scorecard", BRANCH)["encounters"] == total + 1,
              "the replayed encounter is judged")
        self.assertEqual(self.entries(), {"desk:1:900002": "torn"})
        self.assertEqual(self.counted("dead_replayed"), 1)
        audit = self.audited()
        self.assertEqual(audit["differences"], [])
        self.assertEqual(audit["gateways"], self.position, "no position has moved")

        done = self.cluster.ctl_run("dead", "replay", BRANCH, "desk:1:900002")
        self.assertEqual(done.returncode, 1)
        self.assertIn("still cannot be applied", done.stderr)
        self.assertEqual(self.entries(), {"desk:1:900002": "torn"})
        self.cluster.ctl("dead", "drop", BRANCH, "desk:1:900002")
        self.assertEqual(self.entries(), {})
        self.assertEqual(self.counted("dead_discarded"), 1)

    def test_what_is_not_there_is_said(self):
        for words in (("dead", "show", BRANCH, "desk:1:5"), ("dead", "drop", BRANCH, "desk:1:5"),
                      ("dead", "list", "no branch")):
            done = self.cluster.ctl_run(*words)
            self.assertEqual(done.returncode, 1, words)
            self.assertTrue(done.stderr.startswith("tresenctl: "), done.stderr)


if __name__ == "__main__":
    main()
