"""What is wrong is named with its file and line, or its peer, and everything else keeps running."""

import pathlib
import random
import re
import socket
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from cluster import BUILD, DEADLINE_S, Case, made_up_day, main, until  # noqa: E402

try:
    import zmq
except ImportError:
    zmq = None

BRANCH, DAY = "musterstadt", "2024-11-25"
GATEWAYS = ("desk", "floor")


class Settings(Case):
    def setUp(self):
        self.cluster = self.own_cluster()

    def test_an_unknown_setting_is_named_with_its_line_and_a_suggestion(self):
        self.cluster.key("broker")
        path = self.cluster.folder / "broker.yaml"
        path.write_text(f"config_dir: {self.cluster.config}\nkeys_dir: {self.cluster.keys}\n"
                        "worker_silense_ms: 5000\n")
        process = self.cluster.start("broker", [BUILD / "tresen-broker", "--config", path])
        self.assertEqual(process.popen.wait(30), 2)
        self.assertRegex(process.text(), rf"{re.escape(str(path))}:3:\d+: .*worker_silense_ms")
        self.assertIn("worker_silence_ms", process.text())

    def test_a_value_out_of_range_is_named_with_its_line(self):
        path = self.cluster.folder / "worker.yaml"
        path.write_text(f"worker: w1\nbrokers: [tcp://127.0.0.1:1]\n"
                        f"config_dir: {self.cluster.config}\nlease_ms: 3\n")
        process = self.cluster.start("worker", [BUILD / "tresen-worker", "--config", path])
        self.assertEqual(process.popen.wait(30), 2)
        self.assertRegex(process.text(), rf"{re.escape(str(path))}:4:\d+: .*lease_ms")

    def test_a_standard_without_a_norm_is_named_with_its_line(self):
        path = self.cluster.config / "standards" / "timing.yaml"
        lines = path.read_text().splitlines(keepends=True)
        at = next(i for i, line in enumerate(lines) if "norm:" in line)
        path.write_text("".join(lines[:at] + lines[at + 1:]))
        done = self.cluster.ctl_run("standards", "check", self.cluster.config)
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stderr + done.stdout, r"timing\.yaml:\d+:\d+: .*norm")
        # A worker refuses it, too.
        self.cluster.key("broker")
        process = self.cluster.start_worker("w1", wait=False)
        self.assertNotEqual(process.popen.wait(30), 0)
        self.assertRegex(process.text(), r"timing\.yaml:\d+:\d+: .*norm")


class Running(Case):
    def setUp(self):
        self.cluster = self.own_cluster()
        self.cluster.only_gateways(BRANCH, GATEWAYS)
        self.day = made_up_day(self.cluster.folder / "day")
        self.cluster.start_redis()
        self.cluster.start_broker()
        self.cluster.start_worker("w1")

    def everything_works(self):
        """The day is played and judged, by the same processes that were started."""
        for gateway in GATEWAYS:
            self.cluster.start_shipped_gateway(BRANCH, gateway, self.day, DAY)
        self.cluster.wait(BRANCH)
        self.assertGreater(self.cluster.json("scorecard", BRANCH)["encounters"], 50)
        self.cluster.ctl("audit", BRANCH)
        for process in self.cluster.processes.values():
            self.assertTrue(process.running(), process.name)

    def refusals(self):
        return [f"{one['who']} {one['reason']}" for one in self.cluster.status()["refused"]]

    def test_a_torn_line_is_named_and_the_rest_is_played(self):
        path = self.day / "desk.csv"
        lines = path.read_text().splitlines(keepends=True)
        last = len(lines) - 1
        lines[last] = lines[last][:len(lines[last]) // 2] + "\n"
        path.write_text("".join(lines))
        self.everything_works()
        log = self.cluster.processes[f"gateway.{BRANCH}.desk"]
        self.assertRegex(log.text(), rf"desk\.csv:{last + 1}\b")
        self.assertEqual(log.stop(), 0)
        self.assertEqual(self.cluster.counted(BRANCH, "desk")["torn_line"], 1)

    def test_random_bytes_on_every_socket(self):
        rng = random.Random(7)
        control = self.cluster.control_endpoint.removeprefix("ipc://")
        for _ in range(20):
            for family, address in (
                    (socket.AF_INET, (self.cluster.host, self.cluster.port)),
                    (socket.AF_INET, (self.cluster.host, self.cluster.port + 1)),
                    (socket.AF_UNIX, control)):
                with socket.socket(family) as connection:
                    connection.settimeout(10)
                    connection.connect(address)
                    # Half of them begin like the greeting of ZeroMQ.
                    head = b"\xff" + bytes(8) + b"\x7f\x03\x00" if rng.random() < 0.5 else b""
                    try:
                        connection.sendall(head + rng.randbytes(rng.randrange(1, 20000)))
                    except OSError:
                        pass  # it hangs up: its right
        self.everything_works()

    @unittest.skipIf(zmq is None, "python3-zmq is not installed")
    def test_garbage_over_a_valid_connection_is_refused_and_named(self):
        rng = random.Random(11)
        name = f"gateway.{BRANCH}.desk"
        self.cluster.key(name)
        frames = [b"", b"\xc1", b"\x80", rng.randbytes(100), rng.randbytes(5000),
                  bytes.fromhex("dd20000000"), bytes.fromhex("82dfdfdfdfdfdfdfdf"),
                  b"\x82\xa1v\x02\xa4type\xa3ask",  # a later version
                  b"\x82\xa1v\x01\xa4type\xa4nope"]
        frames += [rng.randbytes(rng.randrange(1, 300)) for _ in range(200)]
        for endpoint, peer in ((self.cluster.gateways_endpoint, name),
                               (self.cluster.workers_endpoint, "worker.w2")):
            self.cluster.key(peer)
            with self.subTest(peer=peer):
                answers = self.send(endpoint, peer, frames)
                self.assertGreater(answers, 0, "garbage is answered by refused")
                until(lambda p=peer: any(p in text for text in self.refusals()),
                      f"{peer} is named among the refused")
        self.everything_works()

    def send(self, endpoint, peer, frames):
        """Send frames under the peer's key; how many answers say refused."""
        context = zmq.Context()
        dealer = context.socket(zmq.DEALER)
        try:
            dealer.linger = 1000
            dealer.curve_serverkey = (self.cluster.keys / "broker.pub").read_bytes().strip()
            dealer.curve_publickey = (self.cluster.keys / f"{peer}.pub").read_bytes().strip()
            dealer.curve_secretkey = (self.cluster.keys / f"{peer}.key").read_bytes().strip()
            dealer.connect(endpoint)
            for frame in frames:
                dealer.send(frame)
            refused = 0
            while dealer.poll(1000 * DEADLINE_S if refused == 0 else 200):
                refused += b"refused" in dealer.recv()
            return refused
        finally:
            dealer.close()
            context.term()


if __name__ == "__main__":
    main()
