"""What an HLK-LD2450 radar at desk 4 would send of the people that timetable.py puts on the floor:
frames as its maker describes them (sensors-gw/drivers/ld2450_frame.h), two a second."""

import gzip
import math
import struct

RADAR_M = (9.0, -1.5)  # behind desk 4, looking at the client
FARTHEST_MM = 6000
TARGETS = 3
FRAME_BYTES, RATE_HZ = 30, 2


def number(value):
    """Bit 15 set is plus: no two's complement."""
    return abs(value) | (0x8000 if value >= 0 else 0)


def seen(places):
    """The three people nearest to the radar, millimetres from it."""
    people = [(round((x - RADAR_M[0]) * 1000), round((y - RADAR_M[1]) * 1000)) for x, y in places]
    people = [p for p in people if p[1] >= 0 and math.hypot(*p) <= FARTHEST_MM]
    return sorted(people, key=lambda p: (math.hypot(*p), p))[:TARGETS]


def frame(places):
    targets = b"".join(struct.pack("<HHHH", number(x), number(y), number(0), 320)
                       for x, y in seen(places))
    return b"\xaa\xff\x03\x00" + targets.ljust(8 * TARGETS, b"\0") + b"\x55\xcc"


def write(path, frames):
    with open(path, "wb") as out, gzip.GzipFile("", "wb", 9, out, mtime=0) as packed:
        packed.write(b"".join(frames))
