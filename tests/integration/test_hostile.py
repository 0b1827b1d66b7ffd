"""Peers that mean harm, registered and strangers: nobody else notices them, and they change nothing."""

import os
import pathlib
import random
import resource
import socket
import struct
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from bare_gateway import COUNTER, WATERMARK_MS, BareGateway, broker_key, register, zmq  # noqa: E402
from cluster import BUILD, PATIENCE, SEED, Case, main, until  # noqa: E402

if zmq:
    import msgpack

SILENT = 2000
HANDSHAKE_S = 10 * PATIENCE
FRAME_MAX = 256 * 1024
RECORDED = 1000
PART, ENDLESS = 65536, 128 << 20


def memory_mb(process, row):
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(status.split(row + ":")[1].split()[0]) / 1024


class Served(threading.Thread):
    """A gateway that minds its own business: a batch each few milliseconds, answered or not."""

    def __init__(self, cluster, gateway):
        super().__init__(daemon=True)
        self.cluster, self.gateway, self.over = cluster, gateway, False

    def run(self):
        one, context = self.gateway, zmq.Context()
        one.connect(context, self.cluster.gateways_endpoint, broker_key(self.cluster))
        while not self.over or one.position < one.sent:
            if one.socket.poll(5):
                one.receive()
            if not self.over and one.epoch and one.sent - one.position < 8:
                one.send_batch()
        context.destroy()

    def longest_wait_s(self, began):
        times = [began, *(at for at in self.gateway.answered_s if at > began), time.monotonic()]
        return max(after - before for before, after in zip(times, times[1:]))


