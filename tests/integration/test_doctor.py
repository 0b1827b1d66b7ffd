"""tresenctl doctor: each way to set Redis that loses or opens something is named, with the way out, and
nothing else is."""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import marked_library  # noqa: E402
from cluster import Case, main, until  # noqa: E402

# What is set, to what, and what then is named; the second value is the one that is right.
WRONG = (("maxmemory-policy", "allkeys-lru", "noeviction"), ("appendonly", "no", "yes"),
         ("appendfsync", "no", "everysec"), ("aof-load-truncated", "no", "yes"),
         ("protected-mode", "no", "yes"))


class Doctor(Case):
    @classmethod
    def set_up(cls):
        cls.new_cluster()
        cluster = cls.cluster
        # By TCP as well, so that somebody else may come.
        cluster.start_redis("--port", cluster.port + 7, "--bind", cluster.host,
                            "--enable-debug-command", "local")
        cluster.start_broker()
        cluster.start_worker("w1")
        until(lambda: cls.problems_of() == {}, "all is well")

    @classmethod
    def see(cls, *words):
        done = cls.cluster.ctl_run("--json", "doctor", *words)
        seen = json.loads(done.stdout)
        assert done.returncode == (0 if seen["fine"] else 1), done
        return seen

    @classmethod
    def problems_of(cls, *words):
        seen = cls.see(*words)
        found = {one["check"]: one for one in seen["checks"] if one["problem"]}
        assert seen["fine"] == (not found), seen
        for one in found.values():
            assert one["way_out"], one
        return found

    def only(self, *checks):
        until(lambda: set(self.problems_of()) == set(checks), f"these are named, alone: {checks}")

    def set(self, name, value):
        self.cluster.redis("CONFIG", "SET", name, value)

    def test_what_is_well_is_listed(self):
        checks = {one["check"]: one["value"] for one in self.see()["checks"]}
        self.assertEqual(checks["maxmemory-policy"], "noeviction")
        self.assertEqual(checks["appendonly"], "yes")
        self.assertEqual(checks["acknowledge"], "applied")
        self.assertEqual(checks["function library"],
                         f"tresen_v1, revision {marked_library.shipped_revision()}")
        self.assertEqual(checks["protected-mode"], "yes")

    def test_each_wrong_setting_is_named_with_the_way_out(self):
        for name, wrong, right in WRONG:
            with self.subTest(name):
                self.set(name, wrong)
                found = self.problems_of()
                self.assertEqual(set(found), {name})
                self.assertEqual(found[name]["value"], wrong)
                self.assertIn(right, found[name]["way_out"])
                done = self.cluster.ctl_run("doctor")
                self.assertEqual(done.returncode, 1)
                self.assertRegex(done.stdout, rf"(?m)^PROBLEM +{name} +{wrong}$")
                self.set(name, right)
                self.only()

    def test_all_at_once_are_all_named(self):
        for name, wrong, _ in WRONG:
            self.set(name, wrong)
        self.only(*(name for name, _, _ in WRONG))
        for name, _, right in WRONG:
            self.set(name, right)
        self.only()

    def test_a_replica_and_a_worker_that_waits_for_the_master(self):
        self.cluster.redis("REPLICAOF", "127.0.0.1", "1")
        until(lambda: {"role", "worker"} >= set(self.problems_of()) >= {"role"},
              "the replica is named")
        self.cluster.redis("REPLICAOF", "NO", "ONE")
        self.only()

    def test_a_disk_that_takes_nothing(self):
        dump = self.cluster.folder / "redis" / "dump.rdb"
        dump.mkdir()
        self.cluster.redis("BGSAVE")
        self.only("rdb_last_bgsave_status")
        dump.rmdir()
        self.cluster.redis("BGSAVE")
        self.only()

    def test_levels_of_safety_that_redis_does_not_keep(self):
        self.cluster.processes["worker-w1"].stop()
        self.set("appendfsync", "always")
        self.cluster.start_worker("w1", acknowledge="fsync")
        self.only()
        self.set("appendfsync", "no")
        self.set("no-appendfsync-on-rewrite", "yes")
        self.only("appendfsync", "no-appendfsync-on-rewrite")
        for one in self.problems_of().values():
            self.assertIn("level fsync", one["problem"])
        self.set("no-appendfsync-on-rewrite", "no")
        self.set("appendfsync", "everysec")
        self.cluster.start_worker("w2", acknowledge="replicated")
        found = self.problems_of()
        self.assertIn("level replicated", found["replicas"]["problem"])
        self.assertIn("different levels", found["acknowledge"]["problem"])
        self.cluster.processes["worker-w2"].stop()
        self.cluster.processes["worker-w1"].stop()
        self.cluster.start_worker("w1")
        self.only()

    def test_nobody_to_bring_the_library(self):
        self.cluster.processes["worker-w1"].stop()
        self.cluster.redis("FUNCTION", "FLUSH")
        self.only("workers ready", "function library")
        self.cluster.start_worker("w1")
        until(lambda: "function library" not in self.problems_of(), "it is brought")

    def test_a_library_older_than_a_worker_brings(self):
        self.cluster.redis_at_once([
            ("FUNCTION", "LOAD", "REPLACE", marked_library.marked(0)),
            ("ACL", "SETUSER", "default", "-function|load")])
        self.only("worker", "function library")
        found = self.problems_of()["function library"]
        self.assertEqual(found["value"], "tresen_v1, revision 0")
        self.assertIn(f"revision {marked_library.shipped_revision()}", found["problem"])
        self.cluster.redis("ACL", "SETUSER", "default", "+function|load")
        self.cluster.start_worker("w2")
        self.only()
        self.assertEqual(self.cluster.processes["worker-w2"].stop(), 0)

    def test_who_may_not_look_is_told_so(self):
        self.cluster.redis("ACL", "SETUSER", "default", "-config")
        self.only("CONFIG GET")
        self.cluster.redis("ACL", "SETUSER", "default", "+config", "-info")
        self.only("redis")
        self.cluster.redis("ACL", "SETUSER", "default", "+info")
        self.only()

    def test_who_is_away_is_told_so(self):
        away = ("--set", "redis_path=/nowhere", "--set", "control_endpoint=ipc:///nowhere",
                "--set", "answer_ms=100")
        self.assertEqual(set(self.problems_of(*away)), {"redis", "broker"})


if __name__ == "__main__":
    main()
