"""A whole Tresen of real programs in a private folder, for tests: Redis, a broker, workers, gateways.

    with Cluster() as cluster:
        cluster.start_redis(); cluster.start_broker(); cluster.start_worker("w1")
        cluster.start_gateway("musterstadt", "desk", drivers=[...])
        cluster.wait("musterstadt")

The programs are those of the folder TRESEN_BUILD. CURVE everywhere, on an address of the loopback
network that is this process' own, so that clusters can run side by side. Every process is ended by
its own id. What went wrong is shown with the last lines of all logs.
"""

import ctypes
import itertools
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("TRESEN_BUILD", ROOT / "build"))
SKIPPED = 77  # ctest's SKIP_RETURN_CODE
SANITIZER = re.compile(r"AddressSanitizer|LeakSanitizer|runtime error:|Assertion .* failed")
# Programs under sanitizers take several times as long.
PATIENCE = 4 if "asan" in str(BUILD) or os.environ.get("TRESEN_SLOW") else 1
DEADLINE_S = 20 * PATIENCE
BROKERS = {"broker": 0, "broker-2": 8}  # their first port, from the cluster's
LONG = bool(os.environ.get("TRESEN_LONG"))  # ops/test --long
SEED = os.environ.get("TRESEN_SEED") or time.strftime("%F")  # of samples and of chance

_libc = ctypes.CDLL(None, use_errno=True)
_numbers = itertools.count()


class Failure(AssertionError):
    """Something did not happen in time, or a program ended that should not have."""


def _die_with_parent():
    _libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: also when ctest kills this test


def until(condition, what, seconds=DEADLINE_S, every=0.02):
    """The first true value of condition(); fails after so many seconds."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure(f"not within {seconds} s: {what}")
        time.sleep(every)


def sample(cases, count):
    """So many of them; in ops/test --long all. The same all day long, or with the same TRESEN_SEED."""
    if LONG or count >= len(cases):
        return cases
    print(f"a sample: TRESEN_SEED={SEED}", file=sys.stderr)
    return random.Random(SEED).sample(cases, count)


def data_folder():
    """The recordings, or None: they are not part of the repository."""
    for folder in (os.environ.get("TRESEN_DATA"), ROOT.parent / "shared" / "data"):
        if folder and pathlib.Path(folder).is_dir():
            return pathlib.Path(folder)
    return None


def write_yaml(path, value):
    """JSON is YAML."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1) + "\n")


class Case(unittest.TestCase):
    """Tests that share a play (cls.cluster, ended after the last of them) or have one each."""

    cluster = None
    failed = False

    @classmethod
    def new_cluster(cls):
        cls.cluster = Cluster()
        cls.addClassCleanup(lambda: cls.cluster.end(cls.failed or sys.exc_info()[0] is not None))

    def own_cluster(self):
        """For this test alone."""
        cluster = Cluster()
        self.addCleanup(lambda: cluster.end(failed=self.problems() > self.problems_before))
        return cluster

    @classmethod
    def set_up(cls):
        pass

    @classmethod
    def setUpClass(cls):
        cls.failed = True  # unless set_up comes to its end
        cls.set_up()
        cls.failed = False

    def problems(self):
        """How many there were until now; a cleanup cannot ask unittest whether its own test failed."""
        return len(self.result.failures) + len(self.result.errors) if self.result else 0

    def run(self, result=None):
        self.result = result
        self.problems_before = self.problems()
        result = super().run(result)
        if self.problems() > self.problems_before:
            type(self).failed = True
        return result


