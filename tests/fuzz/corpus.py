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
# As cursor_fuzz.c and replies_fuzz.c number them.
ENTRIES = ("queue", "tracks", "jsonl", "vision", "openface", "mediapipe", "form", "decisions")
REPLIES = {"ask-reply": 0, "ingest-reply": 1, "settle-reply": 2, "replay-reply": 3, "seal-reply": 4,
           "rebuild-reply": 4, "editions-reply": 5, "take-reply": 6, "record": 8, "cells": 9,
           "dead": 10, "contribution": 11, "cell": 12}
KEPT = re.compile(r"^```golden ([\w-]+)\n([0-9a-f\n ]*)```$", re.M)


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
        if path.name == "measures.yaml" or path.parent.name == "branches":
            yield "registry", path.read_bytes()
    yield "phrases", (source / "config" / "phrases.yaml").read_bytes()
    kept = {name: bytes.fromhex(digits) for name, digits in
            KEPT.findall((source / "worker" / "store" / "KEYS.md").read_text())}
    for name, what in REPLIES.items():
        yield "replies", bytes([what]) + kept[name]
    yield "replies", b"\7" + struct.pack("<H", len(kept["registry"])) + kept["registry"] + kept["state"]
    yield "simulate", bytes([255, 1, 0, 10, 22, 0, 1, 100, 128, 60, 80, 25, 60, 40])
    yield "simulate", bytes([255, 7, 1, 2, 28, 1, 0, 0, 255, 200, 0, 255, 0, 255])
    yield "simulate", bytes([1, 3, 0, 5, 5, 2, 1, 90, 20, 30, 40, 50, 60, 70])
    yield "decisions", b"".join(
        b'{"encounter": "A0%d", "counter": "desk-1", "began": 1795388400000, "standard": "wait.within", '
        b'"decision": "%s", "decided": 17953885%05d, "by": "eva", "why": "seen on site"}\n'
        % (at, what, at) for at, what in enumerate((b"confirm", b"excuse", b"dispute", b"withdraw")))
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
    # What is done to a spool: an edit by SQL, a forged row, bytes overwritten, the end cut off.
    for at in range(29):
        yield "spool", struct.pack("<BBQB", 5, at, 3 * at, 1 + at % 9)
    for which in (*range(8), *range(160, 163), 210, 221, 255):
        for value in (10, 1 << 53):
            yield "spool", struct.pack("<BBQ", 1, which, value)
    for at in range(0, 8192, 256):
        yield "spool", struct.pack("<BHB8s", 3, at, 7, b"\0\x01\x80\xff" * 2)
        yield "spool", struct.pack("<BH", 0, at)
    # A chunk: size; measure, gateway; clock error, no span, no label, a first time; columns.
    chunk = struct.pack("<IH", fnv32(b"distance.client"), 7) + bytes(4) + b"\x01\0\0\0\0"
    yield "minutes", bytes([len(chunk)]) + chunk


def main():
    source, folder = map(pathlib.Path, sys.argv[1:])
    kinds = set()
    made = list(seeds(source))
    made += [("recognise", data) for kind, data in made
             if kind in (*DAY, "openface", "mediapipe", "ld2450", "wave")]
    made += [("cursor", bytes([ENTRIES.index(kind), size]) + bytes(size) + data)
             for kind, data in made if kind in ENTRIES for size in (0, 8, 16)]
    for index, (kind, data) in enumerate(made):
        kinds.add(kind)
        (folder / kind).mkdir(parents=True, exist_ok=True)
        (folder / kind / f"seed-{index}").write_bytes(data)
    sys.exit(not {"message", "body", "columns", "standards", "overlays", "registry"} <= kinds)


if __name__ == "__main__":
    main()
