#!/usr/bin/env python3
"""The bytes of PROTOCOL.md's examples, made from their JSON by a second, independent packer.

usage: protocol.py --check PROTOCOL.md   exit 1 if the page's bytes are not these
       protocol.py --write PROTOCOL.md   write them into the page (after adding an example)
"""
import json
import re
import struct
import sys

BLOCK = re.compile(r"^```golden (\w+) ([^\n]*)\n(.*?)\n---\n([0-9a-f\n]*)```$", re.M | re.S)
LINE = 64  # digits


def varint(value):
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def zigzag(value):
    return varint(2 * value if value >= 0 else -2 * value - 1)


def runs(items):
    """(length, item) of each stretch of equal items."""
    out = []
    for item in items:
        if out and out[-1][1] == item:
            out[-1][0] += 1
        else:
            out.append([1, item])
    return out


def pack_columns(times, values, confidence):
    if not times:
        return varint(0)
    deltas = [b - a for a, b in zip(times, times[1:])]
    out = varint(len(times))
    if len(set(deltas)) <= 1:
        out += b"\0" + varint(deltas[0] if deltas else 0)
    else:
        out += b"\1" + b"".join(map(varint, deltas))
    base, spread = min(values), max(values) - min(values)
    width = 0 if spread == 0 else 1 if spread < 1 << 8 else 2 if spread < 1 << 16 else 4
    out += bytes([width]) + zigzag(base)
    out += b"".join((value - base).to_bytes(width, "little") for value in values)
    return out + b"".join(varint(length) + bytes([percent]) for length, percent in runs(confidence))


def pack_integer(value):
    if -32 <= value < 0:
        return struct.pack("b", value)
    if 0 <= value < 128:
        return bytes([value])
    for head, form, bits in ((0xCC, ">B", 8), (0xCD, ">H", 16), (0xCE, ">I", 32), (0xCF, ">Q", 64)):
        if 0 <= value < 1 << bits:
            return bytes([head]) + struct.pack(form, value)
    raise ValueError(f"{value} is in no example")


def pack_real(value):
    if value == int(value):
        return pack_integer(int(value))
    single = struct.pack(">f", value)
    if struct.unpack(">f", single)[0] == value:
        return b"\xca" + single
    return b"\xcb" + struct.pack(">d", value)


def pack_bytes(data):
    head = struct.pack(">BB", 0xC4, len(data)) if len(data) < 256 else struct.pack(">BH", 0xC5, len(data))
    return head + data


def pack_text(text):
    data = text.encode()
    return (bytes([0xA0 | len(data)]) if len(data) < 32 else bytes([0xD9, len(data)])) + data


def pack(value):
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return pack_integer(value)
    if isinstance(value, float):
        return pack_real(value)
    if isinstance(value, str):
        return pack_text(value)
    if isinstance(value, list):
        assert len(value) < 16
        return bytes([0x90 | len(value)]) + b"".join(map(pack, value))
    if set(value) == {"bin"}:
        return pack_bytes(bytes.fromhex(value["bin"]))
    assert len(value) < 16
    return bytes([0x80 | len(value)]) + b"".join(pack(k) + pack(v) for k, v in value.items())


def example(match):
    kind, name, text, _ = match.groups()
    data = json.loads(text)
    if kind == "columns":
        packed = pack_columns(data["t"], data["values"], data["confidence"])
    else:
        packed = pack(data)
    digits = packed.hex()
    lines = "".join(digits[at:at + LINE] + "\n" for at in range(0, len(digits), LINE))
    return f"```golden {kind} {name}\n{text}\n---\n{lines}```"


def main():
    mode, path = sys.argv[1:]
    with open(path, encoding="utf-8") as file:
        page = file.read()
    wrong = [m.group(2) for m in BLOCK.finditer(page) if m.group(0) != example(m)]
    if mode == "--write":
        with open(path, "w", encoding="utf-8") as file:
            file.write(BLOCK.sub(example, page))
        return
    print("\n".join(wrong) or f"{len(BLOCK.findall(page))} examples")
    sys.exit(bool(wrong) or not BLOCK.search(page))


if __name__ == "__main__":
    main()
