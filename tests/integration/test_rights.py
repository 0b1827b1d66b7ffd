"""Redis with the shipped access list: all programs work with the user that is meant for them, and whatever
else such a user tries is refused."""

import hashlib
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from cluster import PATIENCE, ROOT, Case, made_up_day, main, until  # noqa: E402

BRANCH, DAY = "musterstadt", "2024-11-25"
USERS = ROOT / "ops" / "redis" / "users.acl"
EX_CONFIG = 78
STATE = f"t:{{{BRANCH}}}:state"
LIBRARY = "#!lua name=other\nredis.register_function('other', function() return 1 end)"
# What none of our programs needs.
NEVER = (("EVAL", "return 1", 0), ("EVALSHA", "0" * 40, 0), ("SCRIPT", "LOAD", "return 1"),
         ("FUNCTION", "FLUSH"), ("FUNCTION", "DELETE", "tresen_v1"), ("FUNCTION", "DUMP"),
         ("CONFIG", "SET", "appendonly", "no"), ("CONFIG", "REWRITE"), ("KEYS", "*"), ("FLUSHALL",),
         ("FLUSHDB",), ("ACL", "LIST"), ("ACL", "SETUSER", "tresen-worker", "+@all"), ("CLIENT", "LIST"),
         ("CLIENT", "KILL", "TYPE", "normal"), ("MONITOR",), ("SHUTDOWN", "NOSAVE"),
         ("SAVE",), ("BGREWRITEAOF",), ("REPLICAOF", "127.0.0.1", 1), ("SLOWLOG", "GET"),
         ("MODULE", "LIST"), ("LATENCY", "RESET"), ("SUBSCRIBE", "tresen:mark"), ("PUBLISH", "other", "x"),
         ("RANDOMKEY",), ("RENAME", STATE, "t:{x}:y"), ("RESTORE", "t:{x}:y", 0, "x"),
         ("MIGRATE", "127.0.0.1", 1, STATE, 0, 100), ("SELECT", 1), ("GET", "other"), ("GET", "t:other"),
         ("HGETALL", "session:{x}:y"), ("TYPE", "other"), ("SET", "other", "x"), ("DEL", "other"))
ONLY_OPERATOR = (("INFO",), ("CONFIG", "GET", "requirepass"), ("FUNCTION", "LIST"))
WRITES = (("SET", STATE, "x"), ("DEL", STATE), ("HSET", f"t:{{{BRANCH}}}:dead", "a", "b"),
          ("SORT", f"t:{{{BRANCH}}}:undecided", "ALPHA", "STORE", f"t:{{{BRANCH}}}:x"),
          ("FCALL", "tresen_v1_ask", 1, STATE, ""))
ELSEWHERE = (("FCALL", "tresen_v1_ask", 1, "other", ""), ("MGET", STATE, "other"))


