"""The least a gateway is, in Python: it asks, and sends batches that only say how late it is."""

import time

from cluster import write_yaml

try:
    import msgpack
    import zmq
except ImportError:  # Debian's python3-zmq and python3-msgpack
    zmq = None

COUNTER, WATERMARK_MS = "desk-1", 1_732_525_200_000


class BareGateway:
    def __init__(self, branch, name):
        self.branch, self.name = branch, name
        self.public, self.secret = zmq.curve_keypair()
        self.spool, self.socket = self.public[:16], None
        self.session, self.epoch, self.position, self.sent = 0, 0, -1, 0
        self.answered_s = []  # when each answer that moved the position came

    def connect(self, context, endpoint, broker_key):
        self.socket = context.socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.curve_serverkey, self.socket.curve_publickey = broker_key, self.public
        self.socket.curve_secretkey = self.secret
        self.socket.connect(endpoint)
        self.ask()

    def ask(self):
        self.session, self.position = self.session + 1, -1
        self.send("ask", spool=self.spool, held=0, spooled=0)

    def send(self, kind, **more):
        self.socket.send(msgpack.packb({"v": 1, "type": kind, "session": self.session,
                                        "epoch": self.epoch} | more))

    def send_batch(self, number=None):
        """The next one, or the one of this number."""
        self.sent = number or max(self.sent, self.position) + 1
        body = {"watermark": WATERMARK_MS + self.sent, "series": [],
                "facts": [{"fact": "birth", "measures": [], "counters": [COUNTER]}]}
        self.send("batch", number=self.sent, tag=self.mark(self.sent - 1) + self.mark(self.sent),
                  body=msgpack.packb(body))

    def mark(self, number):
        return number.to_bytes(4, "big") if number else self.spool[:4]

    def receive(self):
        """One frame of answers; those of this session are believed."""
        messages = msgpack.Unpacker()
        messages.feed(self.socket.recv())
        for answer in messages:
            assert answer["type"] == "answer", answer
            if answer["session"] != self.session:
                continue
            self.epoch = answer["epoch"]
            if answer["number"] > self.position:
                self.answered_s.append(time.monotonic())
            self.position = answer["number"]
            if answer["status"] in ("gap", "later"):
                self.sent = self.position


def register(cluster, gateways):
    """Their branches and keys; before the broker starts."""
    branches = {}
    for one in gateways:
        branches.setdefault(one.branch, []).append(one)
        cluster.keys.mkdir(exist_ok=True)
        (cluster.keys / f"gateway.{one.branch}.{one.name}.pub").write_text(
            one.public.decode() + "\n")
    for branch, members in branches.items():
        write_yaml(cluster.config / "branches" / f"{branch}.yaml", {
            "branch": branch, "name": branch, "region": "north", "country": "DE",
            "zone": "Europe/Berlin", "counters": [COUNTER],
            "gateways": [{"gateway": one.name} for one in members]})


def broker_key(cluster):
    return (cluster.keys / "broker.pub").read_bytes().strip()