class Process:
    def __init__(self, name, arguments, log, cwd, environment):
        self.name = name
        self.log = log
        self.is_ours = pathlib.Path(arguments[0]).name.startswith("tresen")
        with open(log, "ab") as out:
            self.popen = subprocess.Popen(
                [str(argument) for argument in arguments], stdin=subprocess.DEVNULL, stdout=out,
                stderr=out, cwd=cwd, env=os.environ | environment, preexec_fn=_die_with_parent)

    @property
    def pid(self):
        return self.popen.pid

    def running(self):
        return self.popen.poll() is None

    def kill(self):
        self.popen.kill()
        self.popen.wait()

    def listens(self):
        """Whether it has a handler for SIGTERM: our programs do from the first line of main on."""
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        caught = re.search(r"^SigCgt:\s*(\w+)", status, re.M)
        return int(caught.group(1), 16) >> (signal.SIGTERM - 1) & 1

    def begin(self):
        """Wait until SIGTERM reaches main, and not the loader before it."""
        until(lambda: not self.running() or self.listens(), f"main of {self.name} has begun", every=0)

    def stop(self, seconds=15 * PATIENCE):
        """SIGTERM; its exit status. One that does not listen is killed and a failure."""
        if self.is_ours:
            self.begin()
        if self.running():
            self.popen.terminate()
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failure(f"{self.name} did not stop within {seconds} s of SIGTERM") from None

    def text(self):
        return self.log.read_text(errors="replace")


