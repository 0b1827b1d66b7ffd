#!/usr/bin/env python3
"""Real positions, written as a radar would write them into a pseudo-terminal or a file, come out of
the ld2450 driver as the distances that are computed here from the same positions.

    radar_data_test.py PLAY SOURCE_DIR DATA_DIR
"""

import csv
import fcntl
import gzip
import math
import os
import struct
import subprocess
import sys
import tempfile
import termios
import tty

CHUNK = 100  # frames: what a pseudo-terminal holds
FRAMES = 2000
NOW_MS = 1795424400000  # 2026-11-23T09:00:00Z: what the clock of PLAY says
DESK, REACH_M, ZONE, ZONE_M = (2.5, 2.0), 3.0, (2.5, 3.0), 1.0
RADAR = (2.5, -1.0)  # looks along y


def frames_of(path):
    """The three people nearest to the radar, a frame each; millimetres seen from the radar."""
    frames = {}
    with gzip.open(path, "rt") as text:
        for row in csv.DictReader(text):
            x, y = float(row["x_m"]) - RADAR[0], float(row["y_m"]) - RADAR[1]
            frames.setdefault(row["t_s"], []).append((round(x * 1000), round(y * 1000)))
    for people in frames.values():
        seen = [p for p in people if abs(p[0]) <= 8000 and 0 <= p[1] <= 8000]
        yield sorted(seen, key=lambda p: math.hypot(*p))[:3]


def encoded(people):
    def number(value):
        return abs(value) | (0x8000 if value >= 0 else 0)

    targets = [struct.pack("<HHHH", number(x), number(y), 0, 320) for x, y in people]
    return b"\xaa\xff\x03\x00" + b"".join(targets).ljust(24, b"\0") + b"\x55\xcc"


def distances(people):
    """(client, bystander) in centimetres; None: there is none."""
    floor = [(RADAR[0] + x / 1000, RADAR[1] + y / 1000) for x, y in people]
    behind = [p for p in floor if math.dist(p, ZONE) <= ZONE_M]
    if not behind:
        return None, None
    employee = min(behind, key=lambda p: math.dist(p, ZONE))
    others = [p for p in floor if p not in behind and math.dist(p, DESK) <= REACH_M]
    if not others:
        return None, None
    client = min(others, key=lambda p: math.dist(p, employee))
    left = [p for p in others if p is not client]
    near = min((math.dist(p, client) for p in left), default=None)
    return math.dist(employee, client), near


def centimetres(metres):
    return math.floor(metres * 100 + 0.5)


def expected(frames, first_ms):
    """[(time, measure, centimetres)] of frames 100 ms apart."""
    told = []
    for i, people in enumerate(frames):
        client, near = distances(people)
        if near is not None:
            told.append((first_ms + i * 100, "distance.bystander", centimetres(near)))
        if client is not None:
            told.append((first_ms + i * 100, "distance.client", centimetres(client)))
    return told


def play(program, source, config, restart_every, *settings, driver=0):
    """What the driver makes of the frames, as expected() says it."""
    done = subprocess.run(
        [program, config, f"{source}/config/measures.yaml", "Europe/Berlin",
         str(driver), str(restart_every), *settings], stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True, check=False)  # a live line does not end
    assert "\nO " not in done.stdout, done.stdout[-300:]
    found = [line.split(" ") for line in done.stdout.splitlines() if line.startswith("S ")]
    return sorted((int(at), measure, int(value)) for _, measure, _, at, value, _ in found)


def arrived(line):
    return struct.unpack("i", fcntl.ioctl(line, termios.FIONREAD, bytes(4)))[0]


def play_line(program, source, config, frames):
    leader, line = os.openpty()
    tty.setraw(line)
    size = os.write(leader, b"".join(encoded(people) for people in frames))
    while arrived(line) < size:  # the kernel hands them on by and by
        os.sched_yield()
    try:
        return play(program, source, config, 0, f"drivers.0.path={os.ttyname(line)}")
    finally:
        os.close(leader)
        os.close(line)


def check(found, wanted):
    """The same, but for a centimetre of rounding."""
    assert len(found) == len(wanted), (len(found), len(wanted))
    for one, other in zip(found, wanted):
        assert one[:2] == other[:2] and abs(one[2] - other[2]) <= 1, (one, other)


def check_recording(program, source, config, frames):
    """A file of the line's bytes, also after a restart in every turn."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"".join(encoded(people) for people in frames))
        file.flush()
        for restart_every in (0, 1):
            found = play(program, source, config, restart_every, f"drivers.0.path={file.name}",
                         "drivers.0.start=2026-11-23T09:00:00Z")
            check(found, expected(frames, NOW_MS))


def decoded(frame):
    """Metres on the floor of the example branch (config/gateways/musterstadt-floor.yaml)."""
    assert frame[:4] == b"\xaa\xff\x03\x00" and frame[28:] == b"\x55\xcc", frame
    for target in struct.iter_unpack("<HHHH", frame[4:28]):
        if any(target):
            x, y = ((v & 0x7fff) * (1 if v & 0x8000 else -1) for v in target[:2])
            yield 9 + x / 1000, -1.5 + y / 1000


def example_day(program, source):
    """The radar of the shipped day, by a gateway that is restarted now and then."""
    with gzip.open(f"{source}/ops/day/radar.bin.gz") as recording:
        recorded = recording.read()
    wanted, nine_ms = [], 1795420800000  # 2026-11-23 09:00 in Berlin
    for i in range(len(recorded) // 30):
        floor = list(decoded(recorded[i * 30:i * 30 + 30]))
        behind = [p for p in floor if math.dist(p, (9, -0.5)) <= 0.4]
        near = [p for p in floor if p not in behind and math.dist(p, (9, 0)) <= 2.2]
        if not behind or not near:
            continue
        employee = min(behind, key=lambda p: math.dist(p, (9, -0.5)))
        client = min(near, key=lambda p: math.dist(p, employee))
        bystander = min((math.dist(p, client) for p in near if p != client), default=2.2)
        for measure, metres in (("client", math.dist(employee, client)), ("bystander", bystander)):
            wanted.append((nine_ms + i * 500, f"distance.{measure}", centimetres(metres)))
    found = play(program, source, f"{source}/config/gateways/musterstadt-floor.yaml", 3, driver=1)
    check(found, sorted(wanted))
    assert len(found) > 10000, len(found)
    print(f"the shipped radar: {len(found)} distances as computed")


def main():
    program, source, data = sys.argv[1:]
    example_day(program, source)
    path = f"{data}/distance/cocktail_party.csv.gz"
    if not os.path.exists(path):
        print(f"{path} is not on this machine")
        return 77
    frames = list(frames_of(path))[::5][:FRAMES]
    told = 0
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as config:
        config.write(f"""drivers:
  - driver: ld2450
    path: overwritten
    x_m: {RADAR[0]}
    y_m: {RADAR[1]}
    counters:
      - {{counter: desk-1, x: {DESK[0]}, y: {DESK[1]}, reach: {REACH_M},
         employee_zone: {{x: {ZONE[0]}, y: {ZONE[1]}, radius: {ZONE_M}}}}}
""")
        config.flush()
        for begin in range(0, len(frames), CHUNK):
            chunk = frames[begin:begin + CHUNK]
            found = play_line(program, source, config.name, chunk)
            check(found, expected(chunk, NOW_MS - (len(chunk) - 1) * 100))
            told += len(found)
        check_recording(program, source, config.name, frames)
    assert told > FRAMES / 2, told
    print(f"{len(frames)} frames of {path}: {told} distances as computed")
    return 0


sys.exit(main())
