"""The example gateways in other languages, against the real broker, worker and Redis: every reading
is applied exactly once, whatever is killed, emptied or started again."""

import fcntl
import pathlib
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from cluster import BUILD, ROOT, Case, main, until, write_yaml  # noqa: E402

BRANCH, COUNTER, MEASURE = "beispiel", "info", "queue.length"
EXAMPLES = ROOT / "sensors-gw" / "examples"
BEGIN_MS = 1795420800000
SILENCE_S = "0.5"  # instead of 10, so that the test is soon over


def node_gateway():
    """The Node example with the packages that its lock file names, in the build folder."""
    folder = BUILD / "tests" / "node"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w", encoding="utf-8") as lock:  # two tests use it, perhaps at once
        fcntl.flock(lock, fcntl.LOCK_EX)
        for path in filter(pathlib.Path.is_file, (EXAMPLES / "node").iterdir()):
            copy = folder / path.name
            if not copy.exists() or copy.read_bytes() != path.read_bytes():
                shutil.copy(path, copy)
        if not (folder / "node_modules" / "zeromq" / "package.json").exists():
            subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder,
                           check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return ["node", folder / "gateway.mjs"]


class Examples:
    """The tests of each example; they run in the order of their names."""

    name = program = None

    @classmethod
    def set_up(cls):
        cls.new_cluster()
        cls.command = cls.program()
        write_yaml(cls.cluster.config / "branches" / f"{BRANCH}.yaml", {
            "branch": BRANCH, "name": "Beispiel", "region": "north", "country": "DE",
            "zone": "Europe/Berlin", "counters": [COUNTER], "gateways": [{"gateway": cls.name}]})
        cls.cluster.key(f"gateway.{BRANCH}.{cls.name}")
        cls.cluster.start_redis()
        cls.cluster.start_broker()
        cls.cluster.start_worker("w1")
        cls.readings = cls.cluster.folder / "readings"
        cls.readings.touch()
        cls.written = 0
        cls.start()

    @classmethod
    def start(cls):
        """Continues its spool, if there is one."""
        cls.process = cls.cluster.start(cls.name, [
            *cls.command, cls.cluster.gateways_endpoint, cls.cluster.keys, BRANCH, cls.name,
            COUNTER, MEASURE, cls.readings, cls.cluster.folder / f"{cls.name}.spool", SILENCE_S])

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # SIGTERM ends them as it ends any program that does not listen to it.
        cls.addClassCleanup(lambda: cls.process.kill())

    def write(self, count):
        with self.readings.open("a") as out:
            for number in range(self.written, self.written + count):
                value = "" if number % 10 == 9 else f" {number % 7}"  # now and then: nobody seen
                out.write(f"{BEGIN_MS + 1000 * number}{value}\n")
        type(self).written += count

    def applied(self):
        entry = self.cluster.gateway_status(BRANCH, self.name)
        return entry and entry["position"]

    def wait(self):
        until(lambda: self.applied() == self.written, f"{self.written} batches are applied")

    def session(self):
        return self.cluster.gateway_status(BRANCH, self.name)["session"]

    def state(self):
        """What Redis holds of the branch: nothing, or its packed state."""
        return self.cluster.redis("STRLEN", f"t:{{{BRANCH}}}:state")

    def audit(self):
        """Its own report of what it spooled and holds agrees with what was applied."""
        session = self.session()
        until(lambda: self.session() > session, "a report made after the last batch")
        self.cluster.ctl("audit", BRANCH)

    def test_1_readings_are_applied(self):
        self.write(100)
        self.wait()
        self.assertGreater(self.state(), 0)
        self.assertEqual([(entry["gateway"], entry["position"])
                          for entry in self.cluster.json("gateways", BRANCH)],
                         [(self.name, self.written)])
        self.assertRegex(self.cluster.ctl("gateways"), rf"(?m)^{BRANCH}/{self.name} +yes ")
        self.assertEqual(self.cluster.ctl_run("gateways", "nowhere").returncode, 1)

    def test_2_killed_it_goes_on_where_it_was(self):
        self.write(300)
        until(lambda: self.applied() > 100, "it has begun to send")
        self.process.kill()
        self.write(100)
        self.start()
        self.wait()
        self.audit()

    def test_3_it_comes_back_to_another_broker(self):
        self.assertEqual(self.cluster.processes["broker"].stop(), 0)
        self.write(50)
        self.cluster.start_broker()
        self.wait()

    def test_4_a_store_that_lost_everything_is_filled_again(self):
        batches = self.cluster.status()["counters"]["batches"]
        session = self.session()
        self.cluster.redis("FLUSHALL")
        until(lambda: self.session() >= session + 2, "it asks when it is idle")
        self.wait()
        self.assertGreater(self.state(), 0)
        self.assertGreaterEqual(self.cluster.status()["counters"]["batches"],
                                batches + self.written)
        self.audit()

    def test_5_a_copy_of_the_spool_is_refused(self):
        spool = self.cluster.folder / f"{self.name}.spool"
        self.process.kill()
        copy = spool.with_suffix(".copy")
        if spool.is_dir():
            shutil.copytree(spool, copy)
        else:
            shutil.copy(spool, copy)
        self.start()
        self.write(10)
        self.wait()
        self.process.kill()
        if spool.is_dir():
            shutil.rmtree(spool)
        spool.with_name(copy.name).rename(spool)
        self.readings.write_text("".join(self.readings.read_text().splitlines(True)[:-10]))
        self.start()
        self.assertEqual(self.process.popen.wait(20), 1)
        self.assertEqual(self.applied(), self.written)


class Python(Examples, Case):
    name = "python"
    program = staticmethod(lambda: ["/usr/bin/python3", EXAMPLES / "python" / "gateway.py"])

    def test_0_it_is_one_page(self):
        lines = (EXAMPLES / "python" / "gateway.py").read_text().splitlines()
        self.assertLessEqual(len(lines), 60)


@unittest.skipUnless(shutil.which("npm"), "npm is not installed")
class Node(Examples, Case):
    name = "node"
    program = staticmethod(node_gateway)


if __name__ == "__main__":
    main()