class Cluster:
    def __init__(self, config=ROOT / "config"):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tresen-"))  # short: ipc paths are bound
        self.number = next(_numbers)
        pid = os.getpid()
        self.host = f"127.{64 + (pid >> 16 & 63)}.{pid >> 8 & 255}.{pid & 255 or 1}"
        self.port = 7310 + 10 * self.number
        self.gateways_connect = self.gateways_endpoint  # elsewhere: through a proxy
        self.keys = self.folder / "keys"
        self.config = self.folder / "config"
        shutil.copytree(config, self.config)
        self.processes = {}
        self.redis_environment = {}
        self.environment = {}  # of our own programs, besides that of the test
        self.ctl_settings = {}
        self.broker_settings = {"window": 64, "worker_silence_ms": 1500 * PATIENCE,
                                "death_apart_ms": 200}
        self.worker_settings = {"heartbeat_ms": 200}
        self.gateway_settings = {"idle_ask_ms": 500, "clock_error_ms": 0, "answer_timeout_ms": 2000 * PATIENCE,
                                 "backoff_most_ms": 500, "idle_batch_ms": 200,
                                 "refused_wait_ms": 500}

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.end(failed=kind is not None and not issubclass(kind, unittest.SkipTest))

    def end(self, failed):
        """Stop all; the folder stays, and is shown, if anything was wrong."""
        problems = self.stop()
        if failed or problems:
            self.show()
        else:
            shutil.rmtree(self.folder, ignore_errors=True)
        if problems and not failed:
            raise Failure("; ".join(problems))

    # ------------------------------------------------------------------ processes

    def start(self, name, arguments, log=None):
        assert name not in self.processes or not self.processes[name].running(), name
        process = Process(name, arguments, self.folder / f"{log or name}.log", self.folder,
                          self.redis_environment if name.startswith("redis") else self.environment)
        self.processes[name] = process
        return process

    def stop(self):
        """End everything, gateways first; Redis, which is not ours, is killed last. Says what was wrong."""
        problems = []
        order = sorted(self.processes.values(), key=lambda p: (
            p.name.startswith("redis"), p.name in BROKERS, p.name.startswith("worker")))
        for process in order:
            if process.name.startswith("redis"):  # writing its first log, one refuses SIGTERM for good
                process.kill()
                continue
            try:
                if process.running() and process.stop() != 0:
                    problems.append(f"{process.name} exited with {process.popen.returncode}")
            except Failure as failure:
                problems.append(str(failure))
        for log in sorted(self.folder.glob("*.log")):
            found = SANITIZER.search(log.read_text(errors="replace"))
            if found:
                problems.append(f"{log.name}: {found.group()}")
        return problems

    def show(self, lines=25):
        print(f"---- logs are kept in {self.folder}", file=sys.stderr)
        for log in sorted(self.folder.glob("*.log")):
            tail = log.read_text(errors="replace").splitlines()[-lines:]
            print(f"---- {log.name}\n" + "\n".join(tail), file=sys.stderr)

    # ------------------------------------------------------------------ parts

    @property
    def redis_path(self):
        return self.folder / "redis.sock"

    def start_redis(self, *options):
        return self.start_redis_server("redis", self.redis_path, "--port", "0", *options)

    def start_redis_server(self, name, path, *options):
        """One that listens on the socket `path`, with a log of its own in the folder `name`."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        process = self.start(name, [
            "redis-server", "--unixsocket", path, "--dir", folder,
            "--save", "", "--appendonly", "yes", "--appendfsync", "everysec",
            "--maxmemory-policy", "noeviction", "--daemonize", "no",
            "--enable-debug-command", "yes", *options])
        until(lambda: self._redis_answers(process, path), "Redis answers")
        return process

    def _redis_answers(self, process, path):
        if not process.running():
            raise Failure("Redis has ended")
        try:
            return self.redis_at(path, "PING") == "PONG"
        except (OSError, EOFError, RuntimeError):  # not there yet, or loading
            return False

    def redis(self, *words):
        """One command; the reply as text, int, list or None."""
        return self.redis_at(self.redis_path, *words)

    @classmethod
    def redis_at(cls, path, *words):
        return cls._redis_all(path, [words])[0]

    def redis_as(self, user, password, *words):
        """The same by a user of Redis' access list."""
        return self._redis_all(self.redis_path, [("AUTH", user, password), words])[-1]

    def redis_at_once(self, commands):
        """All of them with nothing of others in between; their replies."""
        return self._redis_all(self.redis_path, [("MULTI",), *commands, ("EXEC",)])[-1]

    @staticmethod
    def _redis_all(path, commands):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(str(path))
            connection.sendall(b"".join(_command(words) for words in commands))
            with connection.makefile("rb") as stream:
                return [_reply(stream) for _ in commands]

    def key(self, name):
        """Make a key pair unless it is there."""
        self.keys.mkdir(exist_ok=True)
        if not (self.keys / f"{name}.key").exists():
            self.ctl("keys", "new", name, "--dir", self.keys)
            for broker in filter(None, map(self.processes.get, BROKERS)):
                until(lambda: not broker.running()
                      or self._known_keys(broker) == len(list(self.keys.glob("*.*.pub"))),
                      f"{broker.name} knows the key of {name}")

    @staticmethod
    def _known_keys(broker):
        told = re.findall(r"event=keys .*peers=(\d+)", broker.text())
        return int(told[-1]) if told else 0

    def gateways_endpoint_of(self, broker):
        return f"tcp://{self.host}:{self.port + BROKERS[broker]}"

    def workers_endpoint_of(self, broker):
        return f"tcp://{self.host}:{self.port + BROKERS[broker] + 1}"

    def control_endpoint_of(self, broker):
        return f"ipc://{self.folder}/{broker}.control"

    @property
    def gateways_endpoint(self):
        return self.gateways_endpoint_of("broker")

    @property
    def workers_endpoint(self):
        return self.workers_endpoint_of("broker")

    @property
    def control_endpoint(self):
        return self.control_endpoint_of("broker")

    def start_broker(self, name="broker", **settings):
        self.key("broker")  # one key for all of them
        path = self.folder / f"{name}.yaml"
        write_yaml(path, {
            "gateways_endpoint": self.gateways_endpoint_of(name),
            "workers_endpoint": self.workers_endpoint_of(name),
            "control_endpoint": self.control_endpoint_of(name),
            "config_dir": str(self.config), "keys_dir": str(self.keys),
            "keys_check_ms": 100, "settle_probe_ms": 500, "later_ms": 50,
            **self.broker_settings, **settings})
        process = self.start(name, [BUILD / "tresen-broker", "--config", path])
        until(lambda: self._alive(process) and self._status_now(name), f"the {name} answers")
        return process

    def start_worker(self, name, wait=True, program="tresen-worker", **settings):
        self.key(f"worker.{name}")
        path = self.folder / f"worker-{name}.yaml"
        write_yaml(path, {
            "worker": name, "brokers": [self.workers_endpoint], "config_dir": str(self.config),
            "keys_dir": str(self.keys), "redis_path": str(self.redis_path),
            **self.worker_settings, **settings})
        process = self.start(f"worker-{name}", [BUILD / program, "--config", path])
        if wait:
            until(lambda: self._alive(process) and self._ready(name), f"worker {name} is ready")
        return process

    def _ready(self, name):
        return any(worker["worker"] == name and worker["ready"]
                   for worker in self.status()["workers"])

    def start_gateway(self, branch, gateway, drivers, key=True, **settings):
        name = f"gateway.{branch}.{gateway}"
        if key:
            self.key(name)
        path = self.folder / f"{name}.yaml"
        write_yaml(path, {
            "branch": branch, "gateway": gateway, "config_dir": str(self.config),
            "brokers": [self.gateways_connect], "keys_dir": str(self.keys),
            "spool": str(self.folder / f"{name}.spool"),
            "pseudonym_key": str(self.folder / f"pseudonym.{branch}.key"),
            **self.gateway_settings, **settings, "drivers": drivers})
        return self.start_gateway_file(branch, gateway, path)

    def start_gateway_file(self, branch, gateway, path):
        """One whose settings stand in a file, with paths as from the cluster's folder."""
        return self.start(f"gateway.{branch}.{gateway}",
                          [BUILD / "tresen-gateway", "--config", path])

    def only_gateways(self, branch, names):
        """Take all others out of the branch's file: encounters wait for those that it names."""
        path = self.config / "branches" / f"{branch}.yaml"
        kept = [line for line in path.read_text().splitlines(keepends=True)
                if not (found := re.match(r"  - gateway: ([a-z0-9-]+)", line))
                or found.group(1) in names]
        path.write_text("".join(kept))

    def only_branches(self, *names):
        for path in (self.config / "branches").glob("*.yaml"):
            if path.stem not in names:
                path.unlink()

    def only_standards(self, name, standards):
        """These instead of the shipped ones, and of the overlays, which speak of those."""
        for folder in ("standards", "overlays"):
            for path in (self.config / folder).glob("*.yaml"):
                path.unlink()
        write_yaml(self.config / "standards" / f"{name}.yaml", standards)

    def start_shipped_gateway(self, branch, gateway, day_folder, day, *more, log=None):
        """An example of config/gateways, playing its recording on a fixed day."""
        name = f"gateway.{branch}.{gateway}"
        self.key(name)
        sets = {"config_dir": self.config, "brokers": json.dumps([self.gateways_connect]),
                "keys_dir": self.keys, "spool": self.folder / f"{name}.spool",
                "pseudonym_key": self.folder / f"pseudonym.{branch}.key",
                **self.gateway_settings}
        recordings = {"desk": ["desk.csv"], "floor": ["floor.csv.gz", "radar.bin.gz"],
                      "ear": ["ear.jsonl.gz"],
                      "eye": [f"eye-{n}.csv.gz" for n in range(1, 5)], "form": ["form.csv"]}
        for i, recording in enumerate(recordings[gateway]):
            sets[f"drivers.{i}.day"] = day
            sets[f"drivers.{i}.path"] = pathlib.Path(day_folder) / recording
        arguments = [BUILD / "tresen-gateway", "--config",
                     self.config / "gateways" / f"{branch}-{gateway}.yaml"]
        for key, value in sets.items():
            arguments += ["--set", f"{key}={value}"]
        for setting in more:
            arguments += ["--set", setting]
        return self.start(name, arguments, log)

    def _alive(self, process):
        if not process.running():
            raise Failure(f"{process.name} has ended with {process.popen.returncode}:\n"
                          + "\n".join(process.text().splitlines()[-10:]))
        return True

    # ------------------------------------------------------------------ tresenctl

    def ctl_run(self, *words, seconds=None, broker="broker"):
        """broker: the name of one, or several names: all of them are asked."""
        path = self.folder / "tresenctl.yaml"
        endpoints = (self.control_endpoint_of(broker) if isinstance(broker, str)
                     else [self.control_endpoint_of(name) for name in broker])
        write_yaml(path, {"config_dir": str(self.config), "keys_dir": str(self.keys),
                          "control_endpoint": endpoints,
                          "decisions_dir": str(self.folder / "decisions"),
                          "redis_path": str(self.redis_path), **self.ctl_settings})
        return subprocess.run(
            [str(word) for word in (BUILD / "tresenctl", "--config", path, *words)],
            cwd=self.folder, capture_output=True, text=True, timeout=seconds or 6 * DEADLINE_S,
            stdin=subprocess.DEVNULL, check=False)

    def ctl(self, *words, broker="broker"):
        """What it prints; a failure otherwise."""
        done = self.ctl_run(*words, broker=broker)
        if done.returncode != 0:
            raise Failure(f"tresenctl {' '.join(map(str, words))}: status {done.returncode}\n"
                          f"{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.stdout

    def json(self, *words, broker="broker"):
        return json.loads(self.ctl("--json", *words, broker=broker))

    def status(self, broker="broker"):
        """The broker's, once it answers: while much is going on, a question may go without."""
        return until(lambda: self._status_now(broker), f"the {broker} answers")

    def _status_now(self, broker):
        done = self.ctl_run("--json", "status", broker=broker)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def gateway_status(self, branch, gateway):
        for entry in self.status()["gateways"]:
            if entry["branch"] == branch and entry["gateway"] == gateway:
                return entry
        return None

    def wait(self, *branches, seconds=5 * DEADLINE_S, broker="broker"):
        self.ctl("--seconds", seconds, "wait", *branches, broker=broker)

    def counted(self, branch, gateway):
        """The oddities that a gateway logged last, by name."""
        counts = {}
        for name, count in re.findall(r"event=oddity name=(\S+) count=(\d+)",
                                      self.processes[f"gateway.{branch}.{gateway}"].text()):
            counts[name] = int(count)
        return counts


def _command(words):
    out = b"*%d\r\n" % len(words)
    for word in words:
        word = word if isinstance(word, bytes) else str(word).encode()
        out += b"$%d\r\n%s\r\n" % (len(word), word)
    return out


def _reply(stream):
    line = stream.readline()
    if not line.endswith(b"\r\n"):
        raise EOFError("Redis has closed the connection")
    kind, rest = line[:1], line[1:-2]
    if kind == b"-":
        raise RuntimeError(rest.decode())
    if kind == b":":
        return int(rest)
    if kind == b"+":
        return rest.decode()
    count = int(rest)
    if count < 0:
        return None
    if kind == b"$":
        return stream.read(count + 2)[:-2].decode(errors="surrogateescape")
    return [_reply(stream) for _ in range(count)]


def made_up_day(folder, *arguments):
    """Writes the example day into a folder; returns it."""
    subprocess.run([sys.executable, ROOT / "ops" / "day" / "timetable.py", "--out", folder,
                    *arguments], check=True, stdout=subprocess.DEVNULL)
    return pathlib.Path(folder)


class _Result(unittest.TextTestResult):
    """Counts what passed: whether testsRun has the skipped ones depends on Python's version."""

    passed = 0

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed += 1


class _Runner(unittest.TextTestRunner):
    resultclass = _Result


def main():
    """unittest.main, with ctest's word for: everything was skipped."""
    program = unittest.main(module="__main__", exit=False, verbosity=2, testRunner=_Runner)
    result = program.result
    if not result.wasSuccessful():
        sys.exit(1)
    sys.exit(SKIPPED if result.skipped and not result.passed else 0)
