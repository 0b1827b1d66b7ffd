"""A gateway is known by its key, and speaks for its own counters only."""

import pathlib
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from cluster import Case, made_up_day, main, until, write_yaml  # noqa: E402

BRANCH, DAY = "musterstadt", "2024-11-25"


class Identity(Case):
    def setUp(self):
        self.cluster = self.own_cluster()
        self.day = made_up_day(self.cluster.folder / "day")
        self.cluster.start_redis()
        self.cluster.start_broker()
        self.cluster.start_worker("w1")

    def refusal(self, *words):
        """The entry of the status that names all these words."""
        def find():
            for entry in self.cluster.status()["refused"]:
                if all(word in entry["who"] + " " + entry["reason"] for word in words):
                    return entry
            return None
        return until(find, f"a refusal that names {words}")

    def drivers(self):
        return [{"driver": "jsonl", "path": str(self.lines)}]

    def write_lines(self, counter):
        self.lines = self.cluster.folder / "lines.jsonl"
        self.lines.write_text(
            f'{{"fact": "encounter", "id": "e-1", "counter": "{counter}", "offering": "cash", '
            f'"outcome": "normal", "issued": "{DAY}T09:00:00Z", "started": "{DAY}T09:00:30Z", '
            f'"ended": "{DAY}T09:02:00Z"}}\n')

    def test_an_unknown_key_is_refused_counted_and_named(self):
        self.write_lines("desk-1")
        own = self.cluster.folder / "other-keys"
        own.mkdir()
        shutil.copy(self.cluster.keys / "broker.pub", own)
        self.cluster.ctl("keys", "new", f"gateway.{BRANCH}.desk", "--dir", own)
        stranger = (own / f"gateway.{BRANCH}.desk.pub").read_text().strip()
        self.cluster.start_gateway(BRANCH, "desk", self.drivers(), key=False, keys_dir=str(own))
        entry = self.refusal(stranger)
        self.assertGreaterEqual(entry["count"], 1)
        status = self.cluster.status()
        self.assertGreaterEqual(status["counters"]["gateways_socket"]["refused_key"], 1)
        self.assertEqual(status["counters"]["batches"], 0)
        # Once its key is known, the same gateway gets in.
        shutil.copy(own / f"gateway.{BRANCH}.desk.pub", self.cluster.keys)
        until(lambda: self.cluster.gateway_status(BRANCH, "desk")["position"] > 0,
              "the gateway's batches are applied once its key is known")

    def test_a_key_that_is_taken_away_is_refused_and_named(self):
        self.write_lines("desk-1")
        self.cluster.start_gateway(BRANCH, "desk", self.drivers())
        until(lambda: self.cluster.gateway_status(BRANCH, "desk")["position"] > 0, "it gets in")
        public = self.cluster.keys / f"gateway.{BRANCH}.desk.pub"
        key = public.read_text().strip()
        public.unlink()
        self.refusal(key)  # although its connection stands: it asks at intervals

    def test_a_counter_of_another_branch_is_refused_counted_and_named(self):
        # A gateway whose own registry has been changed so that it lets a foreign counter through.
        changed = self.cluster.folder / "changed"
        shutil.copytree(self.cluster.config, changed)
        write_yaml(changed / "branches" / f"{BRANCH}.yaml", {
            "branch": BRANCH, "name": "Changed", "region": "north", "country": "DE",
            "zone": "Europe/Berlin", "counters": ["desk-1", "aa0101"],
            "gateways": [{"gateway": "desk", "opens": True}, {"gateway": "floor"}]})
        self.write_lines("aa0101")
        self.cluster.start_gateway(BRANCH, "desk", self.drivers(), config_dir=str(changed))
        self.refusal(f"gateway.{BRANCH}.desk", "aa0101")
        until(lambda: self.cluster.gateway_status(BRANCH, "desk")["report"]["spooled"] > 1,
              "it has said how much it spooled")
        entry = self.cluster.gateway_status(BRANCH, "desk")
        self.assertEqual(entry["position"], 1)  # its birth; the encounter waits behind it
        # Its neighbour is not held up.
        self.cluster.start_shipped_gateway(BRANCH, "floor", self.day, DAY)
        until(lambda: self.cluster.gateway_status(BRANCH, "floor")["position"] > 0,
              "the other gateway's batches are applied")
        self.assertEqual(self.cluster.json("explain", BRANCH), [])


if __name__ == "__main__":
    main()
