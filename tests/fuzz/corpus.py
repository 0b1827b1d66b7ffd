#!/usr/bin/env python3
"""Seeds for the fuzzer, one folder a target: the examples of PROTOCOL.md, the shipped
configuration, the first lines of the made-up day, and a few bytes made here.

usage: corpus.py SOURCE_FOLDER CORPUS_FOLDER
"""
import gzip
import pathlib
import re
import struct
import sys

BLOCK = re.compile(r"^```golden (\w+) [^\n]*\n.*?\n---\n([0-9a-f\n]*)```$", re.M | re.S)
DAY = {"queue": "desk.csv", "tracks": "floor.csv.gz", "jsonl": "ear.jsonl.gz",
       "vision": "eye-1.csv.gz", "form": "form.csv"}
LINES = 24


def fnv32(data):
    """The key of a measure."""
    key = 0x811c9dc5
    for byte in data:
        key = (key ^ byte) * 0x01000193 & 0xffffffff
    return key


def seeds(source):
    """(target, bytes) of every seed."""
    page = (source / "common" / "wire" / "PROTOCOL.md").read_text()
    for kind, digits in BLOCK.findall(page):
        yield kind, bytes.fromhex(digits)
    for path in (source / "config").glob("**/*.yaml"):
        yield "document", path.read_bytes()
        if path.parent.name in ("standards", "overlays"):
            yield path.parent.name, path.read_bytes()
    for driver, name in DAY.items():
        path = source / "ops" / "day" / name
        with (gzip.open if name.endswith(".gz") else open)(path, "rb") as file:
            yield driver, b"".join(line for line, _ in zip(file, range(LINES)))
    target = struct.pack("<HHHH", 0x0064, 0x8bb8, 0x000a, 360)
    yield "ld2450", b"\xaa\xff\x03\x00" + target + bytes(16) + b"\x55\xcc"
    sound = struct.pack("<HHIIHH", 1, 1, 16000, 32000, 2, 16)
    yield "wave", (b"RIFF" + struct.pack("<I", 40) + b"WAVEfmt " + struct.pack("<I", 16) + sound
                   + b"data" + struct.pack("<I", 4) + bytes(4))
    yield "openface", b"frame, timestamp, confidence, success, AU06_c, AU12_c\n" + b"".join(
        b"%d, 0.%03d, 0.98, 1, %d, 1\n" % (frame, 33 * frame, frame % 2) for frame in range(1, 9))
    yield "mediapipe", b"".join(
        b'{"t": 0.%d, "faceBlendshapes": [{"categories": [{"score": 0.7, "categoryName": '
        b'"mouthSmileLeft"}, {"score": 0.6, "categoryName": "mouthSmileRight"}]}]}\n' % at
        for at in range(1, 9))
    # A chunk: size; measure, gateway; clock error, no span, no label, a first time; columns.
    chunk = struct.pack("<IH", fnv32(b"distance.client"), 7) + bytes(4) + b"\x01\0\0\0\0"
    yield "minutes", bytes([len(chunk)]) + chunk


def main():
    source, folder = map(pathlib.Path, sys.argv[1:])
    kinds = set()
    made = list(seeds(source))
    made += [("recognise", data) for kind, data in made
             if kind in (*DAY, "openface", "mediapipe", "ld2450", "wave")]
    for index, (kind, data) in enumerate(made):
        kinds.add(kind)
        (folder / kind).mkdir(parents=True, exist_ok=True)
        (folder / kind / f"seed-{index}").write_bytes(data)
    sys.exit(not {"message", "body", "columns", "standards", "overlays"} <= kinds)


if __name__ == "__main__":
    main()