@unittest.skipIf(zmq is None, "python3-zmq and python3-msgpack are not installed")
class Hostile(Case):
    def setUp(self):
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        self.cluster = self.own_cluster()
        self.good, self.bad = BareGateway("good", "g"), BareGateway("bad", "g")
        register(self.cluster, [self.good, self.bad])
        self.cluster.start_redis()
        self.broker = self.cluster.start_broker()
        self.cluster.start_worker("w1")
        self.context = zmq.Context()
        self.addCleanup(self.context.destroy)
        self.served = Served(self.cluster, self.good)
        self.served.start()
        until(lambda: self.good.position > 10, "the good one is served")
        self.began = time.monotonic()

    def connect(self, **options):
        """The bad one's, with its own key, which is registered."""
        if self.bad.socket:
            self.bad.socket.close()
        sock = self.context.socket(zmq.DEALER)
        sock.linger, sock.sndtimeo = 0, 1000
        sock.curve_serverkey = broker_key(self.cluster)
        sock.curve_publickey, sock.curve_secretkey = self.bad.public, self.bad.secret
        for name, value in options.items():
            setattr(sock, name, value)
        sock.connect(self.cluster.gateways_endpoint)
        self.bad.socket = sock
        return sock

    def join(self):
        """The bad one in good order: until the store has granted it an epoch."""
        self.connect()
        self.bad.ask()
        self.receive_until(lambda: self.bad.epoch)

    def receive_until(self, condition):
        def look():
            while self.bad.socket.poll(0):
                self.bad.receive()
            return condition()
        until(look, "the bad one is answered")

    def audit(self, branch):
        return self.cluster.json("audit", branch)["branches"][0]["gateways"]

    def counters(self):
        return self.cluster.status()["counters"]["gateways_socket"]

    def assert_good_is_unharmed(self):
        at = self.good.position
        until(lambda: self.good.position > at + 10, "the good one is served as before",
              seconds=5 * PATIENCE)
        wait_s = self.served.longest_wait_s(self.began)
        self.served.over = True
        self.served.join(10 * PATIENCE)
        self.assertFalse(self.served.is_alive())
        gateway, = self.audit("good")
        self.assertEqual((gateway["applied"], gateway["dead"]), (self.good.position, 0))
        self.assertTrue(self.broker.running())
        print(f"longest wait of the good one {wait_s:.2f} s, broker "
              f"{memory_mb(self.broker, 'VmHWM'):.0f} MB at most", file=sys.stderr)
        self.assertLess(wait_s, 2 * PATIENCE)

    def broker_descriptors(self):
        return len(os.listdir(f"/proc/{self.broker.pid}/fd"))

    def test_whoever_one_claims_to_be_the_key_decides(self):
        self.join()
        lie = {"as": "gateway.good.g", "branch": "good", "gateway": "g"}
        body = msgpack.packb({"watermark": WATERMARK_MS, "series": [], "branch": "good", "facts": [
            {"fact": "birth", "measures": [], "counters": [COUNTER]}]})
        self.bad.send("batch", number=1, tag=self.bad.mark(0) + self.bad.mark(1),
                      body=body, **lie)
        self.receive_until(lambda: self.bad.position == 1)
        self.assertEqual(self.audit("bad")[0]["applied"], 1)
        # A worker's and an operator's words, and a name of its own for the ROUTER.
        for kind, more in (("ready", {"worker": "w1", "credit": 99}), ("goodbye", {"worker": "w1"}),
                           ("drain", {"worker": "w1"}), ("done", {"jobs": bytes(8),
                                                                  "status": "applied"})):
            self.bad.socket.send(msgpack.packb({"v": 1, "type": kind} | lie | more))
            refused = msgpack.unpackb(self.bad.socket.recv())
            self.assertEqual(refused["type"], "refused")
        before = self.counters()["self_named"]
        self.connect(routing_id=b"gateway.good.g")
        self.bad.ask()
        until(lambda: self.counters()["self_named"] > before, "it is dropped and counted")
        self.assertTrue(any(one["who"] == "gateway.bad.g" and one["count"] >= 4
                            for one in self.cluster.status()["refused"]))
        self.assert_good_is_unharmed()

    def test_what_was_recorded_changes_nothing_when_it_is_sent_again(self):
        self.join()
        recorded = []
        send = self.bad.socket.send
        self.bad.socket.send = lambda frame: (recorded.append(frame), send(frame))
        for _ in range(RECORDED):
            self.bad.send_batch()
            self.receive_until(lambda: self.bad.sent - self.bad.position < 16)
        self.receive_until(lambda: self.bad.position == RECORDED)
        before = self.audit("bad")
        for frames in (recorded, random.Random(SEED).sample(recorded, len(recorded))):
            self.connect()
            self.bad.ask()
            self.receive_until(lambda: self.bad.position == RECORDED)
            for frame in frames:
                self.bad.socket.send(frame)
            self.bad.ask()
            self.receive_until(lambda: self.bad.position == RECORDED)
            found = self.audit("bad")
            self.assertEqual((found[0]["applied"], found[0]["dead"], found[0]["epoch"]),
                             (before[0]["applied"], before[0]["dead"], before[0]["epoch"]))
        self.assert_good_is_unharmed()

    def frames_taken(self, count, frame):
        """Until so many have been read from the bad one."""
        before = self.counters()["received"]
        for _ in range(count):
            self.bad.socket.send(frame)
        until(lambda: self.counters()["received"] >= before + count, "all are read")

    def test_frames_of_every_shape(self):
        self.join()
        self.frames_taken(10_000, b"")
        self.frames_taken(10_000, b"\xc1")
        self.frames_taken(200, bytes(FRAME_MAX))
        before = self.counters()["multipart"]
        for _ in range(10_000):
            self.bad.socket.send(b"\x80", zmq.SNDMORE)
        self.bad.socket.send(b"\x80")
        until(lambda: self.counters()["multipart"] > before, "10,000 frames in one are dropped")
        self.bad.socket.send(bytes(2 * FRAME_MAX))  # is hung up on
        until(lambda: self.cluster.gateway_status("bad", "g")["connected"], "status")
        self.join()  # it gets in again
        self.assert_good_is_unharmed()

    def send_endless(self, port, broker):
        """What the broker needs while the message still goes on, in MB."""
        with socket.create_connection((self.cluster.host, port)) as endless:
            endless.sendall(b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(48))
            ready = b"\x05READY\x0bSocket-Type\0\0\0\x06DEALER"
            endless.sendall(bytes([4, len(ready)]) + ready)
            greeted = b""
            while b"ROUTER" not in greeted:
                greeted += endless.recv(1024)
            part = b"\x03" + struct.pack(">Q", PART) + bytes(PART)  # more follows
            for _ in range(ENDLESS // PART):
                endless.sendall(part)
            return memory_mb(broker, "VmRSS")

    def test_a_message_that_never_ends(self):
        """libzmq bounds it by nothing: whoever runs a broker sets MemoryMax, as README.md says."""
        number = self.cluster.port + 5
        plain = self.cluster.start("broker-plain", [
            BUILD / "tresen-broker", "--set", "insecure=true",
            "--set", f"config_dir={self.cluster.config}",
            "--set", f"control_endpoint=ipc://{self.cluster.folder}/plain",
            "--set", f"gateways_endpoint=tcp://{self.cluster.host}:{number}",
            "--set", f"workers_endpoint=tcp://{self.cluster.host}:{number + 1}"])
        until(lambda: "event=started" in plain.text(), "it listens")
        once_mb, again_mb = (self.send_endless(number, plain) for _ in range(2))
        print(f"{ENDLESS >> 20} MB of one message: {once_mb:.0f} MB, and once more: "
              f"{again_mb:.0f} MB", file=sys.stderr)
        if PATIENCE == 1:  # sanitizers keep what is freed
            self.assertLess(again_mb, 1.25 * once_mb, "it is free again when its connection ends")
        self.assertEqual(plain.stop(), 0)
        self.assert_good_is_unharmed()

    def test_connections_that_say_nothing_or_very_slowly(self):
        before = self.broker_descriptors()
        address = self.cluster.host, self.cluster.port
        silent = [socket.create_connection(address) for _ in range(SILENT)]
        greeting = b"\xff" + bytes(8) + b"\x7f\x03\x00CURVE"
        for byte in greeting:
            for one in silent[:SILENT // 4]:
                try:
                    one.send(bytes([byte]))
                except OSError:  # it was hung up on meanwhile
                    pass
            time.sleep(0.05)
        until(lambda: self.broker_descriptors() <= before + 10, "their descriptors are free again",
              seconds=HANDSHAKE_S)
        for one in silent:
            one.close()
        self.assert_good_is_unharmed()


if __name__ == "__main__":
    main()
