"""Processes of a run: started, watched, ended by their own ids; what they cost, as the kernel
counts it."""

import os
import select
import signal
import socket
import subprocess
import tempfile
import time


TICKS = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    pass


def children_of(pid):
    children = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
            children += [int(child) for child in file.read().split()]
    return children


def cpu_of(pid):
    """Of all threads of a process that lives or has just ended, in seconds."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class Process:
    def __init__(self, name, command, log, piped=False):
        self.name = name
        self.log_path = os.path.join(log, f"{name}.log")
        pipe = subprocess.PIPE if piped else subprocess.DEVNULL
        with open(self.log_path, "wb") as out:
            self.popen = subprocess.Popen(command, stdin=pipe, stdout=pipe if piped else out,
                                          stderr=out)

    def check(self):
        if self.popen.poll() is not None:
            with open(self.log_path, encoding="utf-8", errors="replace") as log:
                end = "".join(log.readlines()[-8:])
            raise Failed(f"{self.name} has ended with {self.popen.returncode}\n{end}")

    def cpu_s(self):
        """Its own and that of its children."""
        return sum(cpu_of(pid) for pid in (self.popen.pid, *children_of(self.popen.pid)))

    def peak_bytes(self):
        with open(f"/proc/{self.popen.pid}/status", encoding="ascii") as file:
            for line in file:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
        return 0

    def line(self, others=(), seconds=120):
        """The next line on its standard output, while the others live, too."""
        deadline = time.monotonic() + seconds
        while not select.select([self.popen.stdout], [], [], 0.1)[0]:
            for process in (self, *others):
                process.check()
            if time.monotonic() > deadline:
                raise Failed(f"{self.name} has said nothing for {seconds} s")
        line = self.popen.stdout.readline().decode()
        if not line:
            self.popen.wait()
            self.check()
        return line.strip()

    def say(self):
        self.popen.stdin.write(b"\n")
        self.popen.stdin.flush()

    def stop(self):
        if self.popen.stdin:
            self.popen.stdin.close()  # a driver waits for a line, and ends when none can come
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)
            try:
                self.popen.wait(10)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()
        if self.popen.stdout:
            self.popen.stdout.close()


class Redis:
    """A Redis of our own and a connection to it, in as few lines as do."""

    def __init__(self, folder, log, *options, name="redis"):
        self.path = os.path.join(folder, name)
        data = tempfile.mkdtemp(dir=folder)  # nothing of an earlier run is there
        self.process = Process(name, [
            "redis-server", "--port", "0", "--unixsocket", self.path, "--dir", data, "--save", "",
            "--appendonly", "no", "--maxmemory-policy", "noeviction", *options], log)
        self.socket = socket.socket(socket.AF_UNIX)
        deadline = time.monotonic() + 20
        while True:
            try:
                self.socket.connect(self.path)
                break
            except OSError as error:
                self.process.check()
                if time.monotonic() > deadline:
                    raise Failed("Redis does not answer") from error
                time.sleep(0.02)
        self.file = self.socket.makefile("rb")
        self.empty = self.bytes_used()

    def send(self, commands):
        out = bytearray()
        for command in commands:
            out += b"*%d\r\n" % len(command)
            for word in command:
                word = word.encode() if isinstance(word, str) else word
                out += b"$%d\r\n%s\r\n" % (len(word), word)
        self.socket.sendall(out)
        return [self.reply() for _ in commands]

    def call(self, *command):
        return self.send([command])[0]

    def reply(self):
        line = self.file.readline()
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise Failed("Redis: " + rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self.file.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return [self.reply() for _ in range(int(rest))]
        return rest

    def info(self, section):
        rows = self.call("INFO", section).decode().split("\r\n")
        return dict(row.split(":", 1) for row in rows if ":" in row)

    def bytes_used(self):
        return int(self.info("memory")["used_memory_dataset"])

    def bytes_in(self):
        return int(self.info("stats")["total_net_input_bytes"])

    def stop(self):
        self.file.close()
        self.socket.close()
        self.process.stop()