class Rights(Case):
    @classmethod
    def set_up(cls):
        cls.new_cluster()
        cluster = cls.cluster
        cluster.only_gateways(BRANCH, {"desk", "floor", "office"})
        cls.start_redis()
        cluster.start_broker()
        cls.start_worker("w1", "tresen-loader")
        cls.start_worker("w2", "tresen-worker")
        day = made_up_day(cluster.folder / "day")
        for gateway in ("desk", "floor"):
            cluster.start_shipped_gateway(BRANCH, gateway, day, DAY)
        cluster.start_gateway(BRANCH, "office", [
            {"driver": "decisions", "path": str(cluster.folder / "decisions" / f"{BRANCH}.jsonl"),
             "poll_ms": 50}])
        cls.be("tresen-reader")
        cluster.wait(BRANCH)

    @classmethod
    def start_redis(cls):
        """The shipped lines, each with a secret, as ops/redis/README.md says."""
        lines, cls.users = [], []
        for line in USERS.read_text().splitlines():
            _, user, state, *_ = line.split()
            if state == "on":
                cls.users.append(user)
                secret = f"secret of {user}"
                (cls.cluster.folder / f"{user}.password").write_text(secret + "\n")
                line += " #" + hashlib.sha256(secret.encode()).hexdigest()
            lines.append(line + "\n")
        path = cls.cluster.folder / "users.acl"
        path.write_text("".join(lines))
        folder = cls.cluster.folder / "redis"
        folder.mkdir()
        process = cls.cluster.start("redis", [
            "redis-server", "--unixsocket", cls.cluster.redis_path, "--port", "0", "--dir", folder,
            "--save", "", "--appendonly", "yes", "--aclfile", path])
        until(lambda: cls.cluster._alive(process) and cls.cluster.redis_path.exists()
              and cls.admin("PING") == "PONG", "Redis answers")

    @classmethod
    def login(cls, user):
        return {"redis_user": user,
                "redis_password_file": str(cls.cluster.folder / f"{user}.password")}

    @classmethod
    def be(cls, user):
        """Who tresenctl is from now on."""
        cls.cluster.ctl_settings = {**cls.login(user), "spool_days": 3650, "retention_days": 3650}

    @classmethod
    def start_worker(cls, name, user, **settings):
        return cls.cluster.start_worker(name, **cls.login(user), **settings)

    @classmethod
    def ask(cls, user, *words):
        return cls.cluster.redis_as(user, f"secret of {user}", *words)

    @classmethod
    def admin(cls, *words):
        return cls.ask("admin", *words)

    def refused(self, user, *tries):
        for words in tries:
            with self.subTest(user=user, words=words), self.assertRaisesRegex(RuntimeError, "^NOPERM"):
                self.ask(user, *words)

    def test_whatever_functions_do_those_may_who_call_them(self):
        text = "".join(path.read_text() for path in (ROOT / "worker" / "store").glob("functions*.lua"))
        words = {word.lower() for word in re.findall(r"redis\.p?call\([^,]*?'([A-Z]+)'", text)}
        words |= {word.lower() for word in re.findall(r"redis\.call\([^,]* or '([A-Z]+)'", text)}
        self.assertGreater(len(words), 25)
        rules = {line.split()[1]: set(line.split()) for line in USERS.read_text().splitlines()}
        for user in ("tresen-worker", "tresen-loader", "tresen-operator"):
            self.assertEqual({word for word in words if f"+{word}" not in rules[user]}, set(), user)

    def test_nobody_gets_in_without_a_secret(self):
        with self.assertRaisesRegex(RuntimeError, "^NOAUTH"):
            self.cluster.redis("PING")
        for user in self.users + ["default"]:
            with self.assertRaisesRegex(RuntimeError, "^WRONGPASS"):
                self.cluster.redis_as(user, "", "PING")

    def test_a_worker_does_nothing_else(self):
        load = ("FUNCTION", "LOAD", LIBRARY)
        self.refused("tresen-worker", load, *NEVER, *ONLY_OPERATOR, *ELSEWHERE)
        self.refused("tresen-loader", *NEVER, *ONLY_OPERATOR, *ELSEWHERE)
        self.assertEqual(self.ask("tresen-loader", *load), "other")
        self.admin("FUNCTION", "DELETE", "other")
        self.assertEqual(self.ask("tresen-worker", "PUBLISH", "tresen:mark", ""), 0)
        self.assertEqual(self.ask("tresen-worker", "WAIT", 0, 1), 0)

    def test_a_reader_only_reads(self):
        self.refused("tresen-reader", ("FUNCTION", "LOAD", LIBRARY), *NEVER, *ONLY_OPERATOR, *WRITES,
                     *ELSEWHERE)
        self.assertIsNotNone(self.ask("tresen-reader", "GET", STATE))

    def test_an_operator_does_nothing_else(self):
        self.refused("tresen-operator", ("FUNCTION", "LOAD", LIBRARY), *NEVER, *ELSEWHERE)
        self.assertIn("redis_version", self.ask("tresen-operator", "INFO"))

    def test_a_reader_sees_and_decides(self):
        self.be("tresen-reader")
        cluster = self.cluster
        self.assertTrue(cluster.json("audit")["fine"])
        self.assertGreater(cluster.json("scorecard", BRANCH)["encounters"], 50)
        self.assertGreater(cluster.json("scorecard", BRANCH, "--day", DAY)["encounters"], 50)
        encounters = cluster.json("explain", BRANCH)
        cluster.ctl("explain", encounters[0]["encounter"])
        self.assertEqual({one["gateway"] for one in cluster.json("gateways", BRANCH)},
                         {"desk", "floor", "office"})
        self.assertEqual(cluster.json("dead", "list", BRANCH), [])
        self.assertFalse(any(worker["trouble"] for worker in cluster.json("status")["workers"]))
        cluster.ctl("tap", BRANCH, "--seconds", 0)
        done = cluster.ctl_run("standards", "published")
        self.assertNotIn("NOPERM", done.stderr)
        one, standard = next((one, verdict["standard"]) for one in encounters
                             for verdict in one["verdicts"] if verdict["verdict"] == "met")
        for kind in ("confirm", "dispute", "excuse", "withdraw"):
            self.assertTrue(cluster.json(kind, one["encounter"], standard, "--reason", "seen",
                                         "--by", "e.richter")["applied"], kind)

    def test_operators_change_what_readers_may_not(self):
        cluster = self.cluster
        card = cluster.ctl("--json", "scorecard", BRANCH)
        changes = (("rebuild", BRANCH, "--from", DAY), ("standards", "publish"),
                   ("dead", "drop", BRANCH, "desk:1:900001"), ("dead", "replay", BRANCH, "desk:1:900002"))
        for letter in (900001, 900002):  # an empty body, which says nothing: KEYS.md
            self.admin("HSET", f"t:{{{BRANCH}}}:dead", f"desk:1:{letter}", b"\0" * 16 + b"\5crash" +
                       b"\1\0\0\0\x80")
        self.be("tresen-reader")
        for words in changes:
            done = cluster.ctl_run(*words)
            self.assertEqual(done.returncode, 1, words)
            self.assertIn("NOPERM", done.stderr, words)
        self.assertEqual(cluster.ctl_run("doctor").returncode, 1)
        self.be("tresen-operator")
        self.assertIn("noeviction", cluster.ctl("doctor"))
        for words in changes[1:] + changes[:1]:
            cluster.ctl(*words)
        cluster.wait(BRANCH)
        until(lambda: cluster.ctl("--json", "scorecard", BRANCH) == card, "all came again")
        self.assertTrue(cluster.json("audit", BRANCH)["fine"])

    def test_what_fsync_takes_is_said_and_is_enough(self):
        self.admin("CONFIG", "SET", "appendfsync", "always")
        worker = self.cluster.start_worker("w3", wait=False, acknowledge="fsync",
                                           **self.login("tresen-worker"))
        self.assertEqual(worker.popen.wait(10 * PATIENCE), EX_CONFIG)
        self.assertIn("NOPERM", worker.text())
        self.admin("ACL", "SETUSER", "tresen-worker", "+info", "+config|get")
        self.start_worker("w3", "tresen-worker", acknowledge="fsync")
        self.assertEqual(self.cluster.processes["worker-w3"].stop(), 0)
        self.admin("ACL", "LOAD")

    def test_without_anybody_who_may_load_it_the_library_is_missed_and_told(self):
        cluster = self.cluster
        self.assertEqual(cluster.processes["worker-w1"].stop(), 0)
        self.admin("FUNCTION", "FLUSH")
        cluster.processes["worker-w2"].stop()
        cluster.start_worker("w2", wait=False, **self.login("tresen-worker"))
        until(lambda: any("NOPERM" in (one["trouble"] or "") or "has no permissions" in (one["trouble"] or "")
                          for one in cluster.status()["workers"]), "status says that it may not")
        self.start_worker("w1", "tresen-loader")
        until(lambda: self.admin("FUNCTION", "LIST"), "who may has brought it")
        self.be("tresen-reader")
        until(lambda: not any(one["trouble"] for one in cluster.status()["workers"] if one["ready"]),
              "all is well")
        cluster.wait(BRANCH)


if __name__ == "__main__":
    main()
